/*
 * dwarf_lines.c - addresses to functions, files, lines and inlined frames.
 *
 *   compile units --ranges--> only those that cover a wanted address
 *     line table             address -> file, line of the innermost frame
 *     subprograms --ranges-->  only those that cover a wanted address
 *       inlined_subroutine...  the frames in it, with the line of each call
 *
 * A name may stand at an entry, at what it is an instance of
 * (DW_AT_abstract_origin) or at what it completes (DW_AT_specification);
 * references into a file of dwz's (DW_FORM_GNU_ref_alt) lead nowhere here,
 * and the caller falls back to the symbol table.
 *
 * Errors of libdwarf come to ignore_error; a call that fails yields nothing.
 */
#include "dwarf_lines.h"

#include <dwarf.h>
#include <libdwarf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

enum {
	NAME_DEPTH = 16,		/* references followed for one name */
	BLOCK_DEPTH = 64,		/* nested blocks and inlined calls */
};

struct line_row {
	uint64_t vaddr;
	uint32_t order;			/* in the table */
	uint32_t line;
	uint32_t file;
	bool is_end;			/* one past a sequence */
};

/* A subprogram that covers wanted addresses. */
struct function {
	uint64_t low, high;
	Dwarf_Off die;
};

struct unit {
	Dwarf_Die die;
	struct line_row *rows;
	size_t nrows;
	char **files;
	Dwarf_Signed nfiles, first_file;	/* number of files[0] */
	struct function *functions;
	size_t nfunctions, functions_capacity;
	bool is_rust;
};

/* The name of an entry, kept by its offset. */
struct named {
	Dwarf_Off die;
	const char *name, *linkage;
	int64_t start_line;
};

struct reader {
	Dwarf_Debug dbg;
	struct strpool *pool;
	struct symbol *symbols;
	size_t n, filled;
	struct named *named;
	size_t nnamed, named_capacity;
	struct table named_table;
	Dwarf_Off *units;		/* that cover wanted addresses */
	size_t nunits, units_capacity;
};

static void
ignore_error(Dwarf_Error error, Dwarf_Ptr context)
{
	struct reader *r = context;

	if (r->dbg != NULL)
		dwarf_dealloc_error(r->dbg, error);
}

/* --- wanted addresses --------------------------------------------------- */

/* The first symbol at or after an address. */
static size_t
first_symbol(const struct reader *r, uint64_t vaddr)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (r->symbols[middle].vaddr < vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
is_wanted(const struct reader *r, uint64_t low, uint64_t high)
{
	size_t i = first_symbol(r, low);

	return i < r->n && r->symbols[i].vaddr < high;
}

/* --- attributes --------------------------------------------------------- */

static bool
number_of(struct reader *r, Dwarf_Die die, Dwarf_Half attribute,
    uint64_t *out)
{
	Dwarf_Attribute attr;
	Dwarf_Unsigned value;
	Dwarf_Signed constant;
	bool good;

	if (dwarf_attr(die, attribute, &attr, NULL) != DW_DLV_OK)
		return false;
	good = dwarf_formudata(attr, &value, NULL) == DW_DLV_OK;
	/* libdwarf has DW_FORM_implicit_const as signed only. */
	if (!good && dwarf_formsdata(attr, &constant, NULL) == DW_DLV_OK &&
	    constant >= 0) {
		value = (Dwarf_Unsigned)constant;
		good = true;
	}
	dwarf_dealloc_attribute(attr);
	if (good)
		*out = value;
	return good;
}

/* The entry that an attribute refers to, in this file. */
static bool
reference_of(struct reader *r, Dwarf_Die die, Dwarf_Half attribute,
    Dwarf_Off *out)
{
	Dwarf_Attribute attr;
	Dwarf_Half form = 0;
	Dwarf_Off offset;
	bool good;

	if (dwarf_attr(die, attribute, &attr, NULL) != DW_DLV_OK)
		return false;
	good = dwarf_whatform(attr, &form, NULL) == DW_DLV_OK &&
	    form != DW_FORM_GNU_ref_alt && form != DW_FORM_ref_sup4 &&
	    form != DW_FORM_ref_sup8 && form != DW_FORM_ref_sig8 &&
	    dwarf_global_formref(attr, &offset, NULL) == DW_DLV_OK;
	dwarf_dealloc_attribute(attr);
	if (good)
		*out = offset;
	return good;
}

static const char *
text_of(struct reader *r, Dwarf_Die die, Dwarf_Half attribute)
{
	char *text;

	if (dwarf_die_text(die, attribute, &text, NULL) != DW_DLV_OK)
		return "";
	return strpool_add(r->pool, text);
}

/* --- ranges ------------------------------------------------------------- */

/* Called with each range of an entry. Returns true to stop. */
typedef bool take_range(void *context, uint64_t low, uint64_t high);

static bool
each_rnglist(Dwarf_Attribute attr, Dwarf_Half form, Dwarf_Unsigned value,
    take_range *take, void *context)
{
	Dwarf_Unsigned n, offset;
	Dwarf_Rnglists_Head head;
	bool stop = false;

	if (dwarf_rnglists_get_rle_head(attr, form, value, &head, &n, &offset,
	    NULL) != DW_DLV_OK)
		return false;
	for (Dwarf_Unsigned i = 0; !stop && i < n; i++) {
		Dwarf_Unsigned raw1, raw2, low = 0, high = 0;
		unsigned length, code;

		if (dwarf_get_rnglists_entry_fields(head, i, &length, &code,
		    &raw1, &raw2, &low, &high, NULL) != DW_DLV_OK ||
		    code == DW_RLE_end_of_list)
			break;
		if (code != DW_RLE_base_address &&
		    code != DW_RLE_base_addressx && low < high)
			stop = take(context, low, high);
	}
	dwarf_dealloc_rnglists_head(head);
	return stop;
}

static bool
each_old_range(struct reader *r, Dwarf_Die die, uint64_t base,
    Dwarf_Off offset, take_range *take, void *context)
{
	Dwarf_Ranges *ranges;
	Dwarf_Signed n;
	bool stop = false;

	if (dwarf_get_ranges_b(r->dbg, offset, die, NULL, &ranges, &n, NULL,
	    NULL) != DW_DLV_OK)
		return false;
	for (Dwarf_Signed i = 0; !stop && i < n; i++) {
		const Dwarf_Ranges *range = &ranges[i];

		if (range->dwr_type == DW_RANGES_END)
			break;
		if (range->dwr_type == DW_RANGES_ADDRESS_SELECTION)
			base = range->dwr_addr2;
		else if (range->dwr_addr1 < range->dwr_addr2)
			stop = take(context, range->dwr_addr1 + base,
			    range->dwr_addr2 + base);
	}
	dwarf_ranges_dealloc(r->dbg, ranges, n);
	return stop;
}

static bool
each_listed_range(struct reader *r, Dwarf_Die die, uint64_t base,
    Dwarf_Attribute attr, take_range *take, void *context)
{
	Dwarf_Half version = 0, offset_size = 0, form = 0;
	Dwarf_Unsigned value = 0;
	Dwarf_Off offset = 0;

	if (dwarf_get_version_of_die(die, &version, &offset_size) !=
	    DW_DLV_OK || dwarf_whatform(attr, &form, NULL) != DW_DLV_OK)
		return false;
	if (form == DW_FORM_rnglistx || form == DW_FORM_data4 ||
	    form == DW_FORM_data8) {
		if (dwarf_formudata(attr, &value, NULL) != DW_DLV_OK)
			return false;
	} else {
		if (dwarf_global_formref(attr, &offset, NULL) != DW_DLV_OK)
			return false;
		value = offset;
	}
	if (version >= 5)
		return each_rnglist(attr, form, value, take, context);
	return each_old_range(r, die, base, value, take, context);
}

static bool
low_high(Dwarf_Die die, uint64_t *low, uint64_t *high)
{
	enum Dwarf_Form_Class class = DW_FORM_CLASS_UNKNOWN;
	Dwarf_Addr from, to;
	Dwarf_Half form;

	if (dwarf_lowpc(die, &from, NULL) != DW_DLV_OK ||
	    dwarf_highpc_b(die, &to, &form, &class, NULL) != DW_DLV_OK)
		return false;
	*low = from;
	*high = class == DW_FORM_CLASS_CONSTANT ? from + to : to;
	return *low < *high;
}

/*
 * Calls take() with each range of an entry. base is the unit's low_pc. True
 * if take() stopped. *has says whether the entry has any ranges at all.
 */
static bool
each_range(struct reader *r, Dwarf_Die die, uint64_t base, bool *has,
    take_range *take, void *context)
{
	Dwarf_Attribute attr;
	uint64_t low, high;
	bool stop;

	*has = true;
	if (dwarf_attr(die, DW_AT_ranges, &attr, NULL) == DW_DLV_OK) {
		stop = each_listed_range(r, die, base, attr, take, context);
		dwarf_dealloc_attribute(attr);
		return stop;
	}
	if (low_high(die, &low, &high))
		return take(context, low, high);
	*has = false;
	return false;
}

static uint64_t
base_of(Dwarf_Die unit)
{
	Dwarf_Addr low;

	return dwarf_lowpc(unit, &low, NULL) == DW_DLV_OK ? low : 0;
}

/* --- names -------------------------------------------------------------- */

static bool
named_equal(const void *context, uint32_t index, const void *key)
{
	const struct reader *r = context;

	return r->named[index].die == *(const Dwarf_Off *)key;
}

/* Takes what an entry says, and finds where to look for the rest. */
static bool
complete_name(struct reader *r, struct named *named, Dwarf_Off offset,
    Dwarf_Off *next)
{
	uint64_t line;
	Dwarf_Die die;
	bool more;

	if (dwarf_offdie_b(r->dbg, offset, true, &die, NULL) != DW_DLV_OK)
		return false;
	if (*named->linkage == '\0')
		named->linkage = text_of(r, die, DW_AT_linkage_name);
	if (*named->linkage == '\0')
		named->linkage = text_of(r, die, DW_AT_MIPS_linkage_name);
	if (*named->name == '\0')
		named->name = text_of(r, die, DW_AT_name);
	if (named->start_line == 0 &&
	    number_of(r, die, DW_AT_decl_line, &line))
		named->start_line = (int64_t)line;
	more = reference_of(r, die, DW_AT_abstract_origin, next) ||
	    reference_of(r, die, DW_AT_specification, next);
	dwarf_dealloc_die(die);
	return more;
}

static struct named
name_of(struct reader *r, Dwarf_Off die)
{
	struct named named = { die, "", "", 0 };
	uint64_t hash = table_hash(&die, sizeof die, 0);
	uint32_t found = table_find(&r->named_table, hash, named_equal, r,
	    &die);
	Dwarf_Off at = die;

	if (found != TABLE_NONE)
		return r->named[found];
	for (int i = 0; i < NAME_DEPTH; i++)
		if (!complete_name(r, &named, at, &at))
			break;
	r->named = xgrow(r->named, r->nnamed, &r->named_capacity,
	    sizeof *r->named);
	table_insert(&r->named_table, hash, (uint32_t)r->nnamed);
	r->named[r->nnamed++] = named;
	return named;
}

/* --- the line table of a unit ------------------------------------------- */

static int
compare_rows(const void *a, const void *b)
{
	const struct line_row *x = a, *y = b;

	if (x->vaddr != y->vaddr)
		return x->vaddr < y->vaddr ? -1 : 1;
	if (x->is_end != y->is_end)
		return x->is_end ? -1 : 1;	/* the next sequence begins */
	return (x->order > y->order) - (x->order < y->order);
}

static void
add_line_row(struct unit *unit, Dwarf_Line line)
{
	struct line_row *row = &unit->rows[unit->nrows];
	Dwarf_Unsigned number = 0, file = 0;
	Dwarf_Bool is_end = false;
	Dwarf_Addr vaddr;

	if (dwarf_lineaddr(line, &vaddr, NULL) != DW_DLV_OK ||
	    dwarf_lineendsequence(line, &is_end, NULL) != DW_DLV_OK)
		return;
	dwarf_lineno(line, &number, NULL);
	dwarf_line_srcfileno(line, &file, NULL);
	*row = (struct line_row){ vaddr, (uint32_t)unit->nrows,
	    (uint32_t)number, (uint32_t)file, is_end };
	unit->nrows++;
}

static void
load_lines(struct unit *unit)
{
	Dwarf_Line_Context context;
	Dwarf_Signed count = 0, n = 0, end = 0;
	Dwarf_Unsigned version;
	Dwarf_Small tables;
	Dwarf_Line *lines;

	if (dwarf_srclines_b(unit->die, &version, &tables, &context, NULL) !=
	    DW_DLV_OK)
		return;
	if (dwarf_srclines_files_indexes(context, &unit->first_file, &count,
	    &end, NULL) != DW_DLV_OK)
		unit->first_file = version >= 5 ? 0 : 1;
	if (dwarf_srclines_from_linecontext(context, &lines, &n, NULL) ==
	    DW_DLV_OK && n > 0) {
		unit->rows = xcalloc((size_t)n, sizeof *unit->rows);
		for (Dwarf_Signed i = 0; i < n; i++)
			add_line_row(unit, lines[i]);
		qsort(unit->rows, unit->nrows, sizeof *unit->rows,
		    compare_rows);
	}
	dwarf_srclines_dealloc_b(context);
	if (dwarf_srcfiles(unit->die, &unit->files, &unit->nfiles, NULL) !=
	    DW_DLV_OK)
		unit->nfiles = 0;
}

static const char *
file_of(struct reader *r, const struct unit *unit, uint64_t number)
{
	uint64_t index = number - (uint64_t)unit->first_file;

	if (number < (uint64_t)unit->first_file ||
	    index >= (uint64_t)unit->nfiles)
		return "";
	return strpool_add(r->pool, unit->files[index]);
}

/* The last row at or before an address, unless its sequence has ended. */
static const struct line_row *
row_of(const struct unit *unit, uint64_t vaddr)
{
	size_t low = 0, high = unit->nrows;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (unit->rows[middle].vaddr <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 || unit->rows[low - 1].is_end ? NULL :
	    &unit->rows[low - 1];
}

/* --- the functions of a unit -------------------------------------------- */

struct function_search {
	struct reader *r;
	struct unit *unit;
	Dwarf_Off die;
};

static bool
note_function(void *context, uint64_t low, uint64_t high)
{
	struct function_search *search = context;
	struct unit *unit = search->unit;

	if (!is_wanted(search->r, low, high))
		return false;
	unit->functions = xgrow(unit->functions, unit->nfunctions,
	    &unit->functions_capacity, sizeof *unit->functions);
	unit->functions[unit->nfunctions++] = (struct function){ low, high,
	    search->die };
	return false;
}

static bool
holds_functions(const struct unit *unit, Dwarf_Half tag)
{
	if (tag == DW_TAG_namespace || tag == DW_TAG_module)
		return true;
	return unit->is_rust && (tag == DW_TAG_structure_type ||
	    tag == DW_TAG_enumeration_type || tag == DW_TAG_union_type);
}

static void find_functions(struct reader *r, struct unit *unit,
    Dwarf_Die parent, int depth);

static void
look_at_child(struct reader *r, struct unit *unit, Dwarf_Die die, int depth)
{
	struct function_search search = { r, unit, 0 };
	Dwarf_Half tag;
	bool has;

	if (dwarf_tag(die, &tag, NULL) != DW_DLV_OK)
		return;
	if (holds_functions(unit, tag) && depth < BLOCK_DEPTH)
		find_functions(r, unit, die, depth + 1);
	if (tag != DW_TAG_subprogram ||
	    dwarf_dieoffset(die, &search.die, NULL) != DW_DLV_OK)
		return;
	each_range(r, die, base_of(unit->die), &has, note_function, &search);
}

/* Steps to the next entry beside one, which it frees. False at the end. */
static bool
step(struct reader *r, Dwarf_Die *die)
{
	Dwarf_Die next;
	bool good = dwarf_siblingof_b(r->dbg, *die, true, &next, NULL) ==
	    DW_DLV_OK;

	dwarf_dealloc_die(*die);
	if (good)
		*die = next;
	return good;
}

static void
find_functions(struct reader *r, struct unit *unit, Dwarf_Die parent,
    int depth)
{
	Dwarf_Die die;

	if (dwarf_child(parent, &die, NULL) != DW_DLV_OK)
		return;
	do
		look_at_child(r, unit, die, depth);
	while (step(r, &die));
}

/* --- the frames at an address ------------------------------------------- */

struct frame {
	Dwarf_Off die;
	uint64_t call_file, call_line;	/* where it was inlined */
};

struct chain {
	uint64_t vaddr;
	struct frame frames[BLOCK_DEPTH + 1];	/* outermost first */
	int n;
};

static bool
covers(void *context, uint64_t low, uint64_t high)
{
	uint64_t vaddr = *(const uint64_t *)context;

	return vaddr >= low && vaddr < high;
}

/* True if the entry is one to look into; an inlined call is noted. */
static bool
enter_block(struct reader *r, const struct unit *unit, Dwarf_Die die,
    struct chain *chain)
{
	struct frame frame = { 0 };
	Dwarf_Half tag;
	bool has;

	if (dwarf_tag(die, &tag, NULL) != DW_DLV_OK ||
	    (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_lexical_block))
		return false;
	if (!each_range(r, die, base_of(unit->die), &has, covers,
	    &chain->vaddr))
		return !has && tag == DW_TAG_lexical_block;
	if (tag == DW_TAG_lexical_block)
		return true;
	if (dwarf_dieoffset(die, &frame.die, NULL) != DW_DLV_OK)
		return false;
	number_of(r, die, DW_AT_call_file, &frame.call_file);
	number_of(r, die, DW_AT_call_line, &frame.call_line);
	chain->frames[chain->n++] = frame;
	return true;
}

/* Adds the inlined calls below an entry that cover the address. */
static void
find_inlined(struct reader *r, const struct unit *unit, Dwarf_Die parent,
    struct chain *chain, int depth)
{
	Dwarf_Die die;
	int before = chain->n;
	bool more;

	if (depth == BLOCK_DEPTH ||
	    dwarf_child(parent, &die, NULL) != DW_DLV_OK)
		return;
	do {
		if (enter_block(r, unit, die, chain))
			find_inlined(r, unit, die, chain, depth + 1);
		more = chain->n == before && step(r, &die);
	} while (more);
	if (chain->n != before)
		dwarf_dealloc_die(die);
}

/* The narrowest function around an address, or NULL. */
static const struct function *
function_of(const struct unit *unit, uint64_t vaddr)
{
	const struct function *best = NULL;

	for (size_t i = 0; i < unit->nfunctions; i++) {
		const struct function *f = &unit->functions[i];

		if (vaddr >= f->low && vaddr < f->high && (best == NULL ||
		    f->high - f->low < best->high - best->low))
			best = f;
	}
	return best;
}

static void
find_chain(struct reader *r, const struct unit *unit, struct chain *chain)
{
	const struct function *function = function_of(unit, chain->vaddr);
	Dwarf_Die die;

	if (function == NULL || dwarf_offdie_b(r->dbg, function->die, true,
	    &die, NULL) != DW_DLV_OK)
		return;
	chain->frames[chain->n++] = (struct frame){ function->die, 0, 0 };
	find_inlined(r, unit, die, chain, 0);
	dwarf_dealloc_die(die);
}

/* Innermost first; each frame's line is where the next inner one is called. */
static void
fill_symbol(struct reader *r, const struct unit *unit, struct symbol *symbol)
{
	struct chain chain = { .vaddr = symbol->vaddr };
	const struct line_row *row = row_of(unit, symbol->vaddr);
	uint64_t file, line;

	find_chain(r, unit, &chain);
	if (chain.n == 0 && row == NULL)
		return;
	file = row == NULL ? UINT64_MAX : row->file;
	line = row == NULL ? 0 : row->line;
	symbol->nlines = chain.n == 0 ? 1 : (uint32_t)chain.n;
	symbol->lines = xcalloc(symbol->nlines, sizeof *symbol->lines);
	for (uint32_t i = 0; i < symbol->nlines; i++) {
		struct frame frame = chain.n == 0 ? (struct frame){ 0 } :
		    chain.frames[chain.n - 1 - (int)i];
		struct named named = chain.n == 0 ? (struct named){ 0, "", "",
		    0 } : name_of(r, frame.die);

		symbol->lines[i] = (struct symbol_line){ named.name,
		    named.linkage, file_of(r, unit, file), (int64_t)line,
		    named.start_line };
		file = frame.call_file;
		line = frame.call_line;
	}
	r->filled++;
}

/* --- units -------------------------------------------------------------- */

/* Fills the symbols in one range of a unit. */
static bool
fill_range(void *context, uint64_t low, uint64_t high)
{
	struct function_search *search = context;
	struct reader *r = search->r;

	for (size_t i = first_symbol(r, low);
	    i < r->n && r->symbols[i].vaddr < high; i++)
		if (r->symbols[i].nlines == 0)
			fill_symbol(r, search->unit, &r->symbols[i]);
	return false;
}

static void
unit_free(struct reader *r, struct unit *unit)
{
	for (Dwarf_Signed i = 0; i < unit->nfiles; i++)
		dwarf_dealloc(r->dbg, unit->files[i], DW_DLA_STRING);
	if (unit->nfiles > 0)
		dwarf_dealloc(r->dbg, unit->files, DW_DLA_LIST);
	free(unit->rows);
	free(unit->functions);
	dwarf_dealloc_die(unit->die);
}

static void
read_unit(struct reader *r, Dwarf_Off offset)
{
	struct unit unit = { 0 };
	struct function_search search = { r, &unit, offset };
	Dwarf_Unsigned language;
	bool has;

	if (dwarf_offdie_b(r->dbg, offset, true, &unit.die, NULL) !=
	    DW_DLV_OK)
		return;
	unit.is_rust = dwarf_srclang(unit.die, &language, NULL) ==
	    DW_DLV_OK && language == DW_LANG_Rust;
	load_lines(&unit);
	find_functions(r, &unit, unit.die, 0);
	each_range(r, unit.die, base_of(unit.die), &has, fill_range, &search);
	unit_free(r, &unit);
}

static bool
wants(void *context, uint64_t low, uint64_t high)
{
	return is_wanted(context, low, high);
}

static void
note_unit(struct reader *r, Dwarf_Die die)
{
	Dwarf_Off offset;
	bool has;

	if (!each_range(r, die, base_of(die), &has, wants, r) ||
	    dwarf_dieoffset(die, &offset, NULL) != DW_DLV_OK)
		return;
	r->units = xgrow(r->units, r->nunits, &r->units_capacity,
	    sizeof *r->units);
	r->units[r->nunits++] = offset;
}

static void
find_units(struct reader *r)
{
	Dwarf_Unsigned length, type_offset, next;
	Dwarf_Half version, address, offset, extension, type;
	Dwarf_Off abbreviations;
	Dwarf_Sig8 signature;

	while (dwarf_next_cu_header_d(r->dbg, true, &length, &version,
	    &abbreviations, &address, &offset, &extension, &signature,
	    &type_offset, &next, &type, NULL) == DW_DLV_OK) {
		Dwarf_Die die;

		if (dwarf_siblingof_b(r->dbg, NULL, true, &die, NULL) !=
		    DW_DLV_OK)
			continue;
		note_unit(r, die);
		dwarf_dealloc_die(die);
	}
}

size_t
dwarf_lines(const char *path, struct symbol *symbols, size_t n,
    struct strpool *pool)
{
	struct reader r = { .pool = pool, .symbols = symbols, .n = n };
	Dwarf_Error error = NULL;

	/* Without a place for the error, a failing start aborts. */
	if (dwarf_init_path(path, NULL, 0, DW_DLC_READ, DW_GROUPNUMBER_ANY,
	    ignore_error, &r, &r.dbg, NULL, 0, NULL, &error) != DW_DLV_OK) {
		if (error != NULL)
			dwarf_dealloc(NULL, error, DW_DLA_ERROR);
		return 0;
	}
	find_units(&r);
	for (size_t i = 0; i < r.nunits; i++)
		read_unit(&r, r.units[i]);
	dwarf_finish(r.dbg, NULL);
	table_free(&r.named_table);
	free(r.named);
	free(r.units);
	return r.filled;
}
