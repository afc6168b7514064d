/*
 * replace.h - writes a file that others may read at any time: they see the
 * old one or the new one, whole.
 */
#ifndef STRATA_REPLACE_H
#define STRATA_REPLACE_H

#include <stdbool.h>
#include <stdio.h>

struct replace {
	FILE *file;			/* write here */
	char *path;			/* of the file to be replaced */
	char *temporary;		/* beside it; NULL: written in place */
};

/*
 * Something that is no regular file (a device, a pipe) is written in place;
 * what a symbolic link points to is replaced, not the link. 0 or an errno
 * value; replace_close only after 0.
 */
int replace_open(const char *path, struct replace *out);

/* Puts it in place, or drops it if !keep. 0, or why it was not written. */
int replace_close(struct replace *replace, bool keep);

#endif
