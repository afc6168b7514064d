/*
 * env.c - finds environment variables without libc's help.
 *
 *   __libc_stack_end -> argc, argv[0..argc-1], NULL, environ[0..], NULL
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "env.h"
#include "util.h"

/* Where the initial stack begins: ld.so's, or the static start code's. */
extern void *__libc_stack_end __attribute__((weak));

static char **
env_all(void)
{
	char **words;

	if (environ != NULL)
		return environ;
	if (&__libc_stack_end == NULL || __libc_stack_end == NULL)
		return NULL;
	words = __libc_stack_end;
	return words + 1 + (size_t)words[0] + 1;
}

/* The text behind "name=" in entry, or NULL. */
static const char *
env_match(const char *entry, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(entry, name, len) != 0 || entry[len] != '=')
		return NULL;
	return entry + len + 1;
}

const char *
env_get(const char *name)
{
	char **entry = env_all();

	if (entry == NULL || getauxval(AT_SECURE) != 0)
		return NULL;
	for (; *entry != NULL; entry++) {
		const char *value = env_match(*entry, name);

		if (value != NULL)
			return value;
	}
	return NULL;
}

static void
env_remove(char **entry)
{
	do
		entry[0] = entry[1];
	while (*entry++ != NULL);
}

/* True if the path of len bytes names our library, by its last part. */
static bool
env_is_library(const char *path, size_t len)
{
	static const char name[] = "libstrata.so";
	size_t base = len;

	while (base > 0 && path[base - 1] != '/')
		base--;
	return len - base >= sizeof name - 1 &&
	    memcmp(path + base, name, sizeof name - 1) == 0;
}

/* Takes our library out of a list of paths; true if none is left. */
static bool
env_strip_list(char *list)
{
	char *out = list;
	const char *in = list;

	while (*in != '\0') {
		size_t len = strcspn(in, ": ");

		if (len > 0 && !env_is_library(in, len)) {
			if (out != list)
				*out++ = ':';
			memmove(out, in, len);
			out += len;
		}
		in += len;
		in += *in != '\0';
	}
	*out = '\0';
	return out == list;
}

void
env_leave_children_in(char **environment)
{
	char **entry;
	bool wanted = false;

	for (entry = environment; *entry != NULL; )
		if (env_match(*entry, "STRATA_NO_CHILDREN") != NULL) {
			env_remove(entry);
			wanted = true;
		} else {
			entry++;
		}
	if (!wanted)
		return;
	for (entry = environment; *entry != NULL; ) {
		char *list = (char *)env_match(*entry, "LD_PRELOAD");

		if (list != NULL && env_strip_list(list))
			env_remove(entry);
		else
			entry++;
	}
}

void
env_leave_children(void)
{
	if (environ != NULL && getauxval(AT_SECURE) == 0)
		env_leave_children_in(environ);
}
