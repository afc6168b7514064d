/*
 * term.c - asks the terminal and the environment.
 */
#include "term.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static enum term_color_mode color_mode = TERM_COLOR_AUTO;

void
term_color_set(enum term_color_mode mode)
{
	color_mode = mode;
}

/* It would show control sequences as they are. */
static bool
is_dumb(void)
{
	const char *term = getenv("TERM");

	return term == NULL || strcmp(term, "dumb") == 0;
}

bool
term_color(FILE *out)
{
	const char *no = getenv("NO_COLOR");

	if (color_mode != TERM_COLOR_AUTO)
		return color_mode == TERM_COLOR_ALWAYS;
	if (no != NULL && *no != '\0')
		return false;
	if (is_dumb())
		return false;
	return isatty(fileno(out)) == 1;
}

size_t
term_width(FILE *out, size_t fallback)
{
	struct winsize size;

	if (isatty(fileno(out)) != 1)
		return fallback;
	if (ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return 80;
	return size.ws_col;
}

bool
term_unicode(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

void
term_progress(const char *label, size_t done, size_t total)
{
	if (isatty(STDERR_FILENO) != 1 || is_dumb())
		return;
	if (done < total)
		fprintf(stderr, "\r\033[K%s %zu of %zu", label, done + 1,
		    total);
	else
		fputs("\r\033[K", stderr);
	fflush(stderr);
}
