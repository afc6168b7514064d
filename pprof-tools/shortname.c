/*
 * shortname.c - leaves template arguments and inline namespaces out.
 */
#include "shortname.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

/* Length of the operator at p ("operator<<"), or 0. p > start unless first. */
static size_t
operator_length(const char *start, const char *p)
{
	static const char word[] = "operator";
	size_t n = sizeof word - 1;

	if (strncmp(p, word, n) != 0)
		return 0;
	if (p > start && (isalnum((unsigned char)p[-1]) || p[-1] == '_'))
		return 0;
	if (isalnum((unsigned char)p[n]) || p[n] == '_')
		return 0;
	/* Only those with angles need care: < << <= <=> <<= > >> -> ->* */
	while (p[n] != '\0' && strchr("<>=-", p[n]) != NULL && n < 12)
		n++;
	return n;
}

/* The '>' that closes the '<' at p, or NULL: then it is no bracket. */
static const char *
closing(const char *p)
{
	int depth = 0;

	for (; *p != '\0'; p++) {
		if (*p == '<')
			depth++;
		else if (*p == '>' && p[-1] != '-' && --depth == 0)
			return p;
	}
	return NULL;
}

/* "operator< <int>" of a template: the blank is the demangler's. */
static size_t
copy_operator(const char *p, size_t length, char *out)
{
	const char *close;

	/* "operator<int>" would be a conversion; it has no angle first. */
	memcpy(out, p, length);
	close = p[length] == ' ' && p[length + 1] == '<' ?
	    closing(p + length + 1) : NULL;
	return close == NULL ? length : (size_t)(close + 1 - p);
}

static bool
drop(char *text, const char *part, const char *with)
{
	char *at = strstr(text, part);

	if (at == NULL)
		return false;
	memmove(at + strlen(with), at + strlen(part),
	    strlen(at + strlen(part)) + 1);
	memcpy(at, with, strlen(with));
	return true;
}

static void
drop_all(char *text, const char *part, const char *with)
{
	while (drop(text, part, with))
		;
}

char *
short_name(const char *name)
{
	char *out = xmalloc(strlen(name) + 1), *to = out;

	for (const char *p = name; *p != '\0';) {
		size_t length = operator_length(name, p);
		const char *close;

		if (length > 0) {
			p += copy_operator(p, length, to);
			to += length;
			continue;
		}
		close = *p == '<' && p > name ? closing(p) : NULL;
		if (close != NULL) {
			*to++ = '<';
			*to++ = '>';
			p = close + 1;
			continue;
		}
		*to++ = *p++;
	}
	*to = '\0';
	drop_all(out, "std::__cxx11::", "std::");
	drop_all(out, "std::__1::", "std::");
	drop_all(out, "std::basic_string<>", "std::string");
	return out;
}
