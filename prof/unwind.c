/*
 * unwind.c - the calling thread's stack (unwind.h).
 *
 *   registers here --rule(pc)--> registers of the caller --rule--> ...
 *        rule: cache (shared, lock-free) <- .eh_frame (cfi.c)
 *        a frame without a description: a look at the frame pointer
 *        a rule that three registers cannot express: libunwind walks
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
#include "stack.h"
#include "unwind_lib.h"
#include "util.h"

enum {
	CACHE_WAYS = 4,			/* a cache line */
	CACHE_SETS = 8192,		/* 512 KiB; a large program's code */
	CACHE_SETS_FIRST = 256,		/* 16 KiB; 1024 rules: a small one's */
	FRAME_MAX = 8 << 20,		/* bytes; a larger frame is damage */
	OWN_MAX = 64,			/* frames of ours to look past */
};

struct regs {
	uintptr_t pc, sp, fp, lr;
	bool exact;			/* pc is not a return address */
	bool lr_valid;
	bool hard;			/* only libunwind can go on */
};

/* An entry is whole iff check ^ rule is the key: writers may interleave. */
struct cached {
	uint64_t check, rule;
};

/*
 * Rules are strewn over all of the cache that is in use: it begins small,
 * since each page of it that a rule falls into is resident from then on, and
 * is doubled when as many rules were pushed out as it has sets. One more bit
 * of the hash counts then: half of the rules stand where they are looked for.
 */
static struct cached cache[CACHE_SETS * CACHE_WAYS]	/* atomic words */
    __attribute__((aligned(CACHELINE)));
/* atomic; relaxed: whoever sees the old one looks in vain, or finds a rule */
static uint32_t cache_mask = CACHE_SETS_FIRST - 1;
static uint32_t cache_lost;		/* may miss some */
/* constant after unwind_start: */
static enum prof_unwind way;
static uintptr_t own_start, own_size;

/* --- rules ---------------------------------------------------------------- */

static uint64_t
pack(const struct cfi_rule *rule)
{
	return (uint64_t)rule->kind | (uint64_t)rule->fp_save << 4 |
	    (uint64_t)rule->ra_save << 6 |
	    (uint64_t)((uint32_t)rule->cfa & 0xffffff) << 8 |
	    (uint64_t)(uint16_t)rule->fp << 32 |
	    (uint64_t)(uint16_t)rule->ra << 48;
}

static struct cfi_rule
unpack(uint64_t word)
{
	return (struct cfi_rule){
		.kind = word & 15,
		.fp_save = word >> 4 & 3,
		.ra_save = word >> 6 & 3,
		.cfa = (int32_t)((uint32_t)(word >> 8) << 8) >> 8,
		.fp = (int16_t)(word >> 32),
		.ra = (int16_t)(word >> 48),
	};
}

static inline uint64_t
key_of(uintptr_t pc, uint32_t epoch)
{
	return pc ^ (uint64_t)epoch << 48;
}

static inline struct cached *
set_of(uint64_t key)
{
	uint64_t hash = (key * 0x9e3779b97f4a7c15ull) >> 51;

	_Static_assert(CACHE_SETS == 1 << (64 - 51), "the top bits choose");
	return &cache[(hash & __atomic_load_n(&cache_mask,
	    __ATOMIC_RELAXED)) * CACHE_WAYS];
}

/* The packed rule, or 0. */
static inline uint64_t
cached_rule(uint64_t key)
{
	const struct cached *set = set_of(key);

	for (int i = 0; i < CACHE_WAYS; i++) {
		uint64_t check = __atomic_load_n(&set[i].check,
		    __ATOMIC_RELAXED);
		uint64_t word = __atomic_load_n(&set[i].rule,
		    __ATOMIC_RELAXED);

		if ((check ^ word) == key)
			return word;
	}
	return 0;
}

static void
store(struct cached *entry, uint64_t check, uint64_t word)
{
	__atomic_store_n(&entry->check, check, __ATOMIC_RELAXED);
	__atomic_store_n(&entry->rule, word, __ATOMIC_RELAXED);
}

static void
note_lost(void)
{
	uint32_t mask = __atomic_load_n(&cache_mask, __ATOMIC_RELAXED);
	uint32_t lost = __atomic_load_n(&cache_lost, __ATOMIC_RELAXED) + 1;

	if (lost > mask && mask < CACHE_SETS - 1) {
		__atomic_compare_exchange_n(&cache_mask, &mask, 2 * mask + 1,
		    false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
		lost = 0;
	}
	__atomic_store_n(&cache_lost, lost, __ATOMIC_RELAXED);
}

/* The newest stands first, the oldest goes. */
static void
cache_rule(uint64_t key, uint64_t word)
{
	struct cached *set = set_of(key);

	if (__atomic_load_n(&set[CACHE_WAYS - 1].rule, __ATOMIC_RELAXED) != 0)
		note_lost();
	for (int i = CACHE_WAYS - 1; i > 0; i--)
		store(&set[i], __atomic_load_n(&set[i - 1].check,
		    __ATOMIC_RELAXED), __atomic_load_n(&set[i - 1].rule,
		    __ATOMIC_RELAXED));
	store(&set[0], key ^ word, word);
}

static struct cfi_rule
rule_of(uintptr_t pc, uint32_t epoch)
{
	uint64_t key = key_of(pc, epoch), word = cached_rule(key);
	struct cfi_rule rule;

	if (word != 0)
		return unpack(word);
	if (!modules_known(pc))
		return (struct cfi_rule){ .kind = CFI_UNKNOWN };
	cfi_find(pc, &rule);
	if (rule.kind == CFI_UNKNOWN)	/* memory and registers decide */
		return rule;
	cache_rule(key, pack(&rule));
	return rule;
}

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

static uintptr_t
strip(uintptr_t pc)
{
#if defined(__aarch64__)
	/* a signed address: xpaclri, which older processors take as a hint */
	register uintptr_t x30 __asm__("x30") = pc;

	__asm__("hint #7" : "+r"(x30));
	return x30;
#else
	return pc;
#endif
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
	regs->lr = strip(regs->lr);
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
	pc = strip(pc);
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
	next.pc = strip(next.pc);
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
	uint64_t word = cached_rule(key_of(regs->pc - 1, epoch));
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
	pc = strip(*(const uintptr_t *)(cfa + (uintptr_t)ra));
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
	struct cfi_rule rule = rule_of(regs->exact ? regs->pc : regs->pc - 1,
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
		uintptr_t pc = strip(((const uintptr_t *)fp)[1]);

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

static inline __attribute__((always_inline)) void
get_registers(struct regs *regs)
{
#if defined(__x86_64__)
	__asm__ volatile("leaq 0(%%rip), %0\n\tmovq %%rsp, %1\n\t"
	    "movq %%rbp, %2"
	    : "=&r"(regs->pc), "=&r"(regs->sp), "=&r"(regs->fp));
#else
	__asm__ volatile("adr %0, .\n\tmov %1, sp\n\tmov %2, x29"
	    : "=&r"(regs->pc), "=&r"(regs->sp), "=&r"(regs->fp));
	regs->lr = 0;
#endif
	regs->exact = true;
	regs->lr_valid = false;
	regs->hard = false;
}

__attribute__((noinline)) size_t
unwind_collect(struct prof_thread *thread, uintptr_t *frames, size_t max)
{
	struct regs regs;
	size_t n;

	if (way == PROF_UNWIND_UNW_STEP)
		return drop_own(frames, unwind_lib_collect(frames, max));
	get_registers(&regs);
	if (way == PROF_UNWIND_FP) {
		find_stack(thread, regs.sp);
		return walk_frame_pointers(thread, &regs, frames, max);
	}
	note_stack(thread, regs.sp);
	n = walk(thread, &regs, frames, max);
	if (unlikely(regs.hard))
		n = drop_own(frames, unwind_lib_collect(frames, max));
	return n;
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
