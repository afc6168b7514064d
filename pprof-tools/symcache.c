/*
 * symcache.c - symbolized addresses on disk, by build id.
 *
 *   "STRSYM1\n"  hash of what follows
 *   source  has_lines  number of strings, each with its NUL
 *   number of symbols, each: offset, number of lines,
 *       each line: name, linkage, file (string numbers), line, start line
 *
 * All numbers are 64 bits in the machine's order: the cache is not for
 * carrying elsewhere. Nothing read is trusted before the hash is checked, and
 * nothing after it without a bound.
 */
#include "symcache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xalloc.h"

static const char magic[8] = "STRSYM1\n";

/* CACHE_MAX: far beyond any real one */
enum { HEADER_BYTES = 16, CACHE_MAX = 1 << 28 };

struct bytes {
	char *at;
	size_t n, capacity;
};

/* --- paths -------------------------------------------------------------- */

/* A home that is missing, as /nonexistent is for daemons, is not made. */
static bool
is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

char *
symcache_default_dir(void)
{
	const char *cache = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");

	if (cache != NULL && *cache == '/')
		return xasprintf("%s/strata", cache);
	if (home != NULL && *home == '/' && is_folder(home))
		return xasprintf("%s/.cache/strata", home);
	return NULL;
}

/* A build id becomes part of a path: only hex digits may. */
static bool
is_hex(const char *text)
{
	return strlen(text) >= 4 &&
	    strspn(text, "0123456789abcdef") == strlen(text) &&
	    strlen(text) <= 128;
}

static char *
path_of(const char *dir, const char *build_id)
{
	return xasprintf("%s/%.2s/%s.sym", dir, build_id, build_id + 2);
}

/* Makes the folders above a path. */
static void
make_folders(const char *path)
{
	char *copy = xstrdup(path);

	for (char *slash = strchr(copy + 1, '/'); slash != NULL;
	    slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(copy, 0700);
		*slash = '/';
	}
	free(copy);
}

/* --- writing ------------------------------------------------------------ */

static void
put(struct bytes *out, const void *from, size_t n)
{
	while (out->capacity < out->n + n)
		out->at = xgrow(out->at, out->capacity, &out->capacity, 1);
	memcpy(out->at + out->n, from, n);
	out->n += n;
}

static void
put_number(struct bytes *out, uint64_t number)
{
	put(out, &number, sizeof number);
}

static void
put_symbol(struct bytes *out, struct strpool *strings,
    const struct symbol *symbol)
{
	put_number(out, symbol->vaddr);
	put_number(out, symbol->nlines);
	for (uint32_t i = 0; i < symbol->nlines; i++) {
		const struct symbol_line *line = &symbol->lines[i];

		put_number(out, strpool_number(strings, line->name));
		put_number(out, strpool_number(strings, line->linkage));
		put_number(out, strpool_number(strings, line->file));
		put_number(out, (uint64_t)line->line);
		put_number(out, (uint64_t)line->start_line);
	}
}

static void
put_cache(struct bytes *out, const struct symcache *cache)
{
	struct strpool strings = { 0 };
	struct bytes symbols = { 0 };

	for (size_t i = 0; i < cache->n; i++)
		put_symbol(&symbols, &strings, &cache->symbols[i]);
	put_number(out, cache->source);
	put_number(out, cache->has_lines);
	put_number(out, strings.n);
	for (size_t i = 0; i < strings.n; i++)
		put(out, strings.strings[i], strlen(strings.strings[i]) + 1);
	put_number(out, cache->n);
	put(out, symbols.at, symbols.n);
	free(symbols.at);
	strpool_free(&strings);
}

char *
symcache_pack(const struct symcache *cache, size_t *length)
{
	struct bytes body = { 0 }, file = { 0 };

	put_cache(&body, cache);
	put(&file, magic, sizeof magic);
	put_number(&file, table_hash(body.at, body.n, 0));
	put(&file, body.at, body.n);
	free(body.at);
	*length = file.n;
	return file.at;
}

/* Writes beside the path and renames. */
static int
replace_file(const char *path, const char *bytes, size_t length)
{
	char *beside = xasprintf("%s.%ld", path, (long)getpid());
	int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int error = fd < 0 ? errno : 0;

	if (error == 0) {
		ssize_t n = write(fd, bytes, length);

		if (n != (ssize_t)length)
			error = n < 0 ? errno : ENOSPC;
		if (close(fd) != 0 && error == 0)
			error = errno;
		if (error == 0 && rename(beside, path) != 0)
			error = errno;
		if (error != 0)
			unlink(beside);
	}
	free(beside);
	return error;
}

int
symcache_save(const char *dir, const char *build_id,
    const struct symcache *cache)
{
	size_t length;
	char *path, *file;
	int error;

	if (!is_hex(build_id))
		return EINVAL;
	file = symcache_pack(cache, &length);
	path = path_of(dir, build_id);
	make_folders(path);
	error = replace_file(path, file, length);
	free(path);
	free(file);
	return error;
}

/* --- reading ------------------------------------------------------------ */

/* What is left to read; at is NULL after an error. */
struct rest {
	const char *at, *end;
};

static uint64_t
get_number(struct rest *rest)
{
	uint64_t number;

	if (rest->at == NULL || rest->end - rest->at < 8) {
		rest->at = NULL;
		return 0;
	}
	memcpy(&number, rest->at, sizeof number);
	rest->at += sizeof number;
	return number;
}

/* A number of things that take at least `each` bytes. */
static uint64_t
get_count(struct rest *rest, size_t each)
{
	uint64_t n = get_number(rest);

	if (rest->at != NULL && n > (uint64_t)(rest->end - rest->at) / each)
		rest->at = NULL;
	return rest->at == NULL ? 0 : n;
}

static const char *
get_string(struct rest *rest, struct strpool *pool)
{
	const char *start = rest->at, *nul;

	if (start == NULL)
		return "";
	nul = memchr(start, '\0', (size_t)(rest->end - start));
	rest->at = nul == NULL ? NULL : nul + 1;
	return nul == NULL ? "" : strpool_add(pool, start);
}

struct string_list {
	const char **items;
	uint64_t n;
};

static const char *
get_listed(struct rest *rest, const struct string_list *strings)
{
	uint64_t number = get_number(rest);

	if (number < strings->n)
		return strings->items[number];
	rest->at = NULL;
	return "";
}

static void
get_symbol(struct rest *rest, const struct string_list *strings,
    struct symbol *out)
{
	out->vaddr = get_number(rest);
	out->nlines = (uint32_t)get_count(rest, 40);
	out->lines = xcalloc(out->nlines, sizeof *out->lines);
	for (uint32_t i = 0; i < out->nlines; i++) {
		out->lines[i].name = get_listed(rest, strings);
		out->lines[i].linkage = get_listed(rest, strings);
		out->lines[i].file = get_listed(rest, strings);
		out->lines[i].line = (int64_t)get_number(rest);
		out->lines[i].start_line = (int64_t)get_number(rest);
	}
}

static int
get_cache(struct rest *rest, struct strpool *pool, struct symcache *out)
{
	struct string_list strings;
	struct symcache cache = { 0 };

	cache.source = get_number(rest);
	cache.has_lines = get_number(rest) != 0;
	strings.n = get_count(rest, 1);
	strings.items = xcalloc(strings.n, sizeof *strings.items);
	for (uint64_t i = 0; i < strings.n; i++)
		strings.items[i] = get_string(rest, pool);
	cache.n = get_count(rest, 16);
	cache.symbols = xcalloc(cache.n, sizeof *cache.symbols);
	for (size_t i = 0; i < cache.n && rest->at != NULL; i++)
		get_symbol(rest, &strings, &cache.symbols[i]);
	free(strings.items);
	if (rest->at == NULL) {
		symcache_free(&cache);
		return EINVAL;
	}
	*out = cache;
	return 0;
}

/* The whole file, or NULL. */
static char *
slurp(const char *path, size_t *n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	char *bytes = NULL;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
	    status.st_size >= HEADER_BYTES && status.st_size <= CACHE_MAX) {
		*n = (size_t)status.st_size;
		bytes = xmalloc(*n);
		if (read(fd, bytes, *n) != (ssize_t)*n) {
			free(bytes);
			bytes = NULL;
		}
	}
	close(fd);
	return bytes;
}

int
symcache_load(const char *dir, const char *build_id, struct strpool *pool,
    struct symcache *out)
{
	char *path, *bytes;
	size_t n = 0;
	int error;

	if (!is_hex(build_id))
		return EINVAL;
	path = path_of(dir, build_id);
	bytes = slurp(path, &n);
	free(path);
	if (bytes == NULL)
		return ENOENT;
	error = symcache_unpack(bytes, n, pool, out);
	free(bytes);
	return error;
}

int
symcache_unpack(const char *bytes, size_t length, struct strpool *pool,
    struct symcache *out)
{
	struct rest rest = { bytes + HEADER_BYTES, bytes + length };
	uint64_t hash;

	if (length < HEADER_BYTES ||
	    memcmp(bytes, magic, sizeof magic) != 0)
		return EINVAL;
	memcpy(&hash, bytes + sizeof magic, sizeof hash);
	if (table_hash(rest.at, length - HEADER_BYTES, 0) != hash)
		return EINVAL;
	return get_cache(&rest, pool, out);
}

void
symcache_free(struct symcache *cache)
{
	for (size_t i = 0; i < cache->n; i++)
		free(cache->symbols[i].lines);
	free(cache->symbols);
	*cache = (struct symcache){ 0 };
}
