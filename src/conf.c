/*
 * conf.c - the grammar and the sources of MALLOC_CONF.
 *
 *   text   := pair [ "," pair ]*
 *   pair   := key ":" value          key = [A-Za-z0-9_]+, value without ","
 *   ranges := lo "-" hi ":" n [ "|" lo "-" hi ":" n ]*
 *
 * Numbers are C's: 10, 0x10, 010. All sources are read twice: confirm_conf
 * is looked for first, so that it tells of all others.
 *
 * Memory: none but what is declared here; runs before libc is initialised.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "conf.h"
#include "env.h"
#include "fmt.h"
#include "message.h"
#include "options.h"
#include "os.h"
#include "util.h"
#include "names.h"

/* Weak: a program's own definition comes first, in static ones too. */
EXPORT const char *malloc_conf __attribute__((weak));
EXPORT const char *malloc_conf_2_conf_harder __attribute__((weak));

/* What opt.malloc_conf.* tells; a program may overwrite its environment. */
enum { CONF_TEXT_MAX = 4096 };
static char conf_texts[CONF_NSOURCES][CONF_TEXT_MAX];
static bool conf_failed;	/* some value was not accepted */

/* --- values --------------------------------------------------------------- */

static bool
conf_equal(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(text, word, len) == 0;
}

static int
conf_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/*
 * A number as C's strtoumax reads it, at least one digit: blanks and a sign
 * may come first, and -1 is 2^64 - 1. *used is what it took. EINVAL if there
 * is none, or one of more than 64 bits.
 */
static int
conf_number(const char *text, size_t len, uint64_t *out, size_t *used)
{
	unsigned base = 10;
	size_t i = 0, start;
	uint64_t n = 0;
	bool minus;

	while (i < len && (text[i] == ' ' || (text[i] >= '\t' &&
	    text[i] <= '\r')))
		i++;
	minus = i < len && text[i] == '-';
	i += minus || (i < len && text[i] == '+');
	start = i;
	if (len - i > 2 && text[i] == '0' && (text[i + 1] | 32) == 'x') {
		base = 16;
		start = i += 2;
	} else if (len - i > 1 && text[i] == '0') {
		base = 8;
	}
	for (; i < len; i++) {
		unsigned digit = (unsigned)conf_digit(text[i]);

		if (digit >= base)
			break;
		if (n > (UINT64_MAX - digit) / base)
			return EINVAL;
		n = n * base + digit;
	}
	if (i == start)
		return EINVAL;
	*out = minus ? 0 - n : n;
	*used = i;
	return 0;
}

/* All of text as a number. */
static int
conf_whole(const char *text, size_t len, uint64_t *out)
{
	size_t used;
	int error = conf_number(text, len, out, &used);

	if (error == 0 && used != len)
		error = EINVAL;
	return error;
}

/* Negative ones are large ones here: out of bounds, or clipped. */
static int
conf_unsigned(const struct conf_option *option, const char *text, size_t len,
    uint64_t *out)
{
	uint64_t n;
	int error = conf_whole(text, len, &n);

	if (error != 0)
		return error;
	if (n == 0 && option->type == CONF_NARENAS)
		return ERANGE;		/* jemalloc: a minimum, not a clip */
	if (n < option->min || n > option->max) {
		if (!option->clip)
			return ERANGE;
		n = n < option->min ? option->min : option->max;
	}
	*out = n;
	return 0;
}

static int
conf_signed(const struct conf_option *option, const char *text, size_t len,
    int64_t *out)
{
	uint64_t n;
	int64_t value;
	int error = conf_whole(text, len, &n);

	if (error != 0)
		return error;
	value = (int64_t)n;
	if (value < (int64_t)option->min || value > (int64_t)option->max) {
		if (!option->clip)
			return ERANGE;
		value = value < (int64_t)option->min ?
		    (int64_t)option->min : (int64_t)option->max;
	}
	*out = value;
	return 0;
}

/* "3", "0.25", ".5", or "-1" where that is allowed: 16.16 fixed point. */
static int
conf_fixed_point(const struct conf_option *option, const char *text,
    size_t len, uint32_t *out)
{
	uint64_t whole = 0, part = 0, scale = 1;
	size_t i = 0;

	if ((int64_t)option->min == -1 && conf_equal(text, len, "-1")) {
		*out = UINT32_MAX;
		return 0;
	}
	for (; i < len && text[i] >= '0' && text[i] <= '9'; i++) {
		whole = whole * 10 + (unsigned)(text[i] - '0');
		if (whole > UINT16_MAX)
			return EINVAL;
	}
	if (i + 1 < len && text[i] == '.')
		for (i++; i < len && text[i] >= '0' && text[i] <= '9'; i++) {
			if (scale >= 100000000)
				continue;	/* beyond 16 bits anyway */
			part = part * 10 + (unsigned)(text[i] - '0');
			scale *= 10;
		}
	if (i != len || len == 0)
		return EINVAL;
	*out = (uint32_t)(whole << 16 | part * 65536 / scale);
	return 0;
}

static int
conf_bool(const char *text, size_t len, bool *out)
{
	bool yes = conf_equal(text, len, "true");

	if (!yes && !conf_equal(text, len, "false"))
		return EINVAL;
	*out = yes;
	return 0;
}

static int
conf_word_index(const struct conf_option *option, const char *text,
    size_t len, unsigned *out)
{
	for (unsigned i = 0; option->words[i] != NULL; i++)
		if (conf_equal(text, len, option->words[i])) {
			*out = i;
			return 0;
		}
	return EINVAL;
}

/* One "lo-hi:n"; *used is its length without the '|'. */
static int
conf_range(const char *text, size_t len, struct option_range *out,
    size_t *used)
{
	uint64_t part[3];
	const char *after = "-:|";
	size_t at = 0, n;
	int error;

	for (unsigned i = 0; i < 3; i++) {
		error = conf_number(text + at, len - at, &part[i], &n);
		if (error != 0)
			return error;
		at += n;
		if (i == 2 && at == len)
			break;
		if (at == len || text[at] != after[i])
			return EINVAL;
		at += i < 2;
	}
	if (part[0] > part[1])
		return EINVAL;
	*out = (struct option_range){ part[0], part[1], part[2] };
	*used = at;
	return 0;
}

static int
conf_ranges(const struct conf_option *option, const char *text, size_t len,
    struct option_ranges *out)
{
	struct option_ranges ranges;
	size_t at = 0, used;

	ranges.count = out->count;
	memcpy(ranges.range, out->range, sizeof ranges.range);
	do {
		struct option_range range;
		int error = conf_range(text + at, len - at, &range, &used);

		if (error != 0)
			return error;
		if (ranges.count == OPTION_RANGES_MAX ||
		    range.value < option->min || range.value > option->max)
			return ERANGE;
		ranges.range[ranges.count++] = range;
		at += used;
		/* a last '|' may stand there for nothing */
	} while (at < len && text[at++] == '|' && at < len);
	*out = ranges;
	return 0;
}

/* The signals that a program may want to give away; numbers do the rest. */
static const struct conf_signal {
	const char *name;
	int number;
} conf_signals[] = {
	{ "none", 0 }, { "default", -1 }, { "HUP", SIGHUP }, { "INT", SIGINT },
	{ "QUIT", SIGQUIT }, { "USR1", SIGUSR1 }, { "USR2", SIGUSR2 },
	{ "ALRM", SIGALRM }, { "TERM", SIGTERM }, { "URG", SIGURG },
	{ "VTALRM", SIGVTALRM }, { "PROF", SIGPROF }, { "WINCH", SIGWINCH },
	{ "IO", SIGIO }, { "PWR", SIGPWR },
};

static int
conf_signal(const char *text, size_t len, int *out)
{
	uint64_t n;

	if (conf_whole(text, len, &n) == 0) {
		if (n > 64 || n == SIGKILL || n == SIGSTOP)
			return ERANGE;
		*out = (int)n;
		return 0;
	}
	if (len > 3 && memcmp(text, "SIG", 3) == 0) {
		text += 3;
		len -= 3;
	}
	for (size_t i = 0; i < ARRAY_LEN(conf_signals); i++)
		if (conf_equal(text, len, conf_signals[i].name)) {
			*out = conf_signals[i].number;
			return 0;
		}
	/* RTMIN+n: what the C library says, not the kernel's 32 */
	if (len > 6 && memcmp(text, "RTMIN+", 6) == 0 &&
	    conf_whole(text + 6, len - 6, &n) == 0) {
		if (n > (uint64_t)(SIGRTMAX - SIGRTMIN))
			return ERANGE;
		*out = SIGRTMIN + (int)n;
		return 0;
	}
	return EINVAL;
}

static void
conf_string(const char *text, size_t len, char *out, size_t size,
    const char *letters)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 1 < size; i++)
		if (letters == NULL || (strchr(letters, text[i]) != NULL &&
		    memchr(out, text[i], n) == NULL))
			out[n++] = text[i];
	out[n] = '\0';
}

static int
conf_set_unsigned(const struct conf_option *option, const char *text,
    size_t len, void *into)
{
	uint64_t n;
	int error = conf_unsigned(option, text, len, &n);

	if (error != 0)
		return error;
	if (option->type == CONF_U64)
		*(uint64_t *)into = n;
	else if (option->type == CONF_SIZE)
		*(size_t *)into = n;
	else if (option->type == CONF_LG_SIZE)
		*(size_t *)into = (size_t)1 << n;
	else
		*(unsigned *)into = (unsigned)n;
	return 0;
}

static int
conf_set_signed(const struct conf_option *option, const char *text,
    size_t len, void *into)
{
	int64_t n;
	int error = conf_signed(option, text, len, &n);

	if (error != 0)
		return error;
	if (option->type == CONF_INT)
		*(int *)into = (int)n;
	else if (option->type == CONF_SSIZE)
		*(ssize_t *)into = n;
	else
		*(int64_t *)into = n;
	return 0;
}

/* Words, and those booleans that set several fields. */
static int
conf_set_words(const struct conf_option *option, const char *text,
    size_t len, void *into)
{
	struct alloc_options *all = into;
	unsigned index;
	bool yes;
	int error;

	if (option->type == CONF_CHECKS) {
		error = conf_bool(text, len, &yes);
		if (error == 0)
			all->check_invalid_free = all->check_double_free =
			    all->check_sized_free = yes;
		return error;
	}
	error = conf_word_index(option, text, len, &index);
	if (error != 0)
		return error;
	if (option->type == CONF_JUNK) {
		all->junk_alloc = (index & 1) != 0;
		all->junk_free = (index & 2) != 0;
	} else {
		*(unsigned *)into = (unsigned)option->min + index;
	}
	return 0;
}

int
conf_value(const struct conf_option *option, const char *text, size_t len,
    void *into)
{
	static const char letters[] = "Jgmdablxeh";

	if (into == NULL)
		into = option->where;
	switch (option->type) {
	case CONF_BOOL:
		return conf_bool(text, len, into);
	case CONF_NARENAS:
		if (conf_equal(text, len, "default")) {
			*(unsigned *)into = 0;
			return 0;
		}
		return conf_set_unsigned(option, text, len, into);
	case CONF_UNSIGNED:
	case CONF_SIZE:
	case CONF_U64:
	case CONF_LG_UNSIGNED:
	case CONF_LG_SIZE:
		return conf_set_unsigned(option, text, len, into);
	case CONF_SSIZE:
	case CONF_I64:
	case CONF_INT:
		return conf_set_signed(option, text, len, into);
	case CONF_FXP:
		return conf_fixed_point(option, text, len, into);
	case CONF_WORD:
	case CONF_JUNK:
	case CONF_CHECKS:
		return conf_set_words(option, text, len, into);
	case CONF_STRING:
		conf_string(text, len, into, option->max, NULL);
		return 0;
	case CONF_LETTERS:
		conf_string(text, len, into, option->max, letters);
		return 0;
	case CONF_RANGES:
		return conf_ranges(option, text, len, into);
	case CONF_SIGNAL:
		return conf_signal(text, len, into);
	}
	return EINVAL;
}

/* --- pairs ---------------------------------------------------------------- */

/* Options of the profiler; unknown, as any misspelt one, if it is left out. */
static bool
conf_is_prof(const char *name)
{
	return strncmp(name, "prof", 4) == 0 ||
	    strncmp(name, "lg_prof", 7) == 0;
}

const struct conf_option *
conf_find(const char *name, size_t len)
{
	for (const struct conf_option *o = conf_options; o->name != NULL; o++)
		if (conf_equal(name, len, o->name))
			return CONFIG_PROF || !conf_is_prof(o->name) ? o :
			    NULL;
	return NULL;
}

const char *
conf_word(const struct conf_option *option)
{
	unsigned index;

	if (option->where == NULL)
		return option->fixed;
	if (option->type == CONF_JUNK)
		index = opt.junk_alloc | (unsigned)opt.junk_free << 1;
	else
		index = *(unsigned *)option->where - (unsigned)option->min;
	return option->words[index];
}

struct conf_pair {
	const char *key, *value;
	size_t klen, vlen;
};

static void
conf_error(const char *what, const struct conf_pair *pair)
{
	static const char tolerated[] = "experimental_";

	message("%s: %.*s:%.*s", what, (int)pair->klen, pair->key,
	    (int)pair->vlen, pair->value);
	if (strncmp(pair->key, tolerated, sizeof tolerated - 1) != 0)
		conf_failed = true;
}

static void
conf_malformed(const char *what)
{
	message("%s", what);
	conf_failed = true;
}

/* An option nobody reads: its value is checked against its type anyway. */
static int
conf_check_only(const struct conf_option *option, const char *text, size_t len)
{
	struct conf_option copy = *option;
	union {
		uint64_t number;
		char text[64];
		struct option_ranges ranges;
	} sink = { .ranges = { .count = 0 } };

	if (copy.type == CONF_STRING)
		copy.max = sizeof sink.text;
	return conf_value(&copy, text, len, &sink);
}

static void
conf_refuse(const struct conf_option *option, int error,
    const struct conf_pair *pair)
{
	char what[64];

	if (option->type == CONF_RANGES) {
		fmt_buf(what, sizeof what, "Invalid settings for %s",
		    option->name);
		conf_error(what, pair);
	} else {
		conf_error(error == ERANGE ? "Out-of-range conf value" :
		    "Invalid conf value", pair);
	}
}

static void
conf_apply(const struct conf_pair *pair)
{
	const struct conf_option *option = conf_find(pair->key, pair->klen);
	int error;

	if (option == NULL) {
		conf_error("Invalid conf pair", pair);
		return;
	}
	if (option->where != NULL)
		error = conf_value(option, pair->value, pair->vlen, NULL);
	else
		error = conf_check_only(option, pair->value, pair->vlen);
	if (error != 0)
		conf_refuse(option, error, pair);
	else if (opt.confirm_conf)
		message("-- Set conf value: %.*s:%.*s%s", (int)pair->klen,
		    pair->key, (int)pair->vlen, pair->value,
		    option->where == NULL ? " (no effect)" : "");
}

static bool
conf_key_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    (c >= '0' && c <= '9') || c == '_';
}

/*
 * Cuts the next pair off *text; false at the end and after an error, of
 * which it tells if asked to.
 */
static bool
conf_next(const char **text, struct conf_pair *pair, bool tell)
{
	const char *at = *text;

	if (*at == '\0')
		return false;
	while (conf_key_char(*at))
		at++;
	if (*at != ':') {
		if (tell)
			conf_malformed(*at == '\0' ?
			    "Conf string ends with key" :
			    "Malformed conf string");
		return false;
	}
	pair->key = *text;
	pair->klen = (size_t)(at - *text);
	pair->value = ++at;
	at += strcspn(at, ",");
	pair->vlen = (size_t)(at - pair->value);
	if (*at == ',' && *++at == '\0' && tell)
		conf_malformed("Conf string ends with comma");
	*text = at;
	return true;
}

/* First pass: is there a confirm_conf? Errors are told in the second. */
static void
conf_look_for_confirm(const char *text)
{
	struct conf_pair pair;

	while (conf_next(&text, &pair, false))
		if (conf_equal(pair.key, pair.klen, "confirm_conf"))
			conf_bool(pair.value, pair.vlen, &opt.confirm_conf);
}

const char *
conf_source_name(enum conf_source source)
{
	static const char *const names[CONF_NSOURCES] = {
		"string specified via --with-malloc-conf",
		"string pointed to by the global variable malloc_conf",
		"\"name\" of the file referenced by the symbolic link named "
		    "/etc/malloc.conf",
		"value of the environment variable MALLOC_CONF",
		"string pointed to by the global variable "
		    "malloc_conf_2_conf_harder",
	};

	return names[source];
}

static void
conf_keep(enum conf_source source, const char *text)
{
	size_t len = strnlen(text, CONF_TEXT_MAX - 1);

	memcpy(conf_texts[source], text, len);
	conf_texts[source][len] = '\0';
}

void
conf_parse(enum conf_source source, const char *text)
{
	struct conf_pair pair;

	conf_keep(source, text);
	if (opt.confirm_conf)
		message("malloc_conf #%u (%s): \"%s\"", source + 1u,
		    conf_source_name(source), text);
	while (conf_next(&text, &pair, true))
		conf_apply(&pair);
}

/* --- sources -------------------------------------------------------------- */

const char *
conf_text(enum conf_source source)
{
	return conf_texts[source];
}

/* The symlink's target, or "". A plain file is no symlink: no options. */
static const char *
conf_symlink(char *buf, size_t size)
{
	static const char *const paths[] = {
		"/etc/malloc.conf", "/etc/malloc_conf"
	};

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		long len = os_readlink(paths[i], buf, size - 1);

		if (len > 0) {
			buf[len] = '\0';
			return buf;
		}
	}
	return "";
}

void
conf_imply(void)
{
	/* what a double free is about went away with the first free */
	conf_prof.free_stacks |= opt.check_double_free;
	conf_prof.leak |= conf_prof.leak_error;
	if (conf_prof.leak && !conf_prof.prof) {
		/* for the summary only: nothing is dumped in between */
		conf_prof.prof = true;
		conf_prof.gdump = false;
		conf_prof.lg_interval = -1;
		conf_prof.interval_ms = 0;
	}
}

void
conf_boot(void)
{
	static char target[PATH_MAX];
	const char *text[CONF_NSOURCES] = {
		[CONF_BUILD] = CONFIG_MALLOC_CONF,
		[CONF_SYMBOL] = malloc_conf,
		[CONF_SYMLINK] = conf_symlink(target, sizeof target),
		[CONF_ENV] = env_get("MALLOC_CONF"),
		[CONF_HARDER] = malloc_conf_2_conf_harder,
	};

	for (int i = 0; i < CONF_NSOURCES; i++) {
		if (text[i] == NULL)
			text[i] = "";
		conf_look_for_confirm(text[i]);
	}
	for (int i = 0; i < CONF_NSOURCES; i++)
		conf_parse(i, text[i]);
	conf_imply();
	if (opt.abort_conf && conf_failed) {
		message("Abort (abort_conf:true) on invalid conf value "
		    "(see above).");
		abort();
	}
}
