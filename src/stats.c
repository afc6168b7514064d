/*
 * stats.c - malloc_stats_print: who asks, what for, and where it goes.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "mallctl.h"
#include "message.h"
#include "options.h"
#include "os.h"
#include "stats.h"
#include "stats_out.h"
#include "names.h"

static void
stats_to_message(void *opaque, const char *text)
{
	message_write(text);
}

static void
stats_read_letters(struct stats_sections *sections, const char *letters)
{
	memset(sections, true, sizeof *sections);
	sections->json = false;
	for (; letters != NULL && *letters != '\0'; letters++)
		switch (*letters) {
		case 'J': sections->json = true; break;
		case 'g': sections->general = false; break;
		case 'm': sections->merged = false; break;
		case 'd': sections->destroyed = false; break;
		case 'a': sections->arenas = false; break;
		case 'b': sections->bins = false; break;
		case 'l': sections->large = false; break;
		case 'x': sections->mutexes = false; break;
		case 'e': sections->extents = false; break;
		case 'h': sections->hpa = false; break;
		default: break;		/* as jemalloc: unknown ones pass */
		}
}

EXPORT void
malloc_stats_print(void (*write_cb)(void *, const char *), void *cbopaque,
    const char *opts)
{
	struct stats_out out;
	int saved = errno;

	if (ctl_refresh() != 0) {
		message("Memory allocation failure in mallctl(\"epoch\", "
		    "...)");
		errno = saved;
		return;
	}
	out.write = write_cb != NULL ? write_cb : stats_to_message;
	out.opaque = cbopaque;
	out.used = 0;
	out.comma = false;
	stats_read_letters(&out.sections, opts);
	if (out.sections.json)
		stats_print_json(&out);
	else
		stats_print_text(&out);
	stats_flush(&out);
	errno = saved;
}

void
stats_exit(void)
{
	malloc_stats_print(NULL, NULL, opt.stats_print_opts);
}

void
stats_interval_event(void)
{
	malloc_stats_print(NULL, NULL, opt.stats_interval_opts);
}

/* --- to a descriptor ------------------------------------------------------ */

struct stats_fd {
	int fd, error;
};

static void
stats_to_fd(void *opaque, const char *text)
{
	struct stats_fd *to = opaque;
	int result;

	if (to->error != 0)
		return;
	result = os_write_all(to->fd, text, strlen(text));
	if (result < 0)
		to->error = -result;
}

int
stats_json(int fd)
{
	struct stats_fd to = { fd, 0 };

	malloc_stats_print(stats_to_fd, &to, "J");
	return to.error;
}
