/*
 * model.h - a profile in memory, whatever format it came from.
 *
 *   model -- types[]      "inuse_space"/"bytes", ...
 *         -- mappings[]   file, build id, address range, file offset
 *         -- locations[]  an address in a mapping, with its source lines
 *         -- stacks[]     location numbers, innermost first
 *         -- rows[]       stack + labels -> one value for each type
 *         -- exact        the allocator's own figures, from the comments
 *
 * Readers fill a model by the functions below; views read the fields and
 * write none. Everything is interned: equal strings and equal labels are the
 * same pointer, equal stacks have the same number, and a row with the same
 * stack and labels as an earlier one is added to it, so that a model grows with
 * the number of sites, not with that of files or events.
 *
 * Addresses: a location's address is the call's, never the return address;
 *   readers of formats that hold return addresses have subtracted 1.
 * Values: estimates of the program's figures, already unbiased.
 * Memory: strings, stacks and labels belong to the model and live as long.
 */
#ifndef STRATA_MODEL_H
#define STRATA_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MODEL_NONE = UINT32_MAX };	/* no mapping, no sample type */

/* Exit statuses of every subcommand. */
enum { EXIT_FINE = 0, EXIT_FINDINGS = 1, EXIT_USAGE = 2, EXIT_INPUT = 3 };

/* What is wrong with an input file, and where. */
#define MODEL_NOWHERE UINT64_MAX	/* not at one place in it */

struct model_error {
	char file[1024];
	uint64_t offset;		/* bytes, in the uncompressed data; or
					   MODEL_NOWHERE */
	char reason[256];
};

struct model_type {
	const char *type;		/* "inuse_space" */
	const char *unit;		/* "bytes" */
};

struct model_mapping {
	uint64_t start, limit;		/* addresses, limit exclusive */
	uint64_t offset;		/* of start in the file, bytes */
	const char *file;		/* as the process had it; "" unknown */
	const char *build_id;		/* lower-case hex; "" unknown */
	bool has_functions;		/* the producer symbolized it */
};

/* One source line; a location has several where calls were inlined. */
struct model_line {
	const char *function;		/* as shown: demangled; "" unknown */
	const char *system_name;	/* as linked; "" unknown */
	const char *file;		/* "" unknown */
	int64_t line;			/* 0 unknown */
	int64_t start_line;		/* of the function; 0 unknown */
};

struct model_location {
	uint64_t address;
	uint32_t mapping;		/* index, or MODEL_NONE */
	uint32_t nlines;		/* 0: not symbolized */
	struct model_line *lines;	/* innermost inlined frame first */
};

struct model_stack {
	uint32_t depth;
	uint32_t locations[];		/* innermost first */
};

/* A label the model has no field for; passed on by the writers. */
struct model_label {
	const char *key;
	const char *string;		/* NULL: the label is a number */
	int64_t number;
	const char *unit;		/* "" none */
};

/* What tells rows of one stack apart. Numbers: -1 unknown; strings: NULL. */
struct model_labels {
	int64_t bytes;			/* usable size of each object */
	int64_t rate;			/* R in bytes; readers fill it in */
	int64_t since;			/* number of the dump at its birth */
	const char *arena;		/* "arena 3" */
	const char *generation;		/* "generation 7" */
	int64_t lifetime_ns, age_ns;	/* lower edges of the buckets below */
	const char *lifetime;		/* bucket of a freed row */
	const char *age;		/* bucket of a live row */
	const char *thread;
	const struct model_label *other;
	uint32_t nother;
};

struct model_row {
	uint32_t stack;			/* index into stacks */
	const struct model_labels *labels;
	int64_t *values;		/* one for each type */
};

/*
 * The exact figures of the comments ("key: value"), in bytes unless the name
 * says otherwise; -1 or NULL where the profile has none.
 */
struct model_exact {
	const char *version, *command, *trigger;
	const char *pools;		/* "9:14 10:4", arena:generation */
	int64_t pid, sequence, generation, period;
	int64_t start_time_unix, time_unix_ns;
	int64_t live, allocated, active, resident, mapped, retained, metadata;
	int64_t tcache, dirty, muzzy, rss;
	int64_t thread_allocated, thread_deallocated;
	int64_t samples_live, samples_freed;
	int64_t dropped_samples, dropped, before_profiling, profiler;
	int64_t unsampled;
};

struct model {
	struct model_type *types;
	uint32_t ntypes;
	uint32_t default_type;		/* index into types */
	struct model_mapping *mappings;
	uint32_t nmappings;
	struct model_location *locations;
	uint32_t nlocations;
	struct model_stack **stacks;
	uint32_t nstacks;
	struct model_row *rows;
	uint32_t nrows;
	const char **comments;		/* those that exact does not hold */
	uint32_t ncomments;
	struct model_exact exact;
	struct model_type period_type;	/* NULL members: none */
	int64_t period;			/* R in bytes; 0 unknown */
	int64_t time_ns;		/* since 1970; 0 unknown */
	int64_t duration_ns;		/* 0 unknown */
	const char *format;		/* "pprof", "heap_v2", ... */
	uint32_t nfiles;		/* merged into this model */
	uint32_t repeated;		/* of these of one process, or 0 */
	int64_t repeated_pid;
	bool arenas_left_out;		/* freed rows of all arenas: filter.h */
	int64_t generations_left_out;	/* those of all up to it, or 0 */
	struct model_index *index;	/* private: model_index.h */
};

/* An empty model; its types are declared before the first row. */
struct model *model_new(void);
void model_free(struct model *model);

/* A model with another's types, mappings, header and figures, but no rows. */
struct model *model_new_like(const struct model *model);

/* The one copy of a string; bytes need not end in NUL. */
const char *model_string(struct model *model, const char *string);
const char *model_string_n(struct model *model, const char *bytes,
    size_t length);

/* Each returns the index, of an equal one if there is one. */
uint32_t model_add_type(struct model *model, const char *type,
    const char *unit);
uint32_t model_add_mapping(struct model *model,
    const struct model_mapping *mapping);
/* lines are copied, and are part of what makes locations equal. */
uint32_t model_add_location(struct model *model,
    const struct model_location *location);
uint32_t model_add_stack(struct model *model, const uint32_t *locations,
    uint32_t depth);
/* values: one for each type; added to those of an equal row, saturating. */
uint32_t model_add_row(struct model *model, uint32_t stack,
    const struct model_labels *labels, const int64_t *values);

/* Labels with every member unknown. */
struct model_labels model_labels_none(void);

/*
 * Keeps a comment: in exact or nfiles if its key is known, else as it is.
 * Readers set nfiles before.
 */
void model_add_comment(struct model *model, const char *comment);

/*
 * Calls each() with "key: value" for every figure that exact holds, and for
 * nfiles if there are several.
 */
void model_each_exact(const struct model *model,
    void (*each)(void *context, const char *comment), void *context);

/*
 * Replaces a location's lines (the symbolizer's result). model_add_location
 * goes on finding it by its old ones.
 */
void model_set_lines(struct model *model, uint32_t location,
    const struct model_line *lines, uint32_t nlines);

/*
 * Adds all of from, by sample-type name, mapping identity (build id or file)
 * and offset in it. Exact figures add up where both have them; what is said of
 * one process is left out where they differ. Fails (EINVAL,
 * *error filled but for the file) if the two have no sample type in common.
 */
int model_merge(struct model *into, const struct model *from,
    struct model_error *error);

/* The index of a sample type by name, or MODEL_NONE. */
uint32_t model_find_type(const struct model *model, const char *name);
/* The type that counts the objects of a space type, or MODEL_NONE. */
uint32_t model_objects_type(const struct model *model, uint32_t type);

/* The sum of one type over all rows. */
int64_t model_total(const struct model *model, uint32_t type);

/* The offset in its mapping's file, or the address where it has none. */
uint64_t model_location_offset(const struct model *model,
    uint32_t location);

/* The number in "arena 3", "generation 7" or "3"; -1 if there is none. */
int64_t model_label_number(const char *label);
/* "generation <= 84": the freed totals of all up to it. */
bool model_label_is_folded(const char *label);

/* Adds without overflow: stops at the ends of the range. */
int64_t model_add_saturating(int64_t a, int64_t b);

/* Notes what is wrong; file may be NULL (kept as it is). */
void model_error_set(struct model_error *error, const char *file,
    uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
