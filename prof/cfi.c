/*
 * cfi.c - reads call frame information from .eh_frame (cfi.h).
 *
 *   PT_GNU_EH_FRAME -> .eh_frame_hdr: sorted table (function, FDE), searched
 *   FDE  -> length | -> CIE | function | size | augmentation | instructions
 *   CIE  -> how the FDE is encoded, and the instructions all start with
 *
 * The instructions build up a table of rules row by row, and the row of pc
 * is the result. Of the registers only the frame pointer and the return
 * address are followed. What those cannot express (another register as base,
 * an expression other than "*(fp + n)") makes the rule CFI_HARD.
 */
#include "cfi.h"

#include <stddef.h>

#include "modules.h"
#include "util.h"

#if defined(__x86_64__)
enum { REG_FP = 6, REG_SP = 7, REG_RA = 16 };
#else
enum { REG_FP = 29, REG_SP = 31, REG_RA = 30 };
#endif

enum { REMEMBER_MAX = 8 };

enum {	/* pointer encodings */
	PE_ABSPTR = 0x00, PE_UDATA4 = 0x03, PE_SDATA4 = 0x0b,
	PE_UDATA8 = 0x04, PE_SDATA8 = 0x0c, PE_PCREL = 0x10,
	PE_DATAREL_SDATA4 = 0x3b, PE_OMIT = 0xff,
};

/* What is left of an entry. */
struct bytes {
	const uint8_t *at, *end;
	bool bad;			/* read past the end */
};

struct row {
	struct cfi_rule rule;
	bool hard;			/* CFA or fp or ra is beyond us */
	bool ra_undefined;
};

struct fde {
	uintptr_t function, size;
	struct bytes code;
	struct bytes cie_code;
	uint64_t code_align;
	int64_t data_align;
	bool signal;
};

static uint64_t
fixed(struct bytes *b, size_t size)
{
	uint64_t value = 0;

	if ((size_t)(b->end - b->at) < size) {
		b->bad = true;
		b->at = b->end;
		return 0;
	}
	__builtin_memcpy(&value, b->at, size);	/* little-endian */
	b->at += size;
	return value;
}

static uint64_t
uleb(struct bytes *b)
{
	uint64_t value = 0, byte;
	unsigned shift = 0;

	do {
		byte = fixed(b, 1);
		if (shift < 64)
			value |= (byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	return value;
}

static int64_t
sleb(struct bytes *b)
{
	uint64_t value = 0, byte;
	unsigned shift = 0;

	do {
		byte = fixed(b, 1);
		if (shift < 64)
			value |= (byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	if (shift < 64 && (byte & 0x40))
		value |= ~0ull << shift;
	return (int64_t)value;
}

static void
skip(struct bytes *b, uint64_t n)
{
	if (n > (uint64_t)(b->end - b->at)) {
		b->bad = true;
		n = (uint64_t)(b->end - b->at);
	}
	b->at += n;
}

/* A pointer in one of the encodings that x86-64 and aarch64 objects use. */
static uintptr_t
pointer(struct bytes *b, uint8_t encoding)
{
	uintptr_t place = (uintptr_t)b->at, value;

	switch (encoding & 0x0f) {
	case PE_ABSPTR:
	case PE_UDATA8:
	case PE_SDATA8:
		value = fixed(b, 8);
		break;
	case PE_UDATA4:
		value = fixed(b, 4);
		break;
	case PE_SDATA4:
		value = (uintptr_t)(intptr_t)(int32_t)fixed(b, 4);
		break;
	default:
		b->bad = true;
		return 0;
	}
	if ((encoding & 0x70) == PE_PCREL)
		value += place;
	else if ((encoding & 0x70) != 0)
		b->bad = true;
	return value;
}

/* --- from pc to its FDE --------------------------------------------------- */

/*
 * A module that was verified to be there is read directly; what its tables
 * say is held against its segments.
 */
static bool
is_inside(const struct module *module, uintptr_t address, size_t size)
{
	for (unsigned i = 0; i < module->phnum; i++) {
		const ElfW(Phdr) *ph = &module->phdrs[i];
		uintptr_t offset = address - (module->base + ph->p_vaddr);

		if (ph->p_type == PT_LOAD && (ph->p_flags & PF_R) &&
		    offset <= ph->p_memsz && size <= ph->p_memsz - offset)
			return true;
	}
	return false;
}

static bool
read_module(const struct module *module, uintptr_t address, void *to,
    size_t size)
{
	if (!is_inside(module, address, size))
		return false;
	__builtin_memcpy(to, (const void *)address, size);
	return true;
}

/* An entry of .eh_frame behind its length. */
static bool
open_entry(const struct module *module, uintptr_t address, struct bytes *out)
{
	const uint8_t *start = (const uint8_t *)address + 4;
	uint32_t length;

	/* 0xffffffff: the 64-bit format, which nobody writes */
	if (!read_module(module, address, &length, sizeof length) ||
	    length < 8 || length == UINT32_MAX ||
	    !is_inside(module, address + 4, length))
		return false;
	*out = (struct bytes){ .at = start, .end = start + length };
	return true;
}

static bool
find_hdr(const struct module *module, uintptr_t *hdr)
{
	for (unsigned i = 0; i < module->phnum; i++)
		if (module->phdrs[i].p_type == PT_GNU_EH_FRAME) {
			*hdr = module->base + module->phdrs[i].p_vaddr;
			return true;
		}
	return false;
}

/* Address of the FDE whose function starts at or before pc; 0: none. */
static uintptr_t
search(const struct module *module, uintptr_t hdr, uintptr_t pc)
{
	struct { int32_t function, fde; } entry, found = { 0, 0 };
	uint8_t head[12];
	uint32_t low = 0, high;
	uintptr_t table = hdr + sizeof head;

	/* version, encodings: eh_frame pointer, count, table; pointer, count */
	if (!read_module(module, hdr, head, sizeof head) || head[0] != 1 ||
	    ((head[1] & 0x0f) != PE_SDATA4 && (head[1] & 0x0f) != PE_UDATA4) ||
	    head[2] != PE_UDATA4 || head[3] != PE_DATAREL_SDATA4)
		return 0;
	__builtin_memcpy(&high, head + 8, sizeof high);
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (!read_module(module, table + middle * sizeof entry,
		    &entry, sizeof entry))
			return 0;
		if (hdr + (uintptr_t)(intptr_t)entry.function <= pc) {
			found = entry;
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low == 0 ? 0 : hdr + (uintptr_t)(intptr_t)found.fde;
}

/*
 * A quick look for scan: with the usual encoding (pcrel, 4 bytes) the FDE's
 * function and size are plain numbers.
 */
static bool
covers(const uint8_t *entry, uint32_t length, uintptr_t pc)
{
	int32_t function;
	uint32_t size;

	if (length < 12)
		return false;
	__builtin_memcpy(&function, entry + 8, 4);
	__builtin_memcpy(&size, entry + 12, 4);
	return pc - ((uintptr_t)entry + 8 + (uintptr_t)(intptr_t)function) <
	    size;
}

static bool parse_fde(const struct module *module, uintptr_t address,
    struct fde *fde);

/*
 * Without the table: one FDE after the other. Only a static program is like
 * that, whose memory stays where it is and is read directly here. A result
 * is cached by the caller, so a program pays once for each call site.
 */
static uintptr_t
scan(const struct module *module, uintptr_t pc)
{
	uintptr_t at = module->eh_frame, end = at + module->eh_frame_size;
	struct fde fde;
	uint32_t length, id;

	while (end - at >= 8) {
		__builtin_memcpy(&length, (const void *)at, 4);
		__builtin_memcpy(&id, (const void *)(at + 4), 4);
		if (length == 0 || length > end - at - 4)
			break;
		if (id != 0 && covers((const void *)at, length, pc) &&
		    parse_fde(module, at, &fde) &&
		    pc >= fde.function && pc - fde.function < fde.size)
			return at;
		at += 4 + length;
	}
	return 0;
}

/* What one letter of the augmentation string says. */
static void
augmentation(char letter, struct bytes *b, uint8_t *encoding,
    struct fde *fde)
{
	uint8_t personality;

	switch (letter) {
	case 'R':
		*encoding = (uint8_t)fixed(b, 1);
		break;
	case 'P':
		personality = (uint8_t)fixed(b, 1);
		pointer(b, personality & 0x0f);
		break;
	case 'L':
		fixed(b, 1);
		break;
	case 'S':
		fde->signal = true;
		break;
	case 'z':
	case 'B':
		break;
	default:
		b->bad = true;
	}
}

static bool
parse_cie(const struct module *module, uintptr_t address, uint8_t *encoding,
    struct fde *fde)
{
	const char *letters;
	struct bytes b;

	if (!open_entry(module, address, &b) || fixed(&b, 4) != 0 ||
	    fixed(&b, 1) != 1)
		return false;
	letters = (const char *)b.at;
	while (fixed(&b, 1) != 0)
		continue;
	fde->code_align = uleb(&b);
	fde->data_align = sleb(&b);
	if (b.bad || uleb(&b) != REG_RA || *letters != 'z')
		return false;
	*encoding = PE_ABSPTR;
	uleb(&b);			/* length of what the letters say */
	for (; *letters != '\0'; letters++)
		augmentation(*letters, &b, encoding, fde);
	fde->cie_code = b;
	return !b.bad;
}

static bool
parse_fde(const struct module *module, uintptr_t address, struct fde *fde)
{
	uint8_t encoding;
	struct bytes b;

	*fde = (struct fde){ .function = 0 };
	if (!open_entry(module, address, &b) || !parse_cie(module,
	    address + 4 - (uint32_t)fixed(&b, 4), &encoding, fde))
		return false;
	fde->function = pointer(&b, encoding);
	fde->size = pointer(&b, encoding & 0x0f);
	skip(&b, uleb(&b));		/* augmentation data ("z") */
	fde->code = b;
	return !b.bad;
}

/* --- the instructions ----------------------------------------------------- */

static void
set_cfa(struct row *row, uint64_t reg, int64_t offset)
{
	row->rule.kind = reg == REG_SP ? CFI_CFA_SP :
	    reg == REG_FP ? CFI_CFA_FP : CFI_HARD;
	row->rule.cfa = (int32_t)offset;
	if (offset != (int32_t)offset || offset >= 1 << 23 ||
	    offset < -(1 << 23))
		row->rule.kind = CFI_HARD;
}

/* The register stays; where it is not ours the rule stays hard. */
static void
set_cfa_offset(struct row *row, int64_t offset)
{
	if (row->rule.kind == CFI_CFA_SP)
		set_cfa(row, REG_SP, offset);
	else if (row->rule.kind == CFI_CFA_FP)
		set_cfa(row, REG_FP, offset);
	else
		row->rule.cfa = (int32_t)offset;
}

static void
set_save(struct row *row, uint64_t reg, enum cfi_save save, int64_t offset)
{
	if (reg != REG_FP && reg != REG_RA)
		return;
	if (offset != (int16_t)offset)
		row->hard = true;
	if (reg == REG_FP) {
		row->rule.fp_save = save;
		row->rule.fp = (int16_t)offset;
	} else {
		row->rule.ra_save = save;
		row->rule.ra = (int16_t)offset;
		row->ra_undefined = false;
	}
}

/* DW_OP_breg<fp> n, perhaps followed by DW_OP_deref. */
static bool
fp_expression(struct bytes *b, int64_t *offset, bool *deref)
{
	enum { OP_BREG0 = 0x70, OP_DEREF = 0x06 };
	uint64_t size = uleb(b);
	struct bytes e = *b;

	skip(b, size);
	if (b->bad || size < 2)
		return false;
	e.end = b->at;
	if (fixed(&e, 1) != OP_BREG0 + REG_FP)
		return false;
	*offset = sleb(&e);
	*deref = e.at < e.end && fixed(&e, 1) == OP_DEREF;
	return !e.bad && e.at == e.end;
}

static void
save_by_expression(struct row *row, struct bytes *b)
{
	uint64_t reg = uleb(b);
	int64_t offset;
	bool deref;

	if (fp_expression(b, &offset, &deref) && !deref)
		set_save(row, reg, CFI_AT_FP, offset);
	else if (reg == REG_FP || reg == REG_RA)
		row->hard = true;
}

static void
cfa_by_expression(struct row *row, struct bytes *b)
{
	int64_t offset;
	bool deref;

	row->rule.kind = CFI_HARD;
	if (fp_expression(b, &offset, &deref) && deref) {
		set_cfa(row, REG_FP, offset);
		if (row->rule.kind == CFI_CFA_FP)
			row->rule.kind = CFI_CFA_FP_DEREF;
	}
}

static void
restore(struct row *row, const struct row *initial, uint64_t reg)
{
	if (reg == REG_FP) {
		row->rule.fp_save = initial->rule.fp_save;
		row->rule.fp = initial->rule.fp;
	} else if (reg == REG_RA) {
		row->rule.ra_save = initial->rule.ra_save;
		row->rule.ra = initial->rule.ra;
		row->ra_undefined = initial->ra_undefined;
	}
}

struct machine {
	const struct fde *fde;
	uintptr_t at;			/* address the row is for */
	struct row row, initial;
	struct row remembered[REMEMBER_MAX];
	unsigned nremembered;
};

static void
set_undefined(struct row *row, uint64_t reg)
{
	if (reg == REG_RA)
		row->ra_undefined = true;
	else if (reg == REG_FP)
		set_save(row, reg, CFI_SAME, 0);
}

/* The instructions whose first two bits are 0; false: unknown to us. */
static bool
step_extended(struct machine *m, struct bytes *b, uint8_t op)
{
	struct row *row = &m->row;
	int64_t data = m->fde->data_align;
	uint64_t reg;

	switch (op) {
	case 0x00:				/* nop */
		break;
	case 0x01:				/* set_loc: only old objects */
		return false;
	case 0x02:				/* advance_loc1, 2, 4 */
		m->at += fixed(b, 1) * m->fde->code_align;
		break;
	case 0x03:
		m->at += fixed(b, 2) * m->fde->code_align;
		break;
	case 0x04:
		m->at += fixed(b, 4) * m->fde->code_align;
		break;
	case 0x05:				/* offset_extended */
		reg = uleb(b);
		set_save(row, reg, CFI_AT_CFA, (int64_t)uleb(b) * data);
		break;
	case 0x06:				/* restore_extended */
		restore(row, &m->initial, uleb(b));
		break;
	case 0x07:				/* undefined */
		set_undefined(row, uleb(b));
		break;
	case 0x08:				/* same_value */
		set_save(row, uleb(b), CFI_SAME, 0);
		break;
	case 0x09:				/* register */
		reg = uleb(b);
		uleb(b);
		row->hard |= reg == REG_FP || reg == REG_RA;
		break;
	case 0x0a:				/* remember_state */
		if (m->nremembered == REMEMBER_MAX)
			return false;
		m->remembered[m->nremembered++] = *row;
		break;
	case 0x0b:				/* restore_state */
		if (m->nremembered == 0)
			return false;
		*row = m->remembered[--m->nremembered];
		break;
	case 0x0c:				/* def_cfa */
		reg = uleb(b);
		set_cfa(row, reg, (int64_t)uleb(b));
		break;
	case 0x0d:				/* def_cfa_register */
		set_cfa(row, uleb(b), row->rule.cfa);
		break;
	case 0x0e:				/* def_cfa_offset */
		set_cfa_offset(row, (int64_t)uleb(b));
		break;
	case 0x0f:				/* def_cfa_expression */
		cfa_by_expression(row, b);
		break;
	case 0x10:				/* expression */
		save_by_expression(row, b);
		break;
	case 0x11:				/* offset_extended_sf */
		reg = uleb(b);
		set_save(row, reg, CFI_AT_CFA, sleb(b) * data);
		break;
	case 0x12:				/* def_cfa_sf */
		reg = uleb(b);
		set_cfa(row, reg, sleb(b) * data);
		break;
	case 0x13:				/* def_cfa_offset_sf */
		set_cfa_offset(row, sleb(b) * data);
		break;
	case 0x16:				/* val_expression */
		reg = uleb(b);
		skip(b, uleb(b));
		row->hard |= reg == REG_FP || reg == REG_RA;
		break;
	case 0x2d:	/* aarch64: the return address is signed from here */
		break;
	case 0x2e:				/* GNU_args_size */
		uleb(b);
		break;
	default:
		return false;
	}
	return true;
}

/* Runs the instructions up to pc. */
static bool
run(struct machine *m, struct bytes b, uintptr_t pc)
{
	while (b.at < b.end && !b.bad && m->at <= pc) {
		uint8_t op = (uint8_t)fixed(&b, 1), low = op & 0x3f;

		switch (op >> 6) {
		case 1:				/* advance_loc */
			m->at += low * m->fde->code_align;
			break;
		case 2:				/* offset */
			set_save(&m->row, low, CFI_AT_CFA,
			    (int64_t)uleb(&b) * m->fde->data_align);
			break;
		case 3:				/* restore */
			restore(&m->row, &m->initial, low);
			break;
		default:
			/* an advance past pc must not be followed */
			if (!step_extended(m, &b, low))
				return false;
		}
	}
	return !b.bad;
}

static void
finish(struct machine *m, struct cfi_rule *out)
{
	*out = m->row.rule;
	if (m->row.ra_undefined)
		out->kind = CFI_END;
	else if (m->fde->signal)
		out->kind = CFI_SIGNAL;
	else if (m->row.hard || out->kind == CFI_UNKNOWN)
		out->kind = CFI_HARD;
#if defined(__x86_64__)
	else if (out->ra_save == CFI_SAME)
		out->kind = CFI_HARD;
#endif
}

/*
 * pc is on a stack, so its module stays where it is while we read; but the
 * list may be of before, if the module that it names was closed unseen.
 */
static bool
is_there(const struct module *module, uintptr_t pc)
{
	return module->is_main || module->is_vdso || modules_verify(&pc, 1);
}

void
cfi_find(uintptr_t pc, struct cfi_rule *out)
{
	const struct module *module = modules_at_pc(pc);
	struct machine m = { .at = 0 };
	uintptr_t hdr, address;
	struct fde fde;

	*out = (struct cfi_rule){ .kind = CFI_UNKNOWN };
	if (module == NULL || !is_there(module, pc))
		return;
	address = find_hdr(module, &hdr) ? search(module, hdr, pc) :
	    scan(module, pc);
	if (address == 0)
		return;
	if (!parse_fde(module, address, &fde)) {
		out->kind = CFI_HARD;
		return;
	}
	if (pc < fde.function || pc - fde.function >= fde.size)
		return;
	m.fde = &fde;
	if (!run(&m, fde.cie_code, UINTPTR_MAX)) {
		out->kind = CFI_HARD;
		return;
	}
	m.initial = m.row;
	m.at = fde.function;
	if (!run(&m, fde.code, pc)) {
		out->kind = CFI_HARD;
		return;
	}
	finish(&m, out);
}
