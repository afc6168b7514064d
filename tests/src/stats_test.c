/*
 * stats_test.c - malloc_stats_print: its JSON is the tree of controls, and
 * each letter leaves out its part and no other.
 *
 * The JSON is read into one text of paths, "/jemalloc/stats/active\n", with
 * "#" for every index of an array.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "mallctl.h"
#include "names.h"

enum { PATH_BYTES = 256 };

/* --- text that grows; cmocka's process has glibc's malloc ----------------- */

struct buffer {
	char *text;
	size_t used, size;
};

static void
buffer_add(void *opaque, const char *text)
{
	struct buffer *to = opaque;
	size_t len = strlen(text);

	while (to->used + len + 1 > to->size) {
		char *bigger = test_malloc(to->size * 2 + 4096);

		if (to->text != NULL)
			memcpy(bigger, to->text, to->used);
		test_free(to->text);
		to->text = bigger;
		to->size = to->size * 2 + 4096;
	}
	memcpy(to->text + to->used, text, len + 1);
	to->used += len;
}

static struct buffer
print(const char *letters)
{
	struct buffer out = { 0 };

	malloc_stats_print(buffer_add, &out, letters);
	assert_non_null(out.text);
	return out;
}

/* --- paths of compact JSON ------------------------------------------------ */

static const char *read_value(const char *at, char *path, size_t len,
    struct buffer *out);

/* Behind the string that begins at at. */
static const char *
skip_string(const char *at)
{
	assert_int_equal(*at, '"');
	for (at++; *at != '"'; at++) {
		assert_true((unsigned char)*at >= 0x20);
		if (*at == '\\')
			at++;
	}
	return at + 1;
}

static const char *
read_members(const char *at, char *path, size_t len, struct buffer *out)
{
	char close = *at == '{' ? '}' : ']';

	if (at[1] == close)
		return at + 2;
	do {
		const char *key = ++at;
		int more;

		if (close == '}') {
			at = skip_string(at);
			more = snprintf(path + len, PATH_BYTES - len, "/%.*s",
			    (int)(at - key - 2), key + 1);
			assert_int_equal(*at++, ':');
		} else {
			more = snprintf(path + len, PATH_BYTES - len, "/#");
		}
		at = read_value(at, path, len + (size_t)more, out);
	} while (*at == ',');
	assert_int_equal(*at, close);
	return at + 1;
}

static const char *
read_value(const char *at, char *path, size_t len, struct buffer *out)
{
	if (*at == '{' || *at == '[')
		return read_members(at, path, len, out);
	path[len] = '\0';
	buffer_add(out, path);
	buffer_add(out, "\n");
	return *at == '"' ? skip_string(at) : at + strcspn(at, ",]}");
}

/* All paths of the JSON that letters ask for; the caller frees the text. */
static struct buffer
print_paths(const char *letters)
{
	struct buffer json = print(letters), out = { 0 };
	char path[PATH_BYTES];
	const char *end;

	buffer_add(&out, "\n");
	end = read_value(json.text, path, 0, &out);
	assert_string_equal(end, "\n");
	test_free(json.text);
	return out;
}

static bool
has_path(const struct buffer *paths, const char *path)
{
	char line[PATH_BYTES + 2];

	snprintf(line, sizeof line, "\n%s\n", path);
	return strstr(paths->text, line) != NULL;
}

static bool
has_part(const struct buffer *paths, const char *part)
{
	return strstr(paths->text, part) != NULL;
}

/* --- the tree ------------------------------------------------------------- */

/* Leaves that can be read and are no part of the printed statistics. */
static bool
is_exception(const char *name)
{
	static const char *const fronts[] = {
		"thread.", "arena.", "tcache.", "pool.", "experimental.",
		"approximate_stats.", "background_thread",
		"max_background_threads",
		"stats.arenas.<i>.hpa_shard.nonfull_slabs.",	/* [] */
	};

	for (size_t i = 0; i < sizeof fronts / sizeof *fronts; i++)
		if (strncmp(name, fronts[i], strlen(fronts[i])) == 0)
			return true;
	return false;
}

/* Where jemalloc's JSON has a leaf under another name: "from to" pairs. */
static const char *const moved[][2] = {
	{ "stats.arenas.<i>.uptime", "stats.arenas.<i>.uptime_ns" },
	{ "stats.arenas.<i>.hpa_sec_bytes", "stats.arenas.<i>.sec_bytes" },
	{ "opt.malloc_conf.global_var", "opt.global_var" },
	{ "opt.malloc_conf.symlink", "opt.symlink" },
	{ "opt.malloc_conf.env_var", "opt.env_var" },
	{ "opt.malloc_conf.global_var_2_conf_harder",
	    "opt.global_var_2_conf_harder" },
};

static const char *
moved_to(const char *name)
{
	for (size_t i = 0; i < sizeof moved / sizeof *moved; i++)
		if (strcmp(name, moved[i][0]) == 0)
			return moved[i][1];
	return name;
}

/* "bins.<j>.nslabs" as "/bins/#/nslabs". */
static void
add_steps(char *path, const char *name)
{
	size_t len = strlen(path);

	path[len++] = '/';
	for (; *name != '\0'; name++) {
		if (*name == '<') {
			path[len++] = '#';
			name = strchr(name, '>');
		} else {
			path[len++] = *name == '.' ? '/' : *name;
		}
	}
	path[len] = '\0';
}

static void
path_of(const char *name, bool strata, char *path)
{
	static const char arenas[] = "stats.arenas.<i>.";

	strcpy(path, strata ? "/strata" : "/jemalloc");
	name = moved_to(name);
	if (strncmp(name, arenas, strlen(arenas)) == 0) {
		strcat(path, "/stats.arenas/merged");
		name += strlen(arenas);
	} else if (strata && strncmp(name, "stats.", 6) == 0) {
		name += 6;
	}
	add_steps(path, name);
}

static void
check_leaf(void *arg, const char *name, const struct ctl_node *node)
{
	char path[PATH_BYTES];

	if (node->read == NULL || is_exception(name))
		return;
	path_of(name, false, path);
	if (has_path(arg, path))
		return;
	path_of(name, true, path);
	if (!has_path(arg, path))
		fail_msg("%s is not in the JSON", name);
}

static void
test_every_figure_is_printed(void **state)
{
	struct buffer paths = print_paths("J");

	(void)state;
	ctl_walk(check_leaf, &paths);
	test_free(paths.text);
}

static void
test_every_arena_prints_what_merged_does(void **state)
{
	struct buffer paths = print_paths("J");
	static const char merged[] = "/jemalloc/stats.arenas/merged/";
	const char *at = paths.text;
	char path[PATH_BYTES];
	size_t n = 0;

	(void)state;
	while ((at = strstr(at, merged)) != NULL) {
		at += strlen(merged);
		snprintf(path, sizeof path, "/jemalloc/stats.arenas/0/%.*s",
		    (int)strcspn(at, "\n"), at);
		if (!has_path(&paths, path))
			fail_msg("there is no %s", path);
		n++;
	}
	assert_true(n > 1000);
	test_free(paths.text);
}

static int
compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Of objects: the elements of an array share their paths. */
static void
test_no_key_comes_twice(void **state)
{
	struct buffer paths = print_paths("J");
	static char *lines[100000];
	char *line, *rest = NULL;
	size_t n = 0;

	(void)state;
	for (line = strtok_r(paths.text, "\n", &rest); line != NULL;
	    line = strtok_r(NULL, "\n", &rest))
		if (strchr(line, '#') == NULL)
			lines[n++] = line;
	qsort(lines, n, sizeof *lines, compare_lines);
	for (size_t i = 1; i < n; i++)
		assert_string_not_equal(lines[i - 1], lines[i]);
	test_free(paths.text);
}

/* --- letters -------------------------------------------------------------- */

/* What each letter leaves out; the text has nothing of huge pages. */
static const struct {
	char letter;
	const char *json, *text;
} parts[] = {
	{ 'g', "/jemalloc/opt/", "\nRun-time option settings" },
	{ 'm', "/jemalloc/stats.arenas/merged/", "\nMerged arenas stats:" },
	{ 'd', "/jemalloc/stats.arenas/destroyed/",
	    "\nDestroyed arenas stats:" },
	{ 'a', "/jemalloc/stats.arenas/0/", "\narenas[0]:" },
	{ 'b', "/bins/#/nmalloc", "\nbins:" },
	{ 'l', "/lextents/#/nmalloc", "\nlarge:          size" },
	{ 'x', "/num_ops", "n_lock_ops" },
	{ 'e', "/extents/#/ndirty", "\nextents:" },
	{ 'h', "/hpa_shard/npurges", NULL },
};

enum { NPARTS = sizeof parts / sizeof *parts };

/* Every letter's part is there but skip's. */
static void
check_parts(const struct buffer *in, bool json, size_t skip)
{
	for (size_t i = 0; i < NPARTS; i++) {
		const char *part = json ? parts[i].json : parts[i].text;

		if (part != NULL && has_part(in, part) != (i != skip))
			fail_msg("%s is%s there without %c", part,
			    i == skip ? "" : " not",
			    skip < NPARTS ? parts[skip].letter : '-');
	}
}

/* A destroyed arena, and a second one, or the text has no merged figures. */
static int
make_arenas(void **state)
{
	unsigned index;
	size_t len = sizeof index;
	char destroy[64];

	(void)state;
	assert_int_equal(mallctl("arenas.create", &index, &len, NULL, 0), 0);
	snprintf(destroy, sizeof destroy, "arena.%u.destroy", index);
	assert_int_equal(mallctl(destroy, NULL, NULL, NULL, 0), 0);
	assert_int_equal(mallctl("arenas.create", &index, &len, NULL, 0), 0);
	return 0;
}

static void
test_each_letter_leaves_its_part_out_of_json(void **state)
{
	(void)state;
	for (size_t i = 0; i <= NPARTS; i++) {
		char letters[] = { 'J', i < NPARTS ? parts[i].letter : 0, 0 };
		struct buffer paths = print_paths(letters);

		check_parts(&paths, true, i);
		test_free(paths.text);
	}
}

static void
test_each_letter_leaves_its_part_out_of_text(void **state)
{
	(void)state;
	for (size_t i = 0; i <= NPARTS; i++) {
		char letters[] = { i < NPARTS ? parts[i].letter : 0, 0 };
		struct buffer text = print(letters);

		check_parts(&text, false, i);
		test_free(text.text);
	}
}

static void
test_unknown_letters_change_nothing(void **state)
{
	struct buffer plain = print_paths("J"), odd = print_paths("JzZ9 -");

	(void)state;
	assert_string_equal(plain.text, odd.text);
	test_free(plain.text);
	test_free(odd.text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_figure_is_printed),
		cmocka_unit_test(test_every_arena_prints_what_merged_does),
		cmocka_unit_test(test_no_key_comes_twice),
		cmocka_unit_test(test_each_letter_leaves_its_part_out_of_json),
		cmocka_unit_test(test_each_letter_leaves_its_part_out_of_text),
		cmocka_unit_test(test_unknown_letters_change_nothing),
	};

	return cmocka_run_group_tests(tests, make_arenas, NULL);
}
