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

/* Each letter's bit; as jemalloc: those without a meaning pass. */
static uint32_t
stats_read_letters(const char *text)
{
	uint32_t letters = 0;

	for (; text != NULL && *text != '\0'; text++)
		if (*text >= 'a' && *text <= 'z')
			letters |= 1u << (*text - 'a');
	return letters;
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
	out.letters = stats_read_letters(opts);
	if (opts != NULL && strchr(opts, 'J') != NULL)
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
