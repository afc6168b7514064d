/*
 * model_exact.c - the allocator's own figures, and comments in general.
 */
#include "model_exact.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "model_index.h"
#include "xalloc.h"

/*
 * How a figure of two merged profiles comes about. SAME: it is known of their
 * sum only if they agree.
 */
enum exact_merge { KEEP_FIRST, SAME, ADD, LARGEST };

struct exact_key {
	const char *key;
	size_t offset;
	bool is_string;
	enum exact_merge merge;
};

#define STRING(key, field, merge) \
	{ key, offsetof(struct model_exact, field), true, merge }
#define NUMBER(key, field, merge) \
	{ key, offsetof(struct model_exact, field), false, merge }

static const struct exact_key exact_keys[] = {
	/* That there is one tells whose rows they are. */
	STRING("strata_version", version, KEEP_FIRST),
	NUMBER("pid", pid, SAME),
	STRING("command", command, SAME),
	NUMBER("start_time_unix", start_time_unix, SAME),
	NUMBER("time_unix_ns", time_unix_ns, LARGEST),
	STRING("trigger", trigger, SAME),
	NUMBER("sequence", sequence, SAME),
	NUMBER("live_bytes", live, ADD),
	NUMBER("allocated_bytes", allocated, ADD),
	NUMBER("active_bytes", active, ADD),
	NUMBER("resident_bytes", resident, ADD),
	NUMBER("mapped_bytes", mapped, ADD),
	NUMBER("retained_bytes", retained, ADD),
	NUMBER("metadata_bytes", metadata, ADD),
	NUMBER("tcache_bytes", tcache, ADD),
	NUMBER("dirty_bytes", dirty, ADD),
	NUMBER("muzzy_bytes", muzzy, ADD),
	NUMBER("rss_bytes", rss, ADD),
	NUMBER("thread_allocated_bytes", thread_allocated, ADD),
	NUMBER("thread_deallocated_bytes", thread_deallocated, ADD),
	NUMBER("samples_live", samples_live, ADD),
	NUMBER("samples_freed", samples_freed, ADD),
	NUMBER("dropped_samples", dropped_samples, ADD),
	NUMBER("dropped_bytes", dropped, ADD),
	NUMBER("before_profiling_bytes", before_profiling, ADD),
	NUMBER("unsampled_bytes", unsampled, ADD),
	NUMBER("profiler_bytes", profiler, ADD),
	NUMBER("generation", generation, LARGEST),
	STRING("pools", pools, SAME),
	NUMBER("period", period, LARGEST),
};

enum { NEXACT = sizeof exact_keys / sizeof *exact_keys };

static const char **
exact_string(struct model_exact *exact, const struct exact_key *key)
{
	return (const char **)((char *)exact + key->offset);
}

static int64_t *
exact_number(struct model_exact *exact, const struct exact_key *key)
{
	return (int64_t *)((char *)exact + key->offset);
}

/* True if the comment was one of exact's and is now in it. */
static bool
exact_take(struct model *model, const char *comment)
{
	const char *colon = strstr(comment, ": ");
	char *end;
	long long number;

	for (size_t i = 0; colon != NULL && i < NEXACT; i++) {
		const struct exact_key *key = &exact_keys[i];

		if (strlen(key->key) != (size_t)(colon - comment) ||
		    strncmp(key->key, comment, colon - comment) != 0)
			continue;
		if (key->is_string) {
			*exact_string(&model->exact, key) =
			    model_string(model, colon + 2);
			return true;
		}
		errno = 0;
		number = strtoll(colon + 2, &end, 10);
		if (errno != 0 || end == colon + 2 || *end != '\0')
			return false;
		*exact_number(&model->exact, key) = number;
		return true;
	}
	return false;
}

/* Of what was merged before it was written. */
static bool
files_take(struct model *model, const char *comment)
{
	static const char key[] = "merged_files: ";
	char *end;
	long number;

	if (strncmp(comment, key, sizeof key - 1) != 0)
		return false;
	errno = 0;
	number = strtol(comment + sizeof key - 1, &end, 10);
	if (errno != 0 || number < 1 || number > UINT32_MAX || *end != '\0')
		return false;
	model->nfiles = (uint32_t)number;
	return true;
}

void
model_add_comment(struct model *model, const char *comment)
{
	const char *own;

	if (exact_take(model, comment) || files_take(model, comment))
		return;
	own = model_string(model, comment);
	for (uint32_t i = 0; i < model->ncomments; i++)
		if (model->comments[i] == own)
			return;
	model->comments = xgrow(model->comments, model->ncomments,
	    &model->index->comments_capacity, sizeof *model->comments);
	model->comments[model->ncomments++] = own;
}

void
model_each_exact(const struct model *model,
    void (*each)(void *context, const char *comment), void *context)
{
	struct model_exact exact = model->exact;
	char *files;

	for (size_t i = 0; i < NEXACT; i++) {
		const struct exact_key *key = &exact_keys[i];
		char *comment = NULL;

		if (!key->is_string && *exact_number(&exact, key) != -1)
			comment = xasprintf("%s: %lld", key->key,
			    (long long)*exact_number(&exact, key));
		else if (key->is_string && *exact_string(&exact, key) != NULL)
			comment = xasprintf("%s: %s", key->key,
			    *exact_string(&exact, key));
		if (comment != NULL)
			each(context, comment);
		free(comment);
	}
	if (model->nfiles < 2)
		return;
	files = xasprintf("merged_files: %" PRIu32, model->nfiles);
	each(context, files);
	free(files);
}

/* all: both are of profiles that have what this version of Strata knows. */
static void
exact_merge_number(int64_t *into, int64_t from, enum exact_merge merge,
    bool all)
{
	bool unknown = merge == SAME ? *into != from :
	    merge == ADD && !all && (*into == -1 || from == -1);

	if (unknown)
		*into = -1;
	if (unknown || merge == SAME || from == -1)
		return;
	if (*into == -1)
		*into = from;
	else if (merge == ADD)
		*into = model_add_saturating(*into, from);
	else if (merge == LARGEST && from > *into)
		*into = from;
}

/* Several commands are one, which no further one is equal to. */
static void
exact_merge_string(struct model *into, const char **string, const char *from,
    enum exact_merge merge)
{
	bool both = *string != NULL && from != NULL;

	if (merge == KEEP_FIRST)
		*string = *string != NULL ? *string :
		    model_string_or_null(into, from);
	else if (!both || strcmp(*string, from) != 0)
		*string = both && string == &into->exact.command ?
		    model_string(into, "(several programs)") : NULL;
}

void
model_merge_exact(struct model *into, const struct model *from)
{
	struct model_exact other = from->exact;
	/* A figure that one lacks is 0 in an older version's profile. */
	bool all = into->nfiles == 0 || (into->exact.version != NULL &&
	    other.version != NULL);

	for (size_t i = 0; i < NEXACT; i++) {
		const struct exact_key *key = &exact_keys[i];
		/* Nothing to agree with before the first one. */
		enum exact_merge merge = key->merge == SAME &&
		    into->nfiles == 0 ? KEEP_FIRST : key->merge;

		if (key->is_string)
			exact_merge_string(into, exact_string(&into->exact,
			    key), *exact_string(&other, key), merge);
		else
			exact_merge_number(exact_number(&into->exact, key),
			    *exact_number(&other, key), merge, all);
	}
}
