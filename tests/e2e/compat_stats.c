/*
 * compat_stats.c - malloc_stats_print: "compat_stats" says which sections
 * each letter leaves, "compat_stats options" which options the text has,
 * "compat_stats LETTERS" prints the JSON that they ask for.
 */
#include "compat.h"

static char text[8 << 20];
static size_t used;
static unsigned calls;

static void
take(void *opaque, const char *part)
{
	size_t len = strlen(part);

	if (used + len >= sizeof text || opaque != &used)
		die("too much text, or not our pointer");
	memcpy(text + used, part, len + 1);
	used += len;
	calls++;
}

static void
print(const char *letters)
{
	used = calls = 0;
	text[0] = '\0';
	malloc_stats_print(take, &used, letters);
}

/* What stands only in one section. */
static const struct section {
	const char *name, *sign;
} sections[] = {
	{ "begin", "___ Begin jemalloc statistics ___" },
	{ "end", "--- End jemalloc statistics ---" },
	{ "version", "Version: " },
	{ "build", "Build-time option settings" },
	{ "run", "Run-time option settings" },
	{ "opt.narenas", "opt.narenas: " },
	{ "opt.dirty_decay_ms", "opt.dirty_decay_ms: " },
	{ "opt.junk", "opt.junk: " },
	{ "opt.stats_print", "opt.stats_print: " },
	{ "opt.thp", "opt.thp: " },
	{ "profiling", "Profiling settings" },
	{ "arenas", "Arenas: " },
	{ "quantum", "Quantum size: " },
	{ "page", "Page size: " },
	{ "tcached", "Maximum thread-cached size class: " },
	{ "nbins", "Number of bin size classes: " },
	{ "nhbins", "Number of thread-cache bin size classes: " },
	{ "nlextents", "Number of large size classes: " },
	{ "allocated", "Allocated: " },
	{ "zero reallocs", "Count of realloc(non-null-ptr, 0) calls: " },
	{ "background", "Background threads: " },
	{ "mutexes of all", "background_thread  " },
	{ "merged", "Merged arenas stats:" },
	{ "destroyed", "Destroyed arenas stats:" },
	{ "arena 0", "arenas[0]:" },
	{ "decaying", "decaying:" },
	{ "small", "small:" },
	{ "large", "large:" },
	{ "total", "total:" },
	{ "active", "active:" },
	{ "mapped", "mapped:" },
	{ "retained", "retained:" },
	{ "base", "base:" },
	{ "internal", "internal:" },
	{ "tcache_bytes", "tcache_bytes:" },
	{ "resident", "resident:" },
	{ "abandoned_vm", "abandoned_vm:" },
	{ "extent_avail", "extent_avail:" },
	{ "bins", "bins:" },
	{ "extents", "extents:" },
	{ "mutexes of an arena", "extents_retained  " },
	{ "assigned threads", "assigned threads: " },
	{ "uptime", "uptime: " },
	{ "dss", "dss allocation precedence: " },
};

static void
check_letters(const char *letters)
{
	char line[64];

	print(letters);
	for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
		snprintf(line, sizeof line, "%s, letters %s",
		    sections[i].name, letters == NULL ? "none" : letters);
		say(line, "%s", strstr(text, sections[i].sign) != NULL ?
		    "yes" : "no");
	}
}

/* The lines of "Run-time option settings". */
static void
list_options(void)
{
	char *at;

	print(NULL);
	for (at = text; (at = strstr(at, "\n  opt.")) != NULL; at++) {
		char line[80];

		snprintf(line, sizeof line, "text has %.*s",
		    (int)strcspn(at + 3, ":"), at + 3);
		say(line, "yes");
	}
}

int
main(int argc, char **argv)
{
	static const char *const letters[] = { NULL, "", "g", "m", "d", "a",
	    "b", "l", "x", "e", "h", "ma", "gmdablxeh", "z" };

	compat_begin();
	if (argc > 1 && strcmp(argv[1], "options") == 0) {
		list_options();
		return 0;
	}
	free(malloc(100));
	free(malloc(100000));
	ctl_do(NAME("arena.%u.destroy", (ctl_unsigned("arenas.create"))));
	if (argc > 1) {
		print(argv[1]);
		fputs(text, stdout);
		return 0;
	}
	for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
		check_letters(letters[i]);
	return 0;
}
