/*
 * manual_test.c - docs/man/strata.conf.5 lists the options and controls that
 * the library has, with their types, and no others; strata.3 the functions.
 *
 * An entry is a line  .BR name " (words)"  in the sections OPTIONS and
 * CONTROLS. Locks and their counters stand there as <mutex> and <counter>.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "mallctl.h"

enum { ENTRIES_MAX = 512, NAME_BYTES = 96, LINE_BYTES = 512 };

struct entry {
	char name[NAME_BYTES];
	char words[NAME_BYTES];		/* inside the parentheses */
	bool used;
};

struct entries {
	struct entry entry[ENTRIES_MAX];
	size_t count;
};

static struct entries options, controls;
static char *text;			/* of the whole page */

static char *
read_file(const char *name)
{
	const char *srcdir = getenv("SRCDIR");
	char path[1024];
	char *all;
	long size;
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", srcdir ? srcdir : ".", name);
	file = fopen(path, "r");
	if (file == NULL)
		fail_msg("cannot open %s (SRCDIR?)", path);
	fseek(file, 0, SEEK_END);
	size = ftell(file);
	rewind(file);
	all = malloc((size_t)size + 1);
	assert_int_equal(fread(all, 1, (size_t)size, file), size);
	all[size] = '\0';
	fclose(file);
	return all;
}

static void
add_entry(struct entries *to, const char *line)
{
	struct entry *entry = &to->entry[to->count];

	if (sscanf(line, ".BR %95s \" (%95[^)])\"", entry->name,
	    entry->words) != 2)
		return;
	for (size_t i = 0; i < to->count; i++)
		if (strcmp(to->entry[i].name, entry->name) == 0)
			fail_msg("%s stands there twice", entry->name);
	assert_true(++to->count < ENTRIES_MAX);
}

static int
read_manual(void **state)
{
	struct entries *to = NULL;
	char *copy, *line, *rest = NULL;

	text = read_file("docs/man/strata.conf.5");
	copy = strdup(text);
	for (line = strtok_r(copy, "\n", &rest); line != NULL;
	    line = strtok_r(NULL, "\n", &rest)) {
		if (strncmp(line, ".SH ", 4) == 0)
			to = strcmp(line + 4, "OPTIONS") == 0 ? &options :
			    strcmp(line + 4, "CONTROLS") == 0 ? &controls :
			    NULL;
		else if (to != NULL && strncmp(line, ".BR ", 4) == 0)
			add_entry(to, line);
	}
	free(copy);
	return 0;
}

static struct entry *
find(struct entries *in, const char *name)
{
	for (size_t i = 0; i < in->count; i++)
		if (strcmp(in->entry[i].name, name) == 0)
			return &in->entry[i];
	return NULL;
}

static bool
starts_with(const char *words, const char *with)
{
	return strncmp(words, with, strlen(with)) == 0;
}

/* The word that the manual uses for an option's type; NULL: by its words. */
static const char *
option_type(const struct conf_option *option)
{
	static const char *const names[] = {
		[CONF_BOOL] = "bool", [CONF_UNSIGNED] = "unsigned",
		[CONF_SIZE] = "size_t", [CONF_SSIZE] = "ssize_t",
		[CONF_U64] = "uint64_t", [CONF_I64] = "int64_t",
		[CONF_INT] = "ssize_t", [CONF_LG_UNSIGNED] = "size_t",
		[CONF_LG_SIZE] = "size_t", [CONF_NARENAS] = "unsigned",
		[CONF_FXP] = "fraction", [CONF_STRING] = "text",
		[CONF_LETTERS] = "letters", [CONF_RANGES] = "ranges",
		[CONF_SIGNAL] = "signal", [CONF_CHECKS] = "bool",
	};

	return option->words != NULL ? NULL : names[option->type];
}

static void
test_every_option_is_documented(void **state)
{
	for (const struct conf_option *o = conf_options; o->name != NULL;
	    o++) {
		struct entry *entry = find(&options, o->name);
		const char *type = option_type(o);

		if (entry == NULL)
			fail_msg("option %s is not documented", o->name);
		entry->used = true;
		if (type != NULL && !starts_with(entry->words, type))
			fail_msg("%s is a %s, not (%s)", o->name, type,
			    entry->words);
		for (size_t i = 0; o->words != NULL && o->words[i] != NULL;
		    i++)
			if (strstr(entry->words, o->words[i]) == NULL)
				fail_msg("%s may be %s", o->name,
				    o->words[i]);
	}
}

/* In the table: conf_find knows no prof_* where the profiler is left out. */
static bool
is_option(const char *name)
{
	for (const struct conf_option *o = conf_options; o->name != NULL; o++)
		if (strcmp(o->name, name) == 0)
			return true;
	return false;
}

static void
test_every_documented_option_exists(void **state)
{
	assert_true(options.count > 100);
	for (size_t i = 0; i < options.count; i++)
		if (!is_option(options.entry[i].name))
			fail_msg("there is no option %s",
			    options.entry[i].name);
}

/* Writes the name with a lock's parts replaced, as the manual has it. */
static void
canonical(const char *name, char *out)
{
	const char *mutex = strstr(name, ".mutexes.");
	const char *bin = strstr(name, ".mutex.");
	const char *dot;

	strcpy(out, name);
	if (mutex != NULL) {
		dot = strchr(mutex + strlen(".mutexes."), '.');
		if (dot != NULL)
			strcpy(out + (mutex - name),
			    ".mutexes.<mutex>.<counter>");
	} else if (bin != NULL) {
		strcpy(out + (bin - name), ".mutex.<counter>");
	} else if (starts_with(name, "opt.") &&
	    !starts_with(name, "opt.malloc_conf.")) {
		strcpy(out, "opt.<option>");
	}
}

/* Each part of a lock's name stands in the page in bold. */
static void
check_parts(const char *name)
{
	char part[NAME_BYTES], bold[2][NAME_BYTES + 8];
	const char *at = strstr(name, ".mutex");

	/* "." after mutexes or mutex, then after the lock's name */
	while (at != NULL && (at = strchr(at + 1, '.')) != NULL) {
		sscanf(at + 1, "%95[^.]", part);
		snprintf(bold[0], sizeof bold[0], ".B %s\n", part);
		snprintf(bold[1], sizeof bold[1], ".BR %s ", part);
		if (strstr(text, bold[0]) == NULL &&
		    strstr(text, bold[1]) == NULL)
			fail_msg("%s: %s is not named", name, part);
	}
}

static void
check_access(const char *name, const struct ctl_node *node,
    const struct entry *entry)
{
	static const char *const types[] = {
		[CTL_BOOL] = "bool", [CTL_UNSIGNED] = "unsigned",
		[CTL_U32] = "uint32_t", [CTL_U64] = "uint64_t",
		[CTL_I64] = "int64_t", [CTL_SIZE] = "size_t",
		[CTL_SSIZE] = "ssize_t", [CTL_STRING] = "const char *",
		[CTL_POINTER] = "void *", [CTL_STRUCT] = "struct",
	};
	char wanted[NAME_BYTES];

	if (node->type == CTL_ACTION) {
		assert_string_equal(entry->words, "--");
		return;
	}
	if (strstr(entry->name, "<counter>") != NULL)
		return;			/* max_num_thds is another type */
	if (node->handler != NULL) {
		if (strstr(entry->words, types[node->type]) == NULL)
			fail_msg("%s is a %s", name, types[node->type]);
		return;
	}
	snprintf(wanted, sizeof wanted, "%s%s, %s",
	    node->read != NULL ? "r" : "", node->write != NULL ? "w" : "",
	    types[node->type]);
	if (strcmp(wanted, entry->words) != 0)
		fail_msg("%s is (%s), not (%s)", name, wanted, entry->words);
}

static void
check_leaf(void *arg, const char *name, const struct ctl_node *node)
{
	char documented[NAME_BYTES];
	struct entry *entry;

	canonical(name, documented);
	entry = find(&controls, documented);
	if (entry == NULL)
		fail_msg("control %s is not documented", name);
	entry->used = true;
	if (strstr(documented, "<counter>") != NULL)
		check_parts(name);
	check_access(name, node, entry);
}

static void
test_every_control_is_documented(void **state)
{
	ctl_walk(check_leaf, NULL);
}

/* After the above: what no leaf has used does not exist. */
static void
test_every_documented_control_exists(void **state)
{
	assert_true(controls.count > 120);
	for (size_t i = 0; i < controls.count; i++)
		if (!controls.entry[i].used)
			fail_msg("there is no control %s",
			    controls.entry[i].name);
}

/* The function names of a C text: what stands before "(" at column > 0. */
static void
check_declared(const char *from, const char *in, const char *what)
{
	static const char *const names[] = {
		"mallocx", "rallocx", "xallocx", "sallocx", "dallocx",
		"sdallocx", "nallocx", "mallctl", "mallctlnametomib",
		"mallctlbymib", "malloc_stats_print", "malloc_usable_size",
		"malloc_message", "malloc_conf",
		"malloc_conf_2_conf_harder",
	};
	const char *at = from;
	char name[NAME_BYTES];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strstr(in, names[i]) == NULL)
			fail_msg("%s is not %s", names[i], what);
	while ((at = strstr(at, "strata_")) != NULL) {
		size_t n = strspn(at, "abcdefghijklmnopqrstuvwxyz_");

		assert_true(n < sizeof name);
		memcpy(name, at, n);
		name[n] = '\0';
		if (at[n] == '(' && strstr(in, name) == NULL)
			fail_msg("%s is not %s", name, what);
		at += n;
	}
}

static void
test_functions_are_documented(void **state)
{
	char *page = read_file("docs/man/strata.3");
	char *header = read_file("include/strata/strata.h");

	check_declared(header, page, "documented");
	check_declared(page, header, "declared");
	free(page);
	free(header);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_option_is_documented),
		cmocka_unit_test(test_every_documented_option_exists),
		cmocka_unit_test(test_every_control_is_documented),
		cmocka_unit_test(test_every_documented_control_exists),
		cmocka_unit_test(test_functions_are_documented),
	};

	return cmocka_run_group_tests(tests, read_manual, NULL);
}
