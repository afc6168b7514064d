/*
 * symbolize_test.c - names and lines of programs compiled on the spot, held
 * against addr2line -i; separate, stripped, foreign and damaged files; the
 * cache.
 *
 * Everything is made in a folder of its own below the working folder.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf_file.h"
#include "model.h"
#include "mutate.h"
#include "symbolize.h"
#include "symcache.h"
#include "xalloc.h"

enum { ADDRESSES = 4000, MUTATIONS = 300, DEBUG_MUTATIONS = 60 };

static char dir[256];			/* absolute */

/* Functions that get inlined twice over, static ones, and two units. */
static const char source_c[] =
    "#include <stdlib.h>\n"
    "#include <string.h>\n"
    "extern void *keep(void *);\n"
    "static inline __attribute__((always_inline)) void *\n"
    "take(size_t n)\n"
    "{\n"
    "	return keep(malloc(n));\n"
    "}\n"
    "static inline __attribute__((always_inline)) void *\n"
    "take_zeroed(size_t n)\n"
    "{\n"
    "	return memset(take(n), 0, n);\n"
    "}\n"
    "__attribute__((noinline)) static int\n"
    "session_new(int n)\n"
    "{\n"
    "	char *a = take_zeroed((size_t)n), *b = take(2);\n"
    "	return a[0] + b[0];\n"
    "}\n"
    "int\n"
    "serve(int n)\n"
    "{\n"
    "	int sum = 0;\n"
    "	for (int i = 1; i < n; i++)\n"
    "		sum += session_new(i) + session_new(2 * i);\n"
    "	return sum;\n"
    "}\n";

static const char main_c[] =
    "extern int serve(int);\n"
    "void *kept;\n"
    "__attribute__((noinline)) void *keep(void *p)\n"
    "{\n"
    "	return kept = p;\n"
    "}\n"
    "int main(int argc, char **argv)\n"
    "{\n"
    "	return serve(argc + 5);\n"
    "}\n";

static const char source_cc[] =
    "#include <string>\n"
    "#include <vector>\n"
    "namespace shop { struct cart {\n"
    "	std::vector<std::string> items;\n"
    "	void add(const char *name) { items.push_back(name); }\n"
    "}; }\n"
    "int main(int argc, char **argv)\n"
    "{\n"
    "	shop::cart cart;\n"
    "	for (int i = 0; i < argc; i++)\n"
    "		cart.add(argv[i]);\n"
    "	return (int)cart.items.size();\n"
    "}\n";

static void
put(const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", dir, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	free(path);
}

/* Runs a shell command in the folder. */
static void __attribute__((format(printf, 1, 2)))
shell(const char *format, ...)
{
	char command[2048];
	va_list args;
	int n = snprintf(command, sizeof command, "cd '%s' && ", dir);

	va_start(args, format);
	vsnprintf(command + n, sizeof command - (size_t)n, format, args);
	va_end(args);
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

static int
setup(void **state)
{
	char *cwd = getcwd(NULL, 0);

	snprintf(dir, sizeof dir, "%s/symbolize_test.dir", cwd);
	free(cwd);
	if (system("rm -rf symbolize_test.dir && "
	    "mkdir symbolize_test.dir") != 0)
		return 1;
	put("part.c", source_c);
	put("main.c", main_c);
	put("shop.cc", source_cc);
	return 0;
}

static int
teardown(void **state)
{
	return system("rm -rf symbolize_test.dir");
}

static char *
path_of(const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

static char *
build_id_of(const char *name)
{
	char *path = path_of(name), *id;
	struct elf_file *elf;

	assert_int_equal(elf_open(path, &elf), 0);
	id = xstrdup(elf_build_id(elf));
	elf_close(elf);
	free(path);
	return id;
}

/* --- models ------------------------------------------------------------- */

/* The first executable segment, as readelf -lW says. */
struct text_segment {
	uint64_t offset, vaddr, size;
};

static struct text_segment
text_of(const char *name)
{
	struct text_segment text = { 0 };
	char *command = xasprintf("cd '%s' && readelf -lW '%s' | awk "
	    "'$1 == \"LOAD\" && / R.?E / { print $2, $3, $5; exit }'", dir,
	    name);
	FILE *pipe = popen(command, "r");

	assert_non_null(pipe);
	assert_int_equal(fscanf(pipe, "%" SCNx64 " %" SCNx64 " %" SCNx64,
	    &text.offset, &text.vaddr, &text.size), 3);
	pclose(pipe);
	free(command);
	return text;
}

/* A model whose module is mapped at some base, with no locations yet. */
static struct model *
new_model(const char *name, const char *build_id, uint64_t base)
{
	struct text_segment text = text_of(name);
	struct model *model = model_new();
	char *path = path_of(name);

	model_add_type(model, "space", "bytes");
	model_add_mapping(model, &(struct model_mapping){
		.start = base + (text.vaddr & ~UINT64_C(4095)),
		.limit = base + text.vaddr + text.size,
		.offset = text.offset & ~UINT64_C(4095),
		.file = path, .build_id = build_id });
	free(path);
	return model;
}

static void
add_vaddr(struct model *model, uint64_t base, uint64_t vaddr)
{
	struct model_location place = { .address = base + vaddr };

	model_add_location(model, &place);
}

static struct symbolize_report
symbolize(struct model *model, const char *cache_dir)
{
	struct symbolize_options options = { .cache_dir = cache_dir,
	    .no_demangle = true };
	struct symbolize_report report;

	symbolize_model(model, &options, &report);
	return report;
}

/* Symbolizes and returns the module's state. */
static enum symbolize_state
state_after(struct model *model, const char *cache_dir)
{
	struct symbolize_report report = symbolize(model, cache_dir);
	enum symbolize_state state;

	assert_int_equal(report.n, 1);
	state = report.modules[0].state;
	symbolize_report_free(&report);
	return state;
}

static uint64_t
symbol_of(const char *name, const char *symbol)
{
	char *command = xasprintf("cd '%s' && nm '%s' | awk '$3 == \"%s\" "
	    "{ print $1 }'", dir, name, symbol);
	FILE *pipe = popen(command, "r");
	uint64_t vaddr;

	assert_non_null(pipe);
	assert_int_equal(fscanf(pipe, "%" SCNx64, &vaddr), 1);
	pclose(pipe);
	free(command);
	return vaddr;
}

/* --- against addr2line -------------------------------------------------- */

/* What addr2line says of an address: "function file:line" for each frame. */
static void
expect_frames(FILE *pipe, char *out, size_t size, char *line,
    size_t line_size)
{
	size_t n = 0;

	*out = '\0';
	while (fgets(line, (int)line_size, pipe) != NULL &&
	    strncmp(line, "0x", 2) != 0) {
		char *cut = strstr(line, " (disc");

		if (cut == NULL)
			cut = line + strcspn(line, "\n");
		*cut = '\0';
		if (strcmp(line + strlen(line) - 2, ":?") == 0)
			line[strlen(line) - 1] = '0';
		n += (size_t)snprintf(out + n, size - n, "%s|", line);
	}
}

static void
found_frames(const struct model_location *place, char *out, size_t size)
{
	size_t n = 0;

	*out = '\0';
	if (place->nlines == 0)
		snprintf(out, size, "\?\?|\?\?:0|");
	for (uint32_t i = 0; i < place->nlines; i++) {
		const struct model_line *line = &place->lines[i];

		n += (size_t)snprintf(out + n, size - n, "%s|%s:%" PRId64
		    "|", line->system_name, *line->file == '\0' ? "\?\?" :
		    line->file, line->line);
	}
}

/* Every address of .text that is an instruction and not padding. */
static size_t
instructions(const char *name, uint64_t *out)
{
	char *command = xasprintf("cd '%s' && objdump -d -j .text '%s' | "
	    "awk -F '\t' '/^ +[0-9a-f]+:/ && NF == 3 && "
	    "$3 !~ /nop|xchg +%%ax,%%ax|data16/ { print $1 }'", dir, name);
	FILE *pipe = popen(command, "r");
	size_t n = 0;

	assert_non_null(pipe);
	while (n < ADDRESSES && fscanf(pipe, "%" SCNx64 ":", &out[n]) == 1)
		n++;
	pclose(pipe);
	free(command);
	return n;
}

/*
 * All frames of all instructions agree with addr2line's, but for the start
 * files, which have no DWARF (addr2line guesses their file from symbols).
 */
static void
compare_with_addr2line(const char *name, uint64_t base)
{
	static uint64_t vaddrs[ADDRESSES];
	size_t n = instructions(name, vaddrs), compared = 0, inlined = 0;
	char *id = build_id_of(name);
	struct model *model = new_model(name, id, base);
	char expected[8192], found[8192], line[4096], *command;
	FILE *list, *pipe;

	assert_in_range(n, 20, ADDRESSES);
	command = xasprintf("%s/addresses", dir);
	list = fopen(command, "w");
	free(command);
	for (size_t i = 0; i < n; i++) {
		add_vaddr(model, base, vaddrs[i]);
		fprintf(list, "0x%" PRIx64 "\n", vaddrs[i]);
	}
	fclose(list);
	assert_int_equal(state_after(model, ""), SYMBOLIZE_LINES);
	command = xasprintf("cd '%s' && addr2line -a -i -f -e '%s' "
	    "<addresses", dir, name);
	pipe = popen(command, "r");
	assert_non_null(fgets(line, sizeof line, pipe));
	for (size_t i = 0; i < n; i++) {
		expect_frames(pipe, expected, sizeof expected, line,
		    sizeof line);
		if (strstr(expected, "crtstuff") != NULL)
			continue;
		found_frames(&model->locations[i], found, sizeof found);
		if (strcmp(found, expected) != 0)
			fail_msg("%s 0x%" PRIx64 ":\n%s\nbut addr2line: %s",
			    name, vaddrs[i], found, expected);
		compared++;
		inlined += model->locations[i].nlines > 2;
	}
	pclose(pipe);
	print_message("%s: %zu addresses, %zu in calls inlined twice\n",
	    name, compared, inlined);
	assert_true(compared > n / 2 && inlined > 0);
	free(command);
	free(id);
	model_free(model);
}

static void
test_pie(void **state)
{
	shell("gcc -O2 -g -fPIE -pie -Wl,--build-id -o pie part.c main.c");
	compare_with_addr2line("pie", UINT64_C(0x555555554000));
}

static void
test_not_pie(void **state)
{
	shell("gcc -O2 -g -fno-pie -no-pie -Wl,--build-id -o fixed part.c "
	    "main.c");
	compare_with_addr2line("fixed", 0);
}

static void
test_shared_object(void **state)
{
	shell("gcc -O2 -g -fPIC -shared -Wl,--build-id -o lib.so part.c");
	compare_with_addr2line("lib.so", UINT64_C(0x7ffff7fc0000));
}

static void
test_dwarf_4(void **state)
{
	shell("gcc -O2 -gdwarf-4 -Wl,--build-id -o old part.c main.c");
	compare_with_addr2line("old", UINT64_C(0x555555554000));
}

static void
test_compressed_sections(void **state)
{
	shell("gcc -O2 -g -gz -Wl,--build-id -o packed part.c main.c");
	compare_with_addr2line("packed", UINT64_C(0x555555554000));
}

static void
test_cplusplus(void **state)
{
	shell("g++ -O2 -g -Wl,--build-id -o shop shop.cc");
	compare_with_addr2line("shop", UINT64_C(0x555555554000));
}

static void
test_cplusplus_names_are_demangled(void **state)
{
	uint64_t base = UINT64_C(0x555555554000);
	struct symbolize_options options = { .cache_dir = "" };
	struct model *model;
	char *id;
	uint64_t push;

	shell("g++ -O0 -g -Wl,--build-id -o shop0 shop.cc");
	id = build_id_of("shop0");
	model = new_model("shop0", id, base);
	push = symbol_of("shop0", "_ZN4shop4cart3addEPKc");
	add_vaddr(model, base, push + 4);
	symbolize_model(model, &options, NULL);
	assert_int_equal(model->locations[0].nlines, 1);
	assert_string_equal(model->locations[0].lines[0].function,
	    "shop::cart::add");
	assert_string_equal(model->locations[0].lines[0].system_name,
	    "_ZN4shop4cart3addEPKc");
	assert_int_equal(model->locations[0].lines[0].start_line, 5);
	model_free(model);
	free(id);
}

/* --- other files -------------------------------------------------------- */

/* One address in serve() of a file made from "whole"; the state after. */
static enum symbolize_state
serve_in(const char *name, const char *build_id, struct model **out)
{
	uint64_t base = UINT64_C(0x555555554000);
	struct model *model = new_model(name, build_id, base);

	add_vaddr(model, base, symbol_of("whole", "serve") + 4);
	*out = model;
	return state_after(model, "");
}

static void
build_whole(void)
{
	shell("gcc -O2 -g -Wl,--build-id -rdynamic -o whole part.c main.c");
}

static void
test_stripped_file_has_its_dynamic_symbols(void **state)
{
	struct model *model;
	char *id;

	build_whole();
	shell("strip -o bare whole");
	id = build_id_of("bare");
	assert_int_equal(serve_in("bare", id, &model), SYMBOLIZE_SYMBOLS);
	assert_string_equal(model->locations[0].lines[0].function, "serve");
	assert_string_equal(model->locations[0].lines[0].file, "");
	model_free(model);
	free(id);
}

static void
test_static_functions_of_stripped_files_stay_nameless(void **state)
{
	uint64_t base = UINT64_C(0x555555554000);
	struct model *model;
	char *id;

	build_whole();
	shell("strip -o bare whole");
	id = build_id_of("bare");
	model = new_model("bare", id, base);
	add_vaddr(model, base, symbol_of("whole", "session_new") + 4);
	state_after(model, "");
	assert_int_equal(model->locations[0].nlines, 0);
	model_free(model);
	free(id);
}

static void
test_another_build_is_refused(void **state)
{
	struct model *model;

	build_whole();
	assert_int_equal(serve_in("whole",
	    "0123456789abcdef0123456789abcdef01234567", &model),
	    SYMBOLIZE_MISMATCH);
	assert_int_equal(model->locations[0].nlines, 0);
	model_free(model);
}

static void
test_missing_and_damaged_files(void **state)
{
	struct model *model;

	build_whole();
	shell("cp whole gone && printf hello >text");
	model = new_model("gone", "", 0);
	add_vaddr(model, 0, 0x1140);
	shell("rm gone");
	assert_int_equal(state_after(model, ""), SYMBOLIZE_MISSING);
	shell("cp text gone");
	assert_int_equal(state_after(model, ""), SYMBOLIZE_DAMAGED);
	model_free(model);
}

static void
test_separate_debug_file_by_link(void **state)
{
	struct model *model;
	char *id;

	build_whole();
	shell("mkdir -p .debug && objcopy --only-keep-debug whole "
	    ".debug/linked.dbg && strip -o linked whole && objcopy "
	    "--add-gnu-debuglink=.debug/linked.dbg linked");
	id = build_id_of("linked");
	assert_int_equal(serve_in("linked", id, &model), SYMBOLIZE_LINES);
	assert_string_equal(model->locations[0].lines[0].function, "serve");
	assert_non_null(strstr(model->locations[0].lines[0].file,
	    "part.c"));
	model_free(model);
	/* Without build ids the checksum decides. */
	shell("gcc -O2 -g -Wl,--build-id=none -rdynamic -o whole part.c "
	    "main.c && objcopy --only-keep-debug whole .debug/linked.dbg && "
	    "strip -o linked whole && objcopy "
	    "--add-gnu-debuglink=.debug/linked.dbg linked");
	assert_int_equal(serve_in("linked", "", &model), SYMBOLIZE_LINES);
	model_free(model);
	shell("printf x >>.debug/linked.dbg");
	assert_int_equal(serve_in("linked", "", &model), SYMBOLIZE_SYMBOLS);
	model_free(model);
	free(id);
}

/* Also where the binary itself is not there. */
static void
test_separate_debug_file_by_build_id(void **state)
{
	uint64_t base = UINT64_C(0x555555554000);
	const char *const dirs[] = { dir };
	struct symbolize_options options = { .cache_dir = "",
	    .debug_dirs = dirs, .ndebug_dirs = 1 };
	struct symbolize_report report;
	struct model *model;
	char *id;

	build_whole();
	id = build_id_of("whole");
	model = new_model("whole", id, base);
	add_vaddr(model, base, symbol_of("whole", "serve") + 4);
	shell("mkdir -p .build-id/%.2s && objcopy --only-keep-debug whole "
	    ".build-id/%.2s/%s.debug && rm whole", id, id, id + 2);
	symbolize_model(model, &options, &report);
	assert_int_equal(report.modules[0].state, SYMBOLIZE_LINES);
	assert_string_equal(model->locations[0].lines[0].function, "serve");
	symbolize_report_free(&report);
	model_free(model);
	free(id);
}

static void
test_root_and_search_folders(void **state)
{
	uint64_t base = UINT64_C(0x555555554000);
	const char *search[1];
	struct symbolize_options options = { .cache_dir = "",
	    .search = search };
	struct model *model;
	char *id, *elsewhere = path_of("elsewhere");

	build_whole();
	id = build_id_of("whole");
	model = new_model("whole", id, base);
	add_vaddr(model, base, symbol_of("whole", "serve") + 4);
	shell("mkdir -p elsewhere && mv whole elsewhere/");
	symbolize_model(model, &options, NULL);
	assert_int_equal(model->locations[0].nlines, 0);
	search[0] = elsewhere;
	options.nsearch = 1;
	symbolize_model(model, &options, NULL);
	assert_int_equal(model->locations[0].nlines, 1);
	model_free(model);
	free(elsewhere);
	free(id);
}

static void
test_what_is_no_file_is_left_alone(void **state)
{
	struct model *model = model_new();

	model_add_mapping(model, &(struct model_mapping){ .start = 0x1000,
	    .limit = 0x3000, .file = "[vdso]", .build_id = "" });
	add_vaddr(model, 0, 0x1234);
	assert_int_equal(state_after(model, ""), SYMBOLIZE_NOT_A_FILE);
	model_free(model);
}

/* --- the cache ---------------------------------------------------------- */

static struct model *
cached_model(const char *id)
{
	uint64_t base = UINT64_C(0x555555554000);
	struct model *model = new_model("whole", id, base);

	add_vaddr(model, base, symbol_of("whole", "serve") + 4);
	return model;
}

static bool
is_cached(struct model *model, const char *cache_dir)
{
	struct symbolize_report report = symbolize(model, cache_dir);
	bool cached = report.modules[0].cached;

	symbolize_report_free(&report);
	assert_int_equal(model->locations[0].nlines, 1);
	assert_string_equal(model->locations[0].lines[0].function, "serve");
	assert_int_equal(model->locations[0].lines[0].start_line, 21);
	return cached;
}

static void
test_a_missing_home_is_not_made(void **state)
{
	char *home = path_of("no-home"), *below;

	unsetenv("XDG_CACHE_HOME");
	setenv("HOME", home, 1);
	assert_null(symcache_default_dir());
	assert_int_equal(mkdir(home, 0700), 0);
	below = symcache_default_dir();
	assert_non_null(strstr(below, "/no-home/.cache/strata"));
	assert_int_equal(rmdir(home), 0);
	free(below);
	free(home);
}

static void
test_cache(void **state)
{
	char *cache = path_of("cache"), *id;
	struct model *models[6];

	build_whole();
	id = build_id_of("whole");
	for (size_t i = 0; i < 6; i++)
		models[i] = cached_model(id);
	assert_false(is_cached(models[0], cache));
	assert_true(is_cached(models[1], cache));
	/* A damaged cache is as if there were none, and is replaced. */
	shell("printf x | dd of=$(echo cache/*/*.sym) bs=1 seek=40 "
	    "conv=notrunc 2>/dev/null");
	assert_false(is_cached(models[2], cache));
	assert_true(is_cached(models[3], cache));
	shell("for f in cache/*/*.sym; do truncate -s 50 $f; done");
	assert_false(is_cached(models[4], cache));
	/* Where the program is not: from the cache alone. */
	shell("rm whole");
	assert_true(is_cached(models[5], cache));
	for (size_t i = 0; i < 6; i++)
		model_free(models[i]);
	free(id);
	free(cache);
}

static void
test_cache_that_cannot_be_written_is_no_error(void **state)
{
	char *id;
	struct model *model;

	build_whole();
	id = build_id_of("whole");
	model = cached_model(id);
	assert_false(is_cached(model, "/dev/null/strata"));
	model_free(model);
	free(id);
}

/* --- damaged binaries --------------------------------------------------- */

static void
test_mutated_elf_headers_never_crash(void **state)
{
	char *path = path_of("whole"), *bad = path_of("bad"), *bytes;
	size_t n, opened = 0;
	FILE *file;

	build_whole();
	file = fopen(path, "r");
	bytes = xmalloc(1 << 20);
	n = fread(bytes, 1, 1 << 20, file);
	fclose(file);
	for (uint64_t seed = 0; seed < MUTATIONS; seed++) {
		struct elf_file *elf;
		uint64_t vaddr;
		uint32_t crc;
		size_t length;
		unsigned char *damaged = mutate(bytes, n, seed, &length);

		/* Most damage where the headers are. */
		for (int i = 0; i < 4 && length > 2000; i++) {
			uint64_t more = seed * 4 + (uint64_t)i;

			damaged[mutate_below(&more, 1000)] ^= 0x81;
		}
		memcpy(damaged, bytes, length < 16 ? length : 16);
		file = fopen(bad, "w");
		fwrite(damaged, 1, length, file);
		fclose(file);
		free(damaged);
		if (elf_open(bad, &elf) != 0)
			continue;
		opened++;
		elf_vaddr(elf, 0x1140, &vaddr);
		elf_debuglink(elf, &crc);
		elf_has_dwarf(elf);
		elf_symbol(elf, 0x1140);
		elf_close(elf);
	}
	print_message("%zu of %d mutations (seeds from 0) were opened\n",
	    opened, MUTATIONS);
	assert_true(opened > 0);
	free(bytes);
	free(path);
	free(bad);
}

/* Where the debug sections begin and end; they stand in one piece. */
static void
debug_sections(const char *name, size_t *start, size_t *end)
{
	char *command = xasprintf("cd '%s' && readelf -SW '%s' | sed "
	    "'s/^ *\\[ *[0-9]*\\]//' | awk '$1 ~ /^\\.debug_/ { "
	    "if (!n++) print $4; } $1 == \".symtab\" { print $4 }'", dir,
	    name);
	FILE *pipe = popen(command, "r");

	assert_non_null(pipe);
	assert_int_equal(fscanf(pipe, "%zx %zx", start, end), 2);
	assert_true(*start < *end);
	pclose(pipe);
	free(command);
}

static void
test_damaged_debug_information_never_crashes(void **state)
{
	char *whole = path_of("whole"), *bytes;
	size_t n, start, end, by_lines = 0;
	FILE *file;

	build_whole();
	debug_sections("whole", &start, &end);
	file = fopen(whole, "r");
	bytes = xmalloc(1 << 20);
	n = fread(bytes, 1, 1 << 20, file);
	fclose(file);
	for (uint64_t seed = 0; seed < DEBUG_MUTATIONS; seed++) {
		uint64_t base = UINT64_C(0x555555554000), random = seed;
		struct model *model = new_model("whole", "", base);
		char *damaged = xmalloc(n);

		memcpy(damaged, bytes, n);
		for (int i = 0; i < 20; i++)
			damaged[start + mutate_below(&random, end - start)]
			    ^= (char)mutate_random(&random);
		file = fopen(whole, "w");
		fwrite(damaged, 1, n, file);
		fclose(file);
		free(damaged);
		add_vaddr(model, base, symbol_of("whole", "serve") + 4);
		by_lines += state_after(model, "") == SYMBOLIZE_LINES;
		model_free(model);
	}
	print_message("%zu of %d damaged files (seeds from 0) had lines\n",
	    by_lines, DEBUG_MUTATIONS);
	free(bytes);
	free(whole);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pie),
		cmocka_unit_test(test_not_pie),
		cmocka_unit_test(test_shared_object),
		cmocka_unit_test(test_dwarf_4),
		cmocka_unit_test(test_compressed_sections),
		cmocka_unit_test(test_cplusplus),
		cmocka_unit_test(test_cplusplus_names_are_demangled),
		cmocka_unit_test(test_stripped_file_has_its_dynamic_symbols),
		cmocka_unit_test(
		    test_static_functions_of_stripped_files_stay_nameless),
		cmocka_unit_test(test_another_build_is_refused),
		cmocka_unit_test(test_missing_and_damaged_files),
		cmocka_unit_test(test_separate_debug_file_by_link),
		cmocka_unit_test(test_separate_debug_file_by_build_id),
		cmocka_unit_test(test_root_and_search_folders),
		cmocka_unit_test(test_what_is_no_file_is_left_alone),
		cmocka_unit_test(test_a_missing_home_is_not_made),
		cmocka_unit_test(test_cache),
		cmocka_unit_test(
		    test_cache_that_cannot_be_written_is_no_error),
		cmocka_unit_test(test_mutated_elf_headers_never_crash),
		cmocka_unit_test(
		    test_damaged_debug_information_never_crashes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
