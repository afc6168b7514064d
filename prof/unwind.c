/*
 * unwind.c - the calling thread's stack (unwind.h).
 *
 *   registers here --rule(pc)--> registers of the caller --rule--> ...
 *        rule: cache (shared, lock-free) <- .eh_frame (cfi.c)
 *        a frame without a description: a look at the frame pointer
 *        a rule that three registers cannot express: libunwind walks
 *
 * A walk may join that which the thread made last (shadow.h): what it would
 * do from there on is known, and only looked after.
 *
 * Why our own rules first: see unwind_lib.c for what libunwind costs. One from
 * the cache costs a few ns a frame, as unw_backtrace does, without memory per
 * thread, without a lock and without the loader, and a stale rule is not
 * possible: modules.c keeps vacated addresses from reuse, and the epoch, which
 * is raised where it cannot, is part of the cache's key.
 *
 * Stack words are read directly only inside pages that were read once by a
 * system call that cannot fault; [stack_low, stack_high) of the thread.
 *
 * Locks: none. Fork: no child is born while another thread is inside (gate.c).
 */
#include "unwind.h"

#include <errno.h>

#include "cfi.h"
#include "fmt.h"
#include "maps.h"
#include "modules.h"
#include "os.h"
#include "rules.h"
#include "stack.h"
#include "unwind_lib.h"
#include "util.h"

enum {
	FRAME_MAX = 8 << 20,		/* bytes; a larger frame is damage */
	OWN_MAX = 64,			/* frames of ours to look past */
	MODULE_TRIES = 8,		/* new modules on a stack, one each */
};

struct regs {
	uintptr_t pc, sp, fp, lr;
	bool exact;			/* pc is not a return address */
	bool lr_valid;
	bool hard;			/* only libunwind can go on */
};

/* constant after unwind_start: */
static enum prof_unwind way;
static uintptr_t own_start, own_size;

/* --- stack memory --------------------------------------------------------- */

/*
 * Can the word be read? The kernel copies the set before it looks at "how",
 * which is not one, so this changes nothing; and no sandbox forbids it. The
 * word is on a stack that somebody stands on: it will not go away.
 */
static bool
is_readable(uintptr_t address)
{
	return os_syscall4(SYS_rt_sigprocmask, ~0, address, 0, 8) == -EINVAL;
}

/*
 * The stack goes on upwards: every page from the known part to the address,
 * which a large frame may have passed over, is tried once.
 */
static bool
extend_stack(struct prof_thread *thread, uintptr_t address)
{
	enum { PAGES_MAX = 256 };	/* 1 MiB; a system call each */

	if (address < thread->stack_high || (address - thread->stack_high) /
	    os_page_system >= PAGES_MAX)
		return false;
	while (thread->stack_high <= address) {
		if (!is_readable(thread->stack_high))
			return false;
		thread->stack_high += os_page_system;
	}
	return true;
}

/* Reads a word; its page was read before, or is tried with care. */
static bool
read_word(struct prof_thread *thread, uintptr_t address, uintptr_t *out)
{
	if (unlikely(address % sizeof *out != 0))
		return false;
	if (unlikely(address < thread->stack_low ||
	    address >= thread->stack_high) && !extend_stack(thread, address) &&
	    !is_readable(address))
		return false;
	*out = *(const uintptr_t *)address;
	return true;
}

/* The same of an address that is only a guess: nothing is learnt from it. */
static bool
read_guess(const struct prof_thread *thread, uintptr_t address,
    uintptr_t *out)
{
	if (address < thread->stack_low || address >= thread->stack_high)
		return modules_read(address, out, sizeof *out);
	*out = *(const uintptr_t *)address;
	return true;
}

/*
 * What is known of the stack begins with the page of sp; if sp is elsewhere
 * (deeper than ever, another stack), it begins anew.
 */
static void
note_stack(struct prof_thread *thread, uintptr_t sp)
{
	if (likely(sp >= thread->stack_low && sp < thread->stack_high))
		return;
	thread->stack_low = align_down(sp, os_page_system);
	thread->stack_high = thread->stack_low + os_page_system;
}

/* --- one step ------------------------------------------------------------- */

/* The registers that the kernel laid down at sp before the handler ran. */
static bool
step_signal(struct prof_thread *thread, struct regs *regs)
{
#if defined(__x86_64__)
	/* ucontext: 40 bytes, then r8..r15 di si bp bx dx ax cx sp ip */
	enum { BP = 40 + 8 * 10, SP = 40 + 8 * 15, PC = 40 + 8 * 16 };
	uintptr_t at = regs->sp;
#else
	/* siginfo 128, ucontext 176 to its mcontext: fault, x0..x30 sp pc */
	enum { BP = 8 + 8 * 29, SP = 8 + 8 * 31, PC = 8 + 8 * 32,
	    LR = 8 + 8 * 30 };
	uintptr_t at = regs->sp + 128 + 176;

	if (!read_word(thread, at + LR, &regs->lr))
		return false;
	regs->lr = unwind_strip(regs->lr);
	regs->lr_valid = true;
#endif
	if (!read_word(thread, at + BP, &regs->fp) ||
	    !read_word(thread, at + PC, &regs->pc) ||
	    !read_word(thread, at + SP, &regs->sp))
		return false;
	regs->exact = true;
	/* the interrupted code may have had a stack of its own */
	note_stack(thread, regs->sp);
	return regs->pc != 0;
}

/* No rule that we can follow: what a frame pointer would have left. */
static bool
step_guess(const struct prof_thread *thread, struct regs *regs)
{
	uintptr_t fp = regs->fp, next, pc;

	if (fp < regs->sp || fp - regs->sp >= FRAME_MAX ||
	    fp % sizeof fp != 0 || !read_guess(thread, fp, &next) ||
	    !read_guess(thread, fp + sizeof fp, &pc))
		return false;
	pc = unwind_strip(pc);
	if (pc < 4096 || !modules_listed(pc - 1))
		return false;
	*regs = (struct regs){ .pc = pc, .sp = fp + 2 * sizeof fp,
	    .fp = next };
	return true;
}

static bool
step_rule(struct prof_thread *thread, struct regs *regs,
    const struct cfi_rule *rule)
{
	struct regs next = { .fp = regs->fp };
	uintptr_t cfa = (rule->kind == CFI_CFA_SP ? regs->sp : regs->fp) +
	    (uintptr_t)(intptr_t)rule->cfa;

	if (rule->kind == CFI_CFA_FP_DEREF && !read_word(thread, cfa, &cfa))
		return false;
	if (cfa < regs->sp || cfa - regs->sp >= FRAME_MAX)
		return false;
	if (rule->fp_save != CFI_SAME &&
	    !read_word(thread, (rule->fp_save == CFI_AT_FP ? regs->fp : cfa) +
	    (uintptr_t)(intptr_t)rule->fp, &next.fp))
		return false;
	if (rule->ra_save == CFI_SAME) {
		if (!regs->lr_valid)
			return false;
		next.pc = regs->lr;
	} else if (!read_word(thread,
	    (rule->ra_save == CFI_AT_FP ? regs->fp : cfa) +
	    (uintptr_t)(intptr_t)rule->ra, &next.pc)) {
		return false;
	}
	next.pc = unwind_strip(next.pc);
	next.sp = cfa;
	/* a frame of no size that calls itself would go on for ever */
	if (next.sp == regs->sp && next.pc == regs->pc)
		return false;
	*regs = next;
	return next.pc != 0;
}

/*
 * The usual step, without a call: a rule from the cache, CFA from sp or fp,
 * the saved words below it in the known part of the stack. False: nothing is
 * changed, step() does it.
 */
static inline __attribute__((always_inline)) bool
step_usual(const struct prof_thread *thread, struct regs *regs,
    uint32_t epoch)
{
	uint64_t word = rules_cached(rules_key(regs->pc - 1, epoch));
	unsigned kind = word & 15, fp_save = word >> 4 & 3;
	uintptr_t cfa = (uintptr_t)(intptr_t)((int32_t)(uint32_t)word >> 8);
	intptr_t fp = (int16_t)(word >> 32), ra = (int64_t)word >> 48;
	uintptr_t pc;

	/* kind, fp_save and ra_save in their usual combinations */
	if (unlikely(kind - CFI_CFA_SP > CFI_CFA_FP - CFI_CFA_SP ||
	    fp_save > CFI_AT_CFA || (word >> 6 & 3) != CFI_AT_CFA ||
	    regs->exact))
		return false;
	cfa += kind == CFI_CFA_SP ? regs->sp : regs->fp;
	if (unlikely(cfa <= regs->sp || cfa > thread->stack_high ||
	    (cfa & 7) != 0 || ((fp | ra) & 7) != 0 || ra >= 0 ||
	    cfa + (uintptr_t)ra < thread->stack_low || (fp_save != CFI_SAME &&
	    (fp >= 0 || cfa + (uintptr_t)fp < thread->stack_low))))
		return false;
	pc = unwind_strip(*(const uintptr_t *)(cfa + (uintptr_t)ra));
	if (unlikely(pc == 0))
		return false;
	if (fp_save != CFI_SAME)
		regs->fp = *(const uintptr_t *)(cfa + (uintptr_t)fp);
	regs->pc = pc;
	regs->sp = cfa;
	return true;
}

static bool
step(struct prof_thread *thread, struct regs *regs, uint32_t epoch)
{
	struct cfi_rule rule = rules_find(regs->exact ? regs->pc : regs->pc - 1,
	    epoch);

	switch (rule.kind) {
	case CFI_END:
		return false;
	case CFI_SIGNAL:
		return step_signal(thread, regs);
	case CFI_HARD:
		if (way == PROF_UNWIND_LIBUNWIND) {
			regs->hard = true;
			return false;
		}
		return step_guess(thread, regs);
	case CFI_UNKNOWN:
		return step_guess(thread, regs);
	default:
		return step_rule(thread, regs, &rule);
	}
}

/* --- a stack -------------------------------------------------------------- */

static bool
is_own(uintptr_t pc)
{
	return pc - own_start < own_size;
}

/* Our own frames come first and are left out. */
static size_t
drop_own(uintptr_t *frames, size_t n)
{
	size_t own = 0;

	while (own < n && is_own(frames[own]))
		own++;
	__builtin_memmove(frames, frames + own, (n - own) * sizeof *frames);
	return n - own;
}

/* NULL: all lie in modules on the list. */
static const uintptr_t *
first_unlisted(const uintptr_t *frames, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!modules_listed((frames[i] & ~STACK_SIGNAL) - 1))
			return &frames[i];
	return NULL;
}

/*
 * All of it by libunwind, which is told of the modules on our list: what it
 * says of a frame outside of them, and of those that called it, is a guess.
 */
static __attribute__((noinline)) size_t
collect_by_lib(uintptr_t *frames, size_t max)
{
	unsigned tries = MODULE_TRIES;
	const uintptr_t *unlisted;
	size_t n;

	do {
		n = drop_own(frames, unwind_lib_collect(frames, max));
		unlisted = first_unlisted(frames, n);
	} while (unlisted != NULL && --tries > 0 &&
	    modules_known((*unlisted & ~STACK_SIGNAL) - 1));
	return n;
}

static size_t
walk(struct prof_thread *thread, struct regs *regs, uintptr_t *frames,
    size_t max)
{
	uint32_t epoch = modules_epoch();
	bool outside = false;
	size_t n = 0, own = 0;
	bool more;

	do {
		if (!outside && is_own(regs->pc) && own < OWN_MAX) {
			own++;
		} else {
			outside = true;
			frames[n++] = regs->pc |
			    (regs->exact ? STACK_SIGNAL : 0);
		}
		more = n < max && (likely(step_usual(thread, regs, epoch)) ||
		    step(thread, regs, epoch));
	} while (more);
	return n;
}

/* Passes our own frames, which keep no frame pointers, by their rules. */
static bool
leave_own(struct prof_thread *thread, struct regs *regs)
{
	uint32_t epoch = modules_epoch();

	unsigned own = 0;

	do {
		if (own++ == OWN_MAX || !step(thread, regs, epoch))
			return false;
	} while (is_own(regs->pc));
	return true;
}

static size_t
walk_frame_pointers(struct prof_thread *thread, struct regs *regs,
    uintptr_t *frames, size_t max)
{
	uintptr_t fp;
	size_t n = 0;

	if (!leave_own(thread, regs))
		return 0;
	frames[n++] = regs->pc | (regs->exact ? STACK_SIGNAL : 0);
	/* one that leaves the stack, or goes backwards, ends the walk */
	for (fp = regs->fp; n < max && fp % sizeof fp == 0 &&
	    fp >= regs->sp && fp >= thread->stack_low &&
	    fp <= thread->stack_high - 2 * sizeof fp;) {
		uintptr_t next = ((const uintptr_t *)fp)[0];
		uintptr_t pc = unwind_strip(((const uintptr_t *)fp)[1]);

		if (pc < 4096)
			break;
		frames[n++] = pc;
		if (next <= fp)
			break;
		fp = next;
	}
	return n;
}

struct bounds {
	uintptr_t sp, low, high;
};

static void
look_for_stack(const struct maps_line *line, void *opaque)
{
	struct bounds *bounds = opaque;

	if (bounds->sp < line->start || bounds->sp >= line->end)
		return;
	bounds->high = line->end;
	bounds->low = line->start;
}

/* The mapping that sp lies in; the first thread's grows downwards. */
static void
find_stack(struct prof_thread *thread, uintptr_t sp)
{
	struct bounds bounds = { .sp = sp };
	char buf[512];

	if (sp >= thread->stack_low && sp < thread->stack_high)
		return;
	if (maps_read(buf, sizeof buf, look_for_stack, &bounds) != 0 ||
	    bounds.high == 0) {
		bounds.low = sp;
		bounds.high = align_up(sp + 1, os_page_system);
	}
	thread->stack_low = bounds.low;
	thread->stack_high = bounds.high;
}

/* The pc is that behind an instruction here, as a return address is. */
static inline __attribute__((always_inline)) void
get_registers(struct regs *regs)
{
#if defined(__x86_64__)
	__asm__ volatile("leaq 0(%%rip), %0\n\tmovq %%rsp, %1\n\t"
	    "movq %%rbp, %2"
	    : "=&r"(regs->pc), "=&r"(regs->sp), "=&r"(regs->fp));
#else
	__asm__ volatile("adr %0, . + 4\n\tmov %1, sp\n\tmov %2, x29"
	    : "=&r"(regs->pc), "=&r"(regs->sp), "=&r"(regs->fp));
	regs->lr = 0;
#endif
	regs->exact = false;
	regs->lr_valid = false;
	regs->hard = false;
}

__attribute__((noinline)) size_t
unwind_collect(struct prof_thread *thread, uintptr_t *frames, size_t max)
{
	struct regs regs;
	size_t n;

	if (way == PROF_UNWIND_UNW_STEP)
		return collect_by_lib(frames, max);
	get_registers(&regs);
	if (way == PROF_UNWIND_FP) {
		find_stack(thread, regs.sp);
		return walk_frame_pointers(thread, &regs, frames, max);
	}
	note_stack(thread, regs.sp);
	n = walk(thread, &regs, frames, max);
	if (unlikely(regs.hard))
		n = collect_by_lib(frames, max);
	return n;
}

/* --- what is as it was last time ------------------------------------------ */

/*
 * What of a rule step_known can follow. It counts once how is written: a
 * handler that leaves in the middle leaves a rule that is learnt again.
 */
static __attribute__((noinline)) void
learn_rule(struct shadow_rule *known, uintptr_t pc, uint32_t epoch)
{
	struct cfi_rule rule = rules_unpack(rules_cached(rules_key(pc - 1, epoch)));
	bool saved = rule.fp_save != CFI_SAME;

	known->how = 0;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	known->pc = pc;
	if ((rule.kind != CFI_CFA_SP && rule.kind != CFI_CFA_FP) ||
	    rule.ra_save != CFI_AT_CFA || rule.ra >= 0 || rule.ra % 8 != 0 ||
	    (saved && (rule.fp_save != CFI_AT_CFA || rule.fp >= 0 ||
	    rule.fp % 8 != 0)))
		return;
	known->cfa = rule.cfa;
	known->pc_at = rule.ra;
	known->fp_at = saved ? rule.fp : rule.ra;
	known->lowest = known->fp_at < rule.ra ? known->fp_at : rule.ra;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	known->how = SHADOW_STEP |
	    (rule.kind == CFI_CFA_FP ? SHADOW_BY_FP : 0) |
	    (saved ? SHADOW_FP_SAVED : 0);
}

/*
 * step_usual by a rule of the thread's own, which is unpacked. What it took
 * goes to frame. False: nothing is changed but frame.
 */
static inline __attribute__((always_inline)) bool
step_known(const struct prof_thread *thread, struct regs *regs,
    struct shadow *shadow, struct shadow_frame *frame)
{
	struct shadow_rule *rule = shadow_rule_of(shadow, regs->pc);
	uintptr_t cfa, pc;

	if (unlikely(rule->pc != regs->pc || rule->how == 0))
		learn_rule(rule, regs->pc, shadow->epoch);
	frame->how = 0;
	cfa = (rule->how & SHADOW_BY_FP ? regs->fp : regs->sp) +
	    (uintptr_t)(intptr_t)rule->cfa;
	if (unlikely(rule->how == 0 || regs->exact || cfa <= regs->sp ||
	    cfa > thread->stack_high || cfa % sizeof cfa != 0 ||
	    cfa + (uintptr_t)(intptr_t)rule->lowest < thread->stack_low))
		return false;
	pc = unwind_strip(*(const uintptr_t *)(cfa +
	    (uintptr_t)(intptr_t)rule->pc_at));
	if (unlikely(pc == 0))
		return false;
	frame->how = rule->how;
	frame->by_fp = regs->fp;
	frame->pc_at = rule->pc_at;
	frame->fp_at = rule->fp_at;
	if (rule->how & SHADOW_FP_SAVED)
		regs->fp = *(const uintptr_t *)(cfa +
		    (uintptr_t)(intptr_t)rule->fp_at);
	regs->pc = pc;
	regs->sp = cfa;
	return true;
}

/* A walk that is under way, and the kept one it may join. */
struct again {
	struct shadow *shadow;
	size_t n, own;			/* fresh frames; ours, which are first */
	size_t at;			/* the kept frame to be met next */
};

static inline __attribute__((always_inline)) bool
again_outside(const struct again *again)
{
	return again->n > again->own;
}

static inline __attribute__((always_inline)) void
again_add(struct again *again, const struct regs *regs)
{
	struct shadow *shadow = again->shadow;

	shadow->fresh_pcs[again->n] = regs->pc |
	    (regs->exact ? STACK_SIGNAL : 0);
	shadow->fresh[again->n].sp = regs->sp;
	if (!again_outside(again) && is_own(regs->pc) && again->own < OWN_MAX)
		again->own++;
	again->n++;
}

/* Is the newest frame where a kept one is, and the same? */
static inline __attribute__((always_inline)) bool
again_meets(struct again *again, const struct regs *regs)
{
	const struct shadow *shadow = again->shadow;
	size_t at = again->at;

	while (at < shadow->size && shadow->frames[at].sp < regs->sp)
		at++;
	again->at = at;
	return at < shadow->size && shadow->frames[at].sp == regs->sp &&
	    shadow->pcs[at] == shadow->fresh_pcs[again->n - 1] &&
	    (at >= shadow->outside) == again_outside(again);
}

/* The kept frames behind the one that is met, to `last`, are fresh too. */
static void
again_take(struct again *again, struct regs *regs, size_t last)
{
	struct shadow *shadow = again->shadow;
	size_t from = again->at + 1, n = last + 1 - from;

	again->at = last + 1;
	if (n == 0)
		return;
	if (n > shadow->size - again->n)
		n = shadow->size - again->n;
	__builtin_memcpy(shadow->fresh + again->n, shadow->frames + from,
	    n * sizeof *shadow->fresh);
	__builtin_memcpy(shadow->fresh_pcs + again->n, shadow->pcs + from,
	    n * sizeof *shadow->fresh_pcs);
	if (from < shadow->outside)
		again->own += (from + n < shadow->outside ? from + n :
		    shadow->outside) - from;
	again->n += n;
	/* a usual step led here: what it does not say is as it leaves it */
	*regs = (struct regs){ .pc = shadow->pcs[last],
	    .sp = shadow->frames[last].sp, .fp = regs->fp };
}

/* What was kept is of use if the rules and the stack are the same. */
static void
again_begin(struct again *again, const struct prof_thread *thread,
    uint32_t epoch)
{
	struct shadow *shadow = again->shadow;

	if (shadow->epoch != epoch)
		shadow_forget(shadow);
	else if (shadow->low != thread->stack_low ||
	    shadow->high > thread->stack_high)
		shadow_clear(shadow);
	shadow->epoch = epoch;
	again->at = shadow->first;
}

/* The stack that is known was left in the middle: nothing is of use. */
static void
again_end(struct again *again, const struct prof_thread *thread,
    const struct regs *regs, uintptr_t low)
{
	struct shadow *shadow = again->shadow;

	shadow->low = low;
	shadow->high = thread->stack_low == low ? thread->stack_high :
	    UINTPTR_MAX;
	shadow->ended = rules_find(regs->exact ? regs->pc : regs->pc - 1,
	    shadow->epoch).kind == CFI_END;
	shadow_keep(shadow, again->n, again->own, shadow->size);
}

/* False: there was no room for what is kept and what is fresh. */
static bool
walk_again(struct prof_thread *thread, struct regs *regs,
    struct shadow *shadow, size_t max)
{
	struct again again = { .shadow = shadow };
	uint32_t epoch = modules_epoch();
	uintptr_t low = thread->stack_low;

	again_begin(&again, thread, epoch);
	for (;;) {
		again_add(&again, regs);
		if (again_meets(&again, regs)) {
			size_t at = again.at;
			size_t last = shadow_verify(shadow, at, &regs->fp);

			if (last == shadow->size - 1 && shadow->ended)
				return shadow_keep(shadow, again.n, again.own,
				    at + 1);
			again_take(&again, regs, last);
		}
		if (again.n - again.own >= max)
			break;
		if (unlikely(again.n == shadow->size))
			return false;
		if (unlikely(!step_known(thread, regs, shadow,
		    &shadow->fresh[again.n])) && !step(thread, regs, epoch))
			break;
		if (unlikely(thread->stack_low != low))
			again.at = shadow->size;
	}
	again_end(&again, thread, regs, low);
	return true;
}

__attribute__((noinline)) void
unwind_collect_again(struct prof_thread *thread, struct shadow *shadow,
    size_t max, struct stack_frames *out)
{
	struct regs regs;
	bool whole;

	get_registers(&regs);
	note_stack(thread, regs.sp);
	whole = walk_again(thread, &regs, shadow, max);
	out->frames = shadow->pcs + shadow->outside;
	if (unlikely(!whole || regs.hard)) {
		shadow_clear(shadow);
		out->depth = unwind_collect(thread, shadow->fresh_pcs, max);
		out->frames = shadow->fresh_pcs;
	} else {
		out->depth = shadow->size - shadow->outside;
		if (likely(out->depth <= max)) {
			out->hash = shadow->frames[shadow->outside].hash;
			return;
		}
		out->depth = max;
	}
	out->hash = stack_hash(out->frames, out->depth);
}

/* --- start ---------------------------------------------------------------- */

extern const char __start_strata_text[] __attribute__((weak));
extern const char __stop_strata_text[] __attribute__((weak));

/*
 * The addresses of our own code: in an archive the linker's bounds of our
 * section, in a shared library the whole of it.
 */
static void
find_own(void)
{
	uintptr_t here = (uintptr_t)unwind_collect;
	const struct module *module = modules_at_pc(here);

	if (__start_strata_text != NULL) {
		own_start = (uintptr_t)__start_strata_text;
		own_size = (uintptr_t)__stop_strata_text - own_start;
	} else if (module != NULL && !module->is_main) {
		own_start = module->start;
		own_size = module->end - module->start;
	}
}

bool
unwind_uses_libunwind(void)
{
	return way == PROF_UNWIND_LIBUNWIND || way == PROF_UNWIND_UNW_STEP;
}

int
unwind_start(enum prof_unwind how)
{
	uintptr_t frames[16];
	const char *reason;

	way = how;
	if (unwind_uses_libunwind() && unwind_lib_open(&reason) != 0) {
		fmt_fd(2, MESSAGE_PREFIX "profiling is off: %s\n",
		    reason != NULL ? reason : "no libunwind.so.8");
		return ENOENT;
	}
	modules_refresh();
	find_own();
	/* primed: what libunwind sets up at its first use is set up */
	if (unwind_uses_libunwind())
		unwind_lib_collect(frames, ARRAY_LEN(frames));
	return 0;
}
