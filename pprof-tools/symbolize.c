/*
 * symbolize.c - gives the locations of a model their functions and lines.
 *
 *   locations --group--> modules (file, build id), each with the offsets in
 *   its file that are wanted
 *   module --cache--> done, if the cache knows all of them
 *          --files--> binary, separate debug file --> DWARF, symbol table
 *
 * The offset in the module's file is what survives from process to process;
 * the cache knows addresses by it. For DWARF it becomes the file's own
 * address, by the program headers of the binary.
 */
#include "symbolize.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "demangle.h"
#include "dwarf_child.h"
#include "elf_file.h"
#include "symcache.h"
#include "term.h"
#include "xalloc.h"

/* One address of a module. */
struct wanted {
	uint64_t offset;		/* in the module's file */
	uint64_t distance;		/* from its executable mapping's page */
	uint64_t vaddr;			/* by the program headers */
	uint32_t location;		/* of the model */
	struct symbol symbol;		/* vaddr: as above */
};

struct module {
	const char *file, *build_id;	/* the model's */
	struct wanted *wanted;		/* sorted by offset */
	size_t n, capacity;
	struct elf_file *binary, *debug;	/* NULL: there is none */
	char *binary_path, *debug_path;
	enum symbolize_state state;
	bool cached;
	bool unread;			/* its DWARF: another try may do */
};

struct symbolizer {
	struct model *model;
	struct symbolize_options options;
	char *cache_dir;		/* NULL: no cache */
	struct strpool pool;
	struct module *modules;
	size_t nmodules, capacity;
};

static const char *const default_debug_dirs[] = { "/usr/lib/debug" };

/* --- modules ------------------------------------------------------------ */

static bool
is_file_name(const char *file)
{
	return file[0] == '/' && strncmp(file, "//", 2) != 0 &&
	    strncmp(file, "/memfd:", 7) != 0 &&
	    strncmp(file, "/dev/zero", 9) != 0;
}

static struct module *
module_of(struct symbolizer *s, const struct model_mapping *mapping)
{
	for (size_t i = 0; i < s->nmodules; i++)
		if (s->modules[i].file == mapping->file &&
		    s->modules[i].build_id == mapping->build_id)
			return &s->modules[i];
	s->modules = xgrow(s->modules, s->nmodules, &s->capacity,
	    sizeof *s->modules);
	s->modules[s->nmodules] = (struct module){ .file = mapping->file,
	    .build_id = mapping->build_id };
	return &s->modules[s->nmodules++];
}

static void
want(struct symbolizer *s, uint32_t index)
{
	const struct model_location *place = &s->model->locations[index];
	const struct model_mapping *mapping;
	struct module *module;

	if (place->nlines > 0 || place->mapping == MODEL_NONE)
		return;
	mapping = &s->model->mappings[place->mapping];
	module = module_of(s, mapping);
	module->wanted = xgrow(module->wanted, module->n, &module->capacity,
	    sizeof *module->wanted);
	module->wanted[module->n++] = (struct wanted){
		.offset = model_location_offset(s->model, index),
		.distance = place->address -
		    (mapping->start & ~(uint64_t)4095),
		.location = index,
	};
}

static int
compare_offsets(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* --- files -------------------------------------------------------------- */

/* A build id that the file may be asked for: none means any. */
static bool
same_build(const struct elf_file *elf, const char *build_id)
{
	return *build_id == '\0' ||
	    strcasecmp(elf_build_id(elf), build_id) == 0;
}

/* Tries one path as the module's binary; notes why not. */
static bool
try_binary(struct module *module, char *path, bool only_by_build_id)
{
	struct elf_file *elf;
	int error = elf_open(path, &elf);

	if (error == 0 && same_build(elf, module->build_id) &&
	    !(only_by_build_id && *module->build_id == '\0')) {
		module->binary = elf;
		module->binary_path = path;
		return true;
	}
	if (error == 0) {
		elf_close(elf);
		module->state = SYMBOLIZE_MISMATCH;
	} else if (error == EINVAL && module->state == SYMBOLIZE_MISSING) {
		module->state = SYMBOLIZE_DAMAGED;
	}
	free(path);
	return false;
}

static const char *
base_name(const char *path)
{
	return strrchr(path, '/') == NULL ? path : strrchr(path, '/') + 1;
}

/* The kernel marks a file that was replaced; its successor is another. */
static char *
without_deleted(const char *file, bool *deleted)
{
	static const char mark[] = " (deleted)";
	size_t n = strlen(file), m = sizeof mark - 1;

	*deleted = n > m && strcmp(file + n - m, mark) == 0;
	return xstrndup(file, *deleted ? n - m : n);
}

static void
find_binary(const struct symbolizer *s, struct module *module)
{
	const char *root = s->options.root == NULL ? "" : s->options.root;
	bool deleted, found = false;
	char *file = without_deleted(module->file, &deleted);

	/* What the user names comes first. */
	for (size_t i = 0; !found && i < s->options.nsearch; i++)
		found = try_binary(module, xasprintf("%s/%s",
		    s->options.search[i], base_name(file)), false);
	if (!found && (!deleted || *module->build_id != '\0'))
		try_binary(module, xasprintf("%s%s", root, file), deleted);
	free(file);
}

static bool
try_debug(struct module *module, char *path, const char *build_id,
    const uint32_t *crc)
{
	struct elf_file *elf;

	if (elf_open(path, &elf) == 0) {
		if ((*build_id != '\0' ? strcasecmp(elf_build_id(elf),
		    build_id) == 0 : crc != NULL && elf_crc(elf) == *crc) &&
		    (elf_has_dwarf(elf) || elf_has_symbols(elf))) {
			module->debug = elf;
			module->debug_path = path;
			return true;
		}
		elf_close(elf);
	}
	free(path);
	return false;
}

/* DIR/.build-id/ab/cdef.debug */
static bool
try_build_id(const struct symbolizer *s, struct module *module,
    const char *build_id)
{
	const char *root = s->options.root == NULL ? "" : s->options.root;

	if (strlen(build_id) < 4 || strchr(build_id, '/') != NULL)
		return false;
	for (size_t i = 0; i < s->options.ndebug_dirs; i++) {
		const char *dir = s->options.debug_dirs[i];

		if (try_debug(module, xasprintf("%s/.build-id/%.2s/%s.debug",
		    dir, build_id, build_id + 2), build_id, NULL) ||
		    (*root != '\0' && try_debug(module,
		    xasprintf("%s%s/.build-id/%.2s/%s.debug", root, dir,
		    build_id, build_id + 2), build_id, NULL)))
			return true;
	}
	return false;
}

/* What .gnu_debuglink names: beside the binary, or in a debug folder. */
static void
try_debuglink(const struct symbolizer *s, struct module *module)
{
	const char *id = elf_build_id(module->binary);
	uint32_t crc;
	const char *name = elf_debuglink(module->binary, &crc);
	int dir = (int)(base_name(module->binary_path) - module->binary_path);
	bool found;

	if (name == NULL)
		return;
	found = try_debug(module, xasprintf("%.*s%s", dir,
	    module->binary_path, name), id, &crc) ||
	    try_debug(module, xasprintf("%.*s.debug/%s", dir,
	    module->binary_path, name), id, &crc);
	for (size_t i = 0; !found && i < s->options.ndebug_dirs; i++)
		found = try_debug(module, xasprintf("%s%.*s%s",
		    s->options.debug_dirs[i], dir, module->binary_path, name),
		    id, &crc);
}

static void
find_files(const struct symbolizer *s, struct module *module)
{
	find_binary(s, module);
	if (module->binary != NULL && elf_has_dwarf(module->binary))
		return;
	if (try_build_id(s, module, *module->build_id != '\0' ||
	    module->binary == NULL ? module->build_id :
	    elf_build_id(module->binary)))
		return;
	if (module->binary != NULL)
		try_debuglink(s, module);
}

/* --- the cache ---------------------------------------------------------- */

/* Of the files as they are now; 0 if none of them is here. */
static uint64_t
fingerprint(const struct module *module)
{
	const char *const paths[] = { module->binary_path,
	    module->debug_path };
	uint64_t hash = 0;

	for (size_t i = 0; i < 2; i++) {
		struct stat status;

		if (paths[i] == NULL || stat(paths[i], &status) != 0)
			continue;
		hash = table_hash(paths[i], strlen(paths[i]), hash);
		hash = table_hash(&status.st_size, sizeof status.st_size,
		    hash);
		hash = table_hash(&status.st_mtim, sizeof status.st_mtim,
		    hash);
	}
	return hash;
}

static int
compare_symbols(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return (x->vaddr > y->vaddr) - (x->vaddr < y->vaddr);
}

static struct symbol *
find_symbol(const struct symcache *cache, uint64_t offset)
{
	struct symbol key = { .vaddr = offset };

	return cache->n == 0 ? NULL : bsearch(&key, cache->symbols, cache->n,
	    sizeof *cache->symbols, compare_symbols);
}

/* Moves what the cache knows into the module. True if it knows everything. */
static bool
take_cached(struct module *module, struct symcache *cache)
{
	for (size_t i = 0; i < module->n; i++)
		if (find_symbol(cache, module->wanted[i].offset) == NULL)
			return false;
	for (size_t i = 0; i < module->n; i++) {
		const struct symbol *from = find_symbol(cache,
		    module->wanted[i].offset);
		struct symbol *to = &module->wanted[i].symbol;

		to->nlines = from->nlines;
		to->lines = xcalloc(to->nlines, sizeof *to->lines);
		if (to->nlines > 0)
			memcpy(to->lines, from->lines,
			    to->nlines * sizeof *to->lines);
	}
	return true;
}

/* Whatever the cache has, if the module's files are not here. */
static bool
take_cached_part(struct module *module, struct symcache *cache)
{
	bool any = false;

	for (size_t i = 0; i < module->n; i++) {
		struct symbol *from = find_symbol(cache,
		    module->wanted[i].offset);
		struct symbol *to = &module->wanted[i].symbol;

		if (from == NULL || to->nlines > 0)
			continue;
		to->nlines = from->nlines;
		to->lines = xcalloc(to->nlines, sizeof *to->lines);
		if (to->nlines > 0)
			memcpy(to->lines, from->lines,
			    to->nlines * sizeof *to->lines);
		any = any || to->nlines > 0;
	}
	return any;
}

/* The old entries and the module's own, which win. */
static void
save_cache(const struct symbolizer *s, const struct module *module,
    const struct symcache *old, bool keep_old)
{
	struct symcache all = { .source = fingerprint(module),
	    .has_lines = module->state == SYMBOLIZE_LINES };
	size_t kept = 0;

	all.symbols = xcalloc(module->n + old->n, sizeof *all.symbols);
	for (size_t i = 0; i < module->n; i++) {
		if (i > 0 && module->wanted[i].offset ==
		    module->wanted[i - 1].offset)
			continue;
		all.symbols[all.n] = module->wanted[i].symbol;
		all.symbols[all.n++].vaddr = module->wanted[i].offset;
	}
	kept = all.n;
	for (size_t i = 0; keep_old && i < old->n; i++) {
		struct symcache own = { .symbols = all.symbols, .n = kept };

		if (find_symbol(&own, old->symbols[i].vaddr) == NULL)
			all.symbols[all.n++] = old->symbols[i];
	}
	qsort(all.symbols, all.n, sizeof *all.symbols, compare_symbols);
	symcache_save(s->cache_dir, module->build_id, &all);
	free(all.symbols);		/* the lines are not ours */
}

/* --- names -------------------------------------------------------------- */

static void
find_vaddrs(struct module *module)
{
	for (size_t i = 0; i < module->n; i++) {
		struct wanted *wanted = &module->wanted[i];
		bool good = module->binary != NULL ?
		    elf_vaddr(module->binary, wanted->offset,
		    &wanted->vaddr) :
		    elf_code_vaddr(module->debug, wanted->distance,
		    &wanted->vaddr);

		if (!good)
			wanted->vaddr = UINT64_MAX;	/* is nowhere */
	}
}

/* Runs the DWARF reader over the module's addresses. True if it found any. */
static bool
add_lines(struct symbolizer *s, struct module *module, const char *path)
{
	struct symbol *symbols = xcalloc(module->n, sizeof *symbols);
	size_t n = 0;
	bool any = false;

	for (size_t i = 0; i < module->n; i++)
		symbols[i].vaddr = module->wanted[i].vaddr;
	qsort(symbols, module->n, sizeof *symbols, compare_symbols);
	for (size_t i = 0; i < module->n; i++)
		if (i == 0 || symbols[i].vaddr != symbols[n - 1].vaddr)
			symbols[n++] = symbols[i];
	module->unread = dwarf_child_lines(path, symbols, n, &s->pool) != 0;
	for (size_t i = 0; i < module->n; i++) {
		struct symcache found = { .symbols = symbols, .n = n };
		struct symbol *from = find_symbol(&found,
		    module->wanted[i].vaddr);
		struct symbol *to = &module->wanted[i].symbol;

		to->nlines = from->nlines;
		to->lines = xcalloc(from->nlines, sizeof *to->lines);
		if (to->nlines > 0)
			memcpy(to->lines, from->lines,
			    to->nlines * sizeof *to->lines);
		any = any || to->nlines > 0;
	}
	for (size_t i = 0; i < n; i++)
		free(symbols[i].lines);
	free(symbols);
	return any;
}

static const char *
symbol_name(const struct module *module, uint64_t vaddr)
{
	const char *name = NULL;

	if (module->debug != NULL)
		name = elf_symbol(module->debug, vaddr);
	if (name == NULL && module->binary != NULL)
		name = elf_symbol(module->binary, vaddr);
	return name;
}

/*
 * The outermost frame of every address is the function itself: where DWARF
 * says nothing of it, or not its linkage name, the symbol table does.
 */
static void
add_symbols(struct symbolizer *s, struct module *module)
{
	for (size_t i = 0; i < module->n; i++) {
		struct symbol *symbol = &module->wanted[i].symbol;
		struct symbol_line *line;
		const char *name;

		if (symbol->nlines > 0 &&
		    (*symbol->lines[symbol->nlines - 1].linkage != '\0' ||
		    *symbol->lines[symbol->nlines - 1].name != '\0'))
			continue;
		name = symbol_name(module, module->wanted[i].vaddr);
		if (name == NULL)
			continue;
		if (symbol->nlines == 0) {
			free(symbol->lines);
			symbol->lines = xcalloc(1, sizeof *symbol->lines);
			symbol->lines[0] = (struct symbol_line){ "", "", "",
			    0, 0 };
			symbol->nlines = 1;
		}
		line = &symbol->lines[symbol->nlines - 1];
		line->linkage = strpool_add(&s->pool, name);
	}
}

static void
resolve_files(struct symbolizer *s, struct module *module)
{
	const char *path = NULL;

	if (module->debug != NULL && elf_has_dwarf(module->debug))
		path = module->debug_path;
	else if (module->binary != NULL && elf_has_dwarf(module->binary))
		path = module->binary_path;
	find_vaddrs(module);
	if (path != NULL && add_lines(s, module, path))
		module->state = SYMBOLIZE_LINES;
	else if ((module->debug != NULL && elf_has_symbols(module->debug)) ||
	    (module->binary != NULL && elf_has_symbols(module->binary)))
		module->state = SYMBOLIZE_SYMBOLS;
	else
		module->state = SYMBOLIZE_NONAMES;
	add_symbols(s, module);
}

static void
resolve(struct symbolizer *s, struct module *module)
{
	struct symcache cache = { 0 };
	bool has_cache, here, fresh;

	module->state = SYMBOLIZE_NOT_A_FILE;
	if (!is_file_name(module->file))
		return;
	module->state = SYMBOLIZE_MISSING;
	qsort(module->wanted, module->n, sizeof *module->wanted,
	    compare_offsets);
	find_files(s, module);
	here = module->binary != NULL || module->debug != NULL;
	has_cache = s->cache_dir != NULL && symcache_load(s->cache_dir,
	    module->build_id, &s->pool, &cache) == 0;
	fresh = has_cache && here && cache.source == fingerprint(module);
	if ((fresh && take_cached(module, &cache)) || (has_cache && !here &&
	    take_cached_part(module, &cache))) {
		module->cached = true;
		module->state = cache.has_lines ? SYMBOLIZE_LINES :
		    SYMBOLIZE_SYMBOLS;
	} else if (here) {
		resolve_files(s, module);
		if (s->cache_dir != NULL && *module->build_id != '\0' &&
		    !module->unread)
			save_cache(s, module, &cache, fresh);
	}
	symcache_free(&cache);
}

/* --- into the model ----------------------------------------------------- */

static struct model_line
to_model_line(const struct symbolizer *s, const struct symbol_line *line,
    char **owned)
{
	const char *linkage = *line->linkage != '\0' ? line->linkage :
	    line->name;

	*owned = s->options.no_demangle ? NULL : demangle(linkage);
	return (struct model_line){
		.function = *owned != NULL ? *owned :
		    *line->name != '\0' && !s->options.no_demangle ?
		    line->name : linkage,
		.system_name = linkage, .file = line->file,
		.line = line->line, .start_line = line->start_line,
	};
}

static void
set_lines(struct symbolizer *s, const struct wanted *wanted)
{
	uint32_t n = wanted->symbol.nlines;
	struct model_line *lines = xcalloc(n, sizeof *lines);
	char **owned = xcalloc(n, sizeof *owned);

	for (uint32_t i = 0; i < n; i++)
		lines[i] = to_model_line(s, &wanted->symbol.lines[i],
		    &owned[i]);
	model_set_lines(s->model, wanted->location, lines, n);
	for (uint32_t i = 0; i < n; i++)
		free(owned[i]);
	free(owned);
	free(lines);
}

static struct symbolize_module
finish(struct symbolizer *s, struct module *module)
{
	struct symbolize_module out = { module->file, module->build_id,
	    module->state, (uint32_t)module->n, 0, module->cached };

	for (size_t i = 0; i < module->n; i++) {
		if (module->wanted[i].symbol.nlines > 0) {
			set_lines(s, &module->wanted[i]);
			out.named++;
		}
		free(module->wanted[i].symbol.lines);
	}
	free(module->wanted);
	elf_close(module->binary);
	elf_close(module->debug);
	free(module->binary_path);
	free(module->debug_path);
	return out;
}

static void
set_options(struct symbolizer *s, const struct symbolize_options *options)
{
	if (options != NULL)
		s->options = *options;
	if (s->options.debug_dirs == NULL) {
		s->options.debug_dirs = default_debug_dirs;
		s->options.ndebug_dirs = 1;
	}
	if (s->options.cache_dir == NULL)
		s->cache_dir = symcache_default_dir();
	else if (*s->options.cache_dir != '\0')
		s->cache_dir = xstrdup(s->options.cache_dir);
}

void
symbolize_model(struct model *model, const struct symbolize_options *options,
    struct symbolize_report *report)
{
	struct symbolizer s = { .model = model };
	struct symbolize_module *modules;

	set_options(&s, options);
	for (uint32_t i = 0; i < model->nlocations; i++)
		want(&s, i);
	modules = xcalloc(s.nmodules, sizeof *modules);
	for (size_t i = 0; i < s.nmodules; i++) {
		term_progress("symbolizing module", i, s.nmodules);
		resolve(&s, &s.modules[i]);
		modules[i] = finish(&s, &s.modules[i]);
	}
	term_progress("symbolizing module", s.nmodules, s.nmodules);
	if (report != NULL)
		*report = (struct symbolize_report){ modules, s.nmodules };
	else
		free(modules);
	free(s.modules);
	free(s.cache_dir);
	strpool_free(&s.pool);
}

void
symbolize_report_free(struct symbolize_report *report)
{
	free(report->modules);
	*report = (struct symbolize_report){ NULL, 0 };
}

const char *
symbolize_state_text(enum symbolize_state state)
{
	static const char *const texts[] = {
		[SYMBOLIZE_LINES] = "functions and lines",
		[SYMBOLIZE_SYMBOLS] = "functions only",
		[SYMBOLIZE_MISSING] = "no such file here",
		[SYMBOLIZE_MISMATCH] = "the file here is another build",
		[SYMBOLIZE_DAMAGED] = "the file here is not a 64-bit ELF file",
		[SYMBOLIZE_NONAMES] = "stripped of all names",
		[SYMBOLIZE_NOT_A_FILE] = "not a file",
	};

	return texts[state];
}

size_t
symbolize_complain(const struct symbolize_report *report)
{
	size_t lines = 0;

	for (size_t i = 0; i < report->n; i++) {
		const struct symbolize_module *module = &report->modules[i];

		if (module->state <= SYMBOLIZE_SYMBOLS ||
		    module->state == SYMBOLIZE_NOT_A_FILE)
			continue;
		fprintf(stderr, "strata: no symbols for %s, build id %s: "
		    "%s\n", module->file, *module->build_id == '\0' ?
		    "unknown" : module->build_id,
		    symbolize_state_text(module->state));
		lines++;
	}
	return lines;
}
