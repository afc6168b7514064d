/*
 * filter.c - drops rows and frames of a model, as pprof's options do.
 *
 * The rows that stay are added to a new model, which then takes the old one's
 * place: what became equal by hiding frames is one row again. Whether a frame
 * matches an expression is worked out once for each frame, not for each row.
 */
#include "filter.h"

#include <errno.h>
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "units.h"
#include "xalloc.h"

enum pattern_kind { FOCUS, IGNORE, HIDE, SHOW, SHOW_FROM, THREAD, NPATTERNS };

enum { MAX_RANGES = 16 };		/* of one option; more is an error */

struct range {
	double low, high;		/* both inclusive */
};

struct ranges {
	bool given;
	int n;
	struct range items[MAX_RANGES];
};

struct pattern {
	bool given;
	regex_t regex;
};

struct matcher {
	const struct model *model;
	struct pattern patterns[NPATTERNS];
	struct ranges arena, generation, size, age;
	uint32_t *first_slot;		/* of each location; sites.c's idea */
	unsigned char *slots;		/* bit of each pattern that matches */
	struct model *out;
	uint32_t *stack;		/* of the row at hand */
	size_t stack_capacity;
};

/* --- what was asked for ------------------------------------------------- */

static const char *const pattern_options[NPATTERNS] = {
	"focus", "ignore", "hide", "show", "show-from", "thread",
};

static int
compile(struct matcher *m, enum pattern_kind kind, const char *text,
    struct model_error *error)
{
	char why[128];
	int status;

	if (text == NULL)
		return 0;
	status = regcomp(&m->patterns[kind].regex, text,
	    REG_EXTENDED | REG_NOSUB);
	if (status != 0) {
		regerror(status, &m->patterns[kind].regex, why, sizeof why);
		model_error_set(error, NULL, 0, "--%s: \"%s\": %s",
		    pattern_options[kind], text, why);
		return EINVAL;
	}
	m->patterns[kind].given = true;
	return 0;
}

static int
parse_plain(const char *text, double *out)
{
	char *end;

	errno = 0;
	*out = (double)strtoull(text, &end, 10);
	return *text < '0' || *text > '9' || *end != '\0' || errno != 0 ?
	    EINVAL : 0;
}

/* "3", "0-3", "16-", "-1k" */
static int
parse_range(char *text, int (*parse)(const char *, double *),
    struct range *out)
{
	char *dash = strchr(text, '-');

	*out = (struct range){ 0, INFINITY };
	if (dash == NULL) {
		if (parse(text, &out->low) != 0)
			return EINVAL;
		out->high = out->low;
		return 0;
	}
	*dash++ = '\0';
	if (*text == '\0' && *dash == '\0')
		return EINVAL;
	if (*text != '\0' && parse(text, &out->low) != 0)
		return EINVAL;
	if (*dash != '\0' && parse(dash, &out->high) != 0)
		return EINVAL;
	return out->low <= out->high ? 0 : EINVAL;
}

/* An option that takes ranges. */
struct range_option {
	const char *name;
	int (*parse)(const char *text, double *out);
	const char *examples;
};

static const struct range_option arena_option = { "arena", parse_plain,
    "3, 0-3 or 16-" };
static const struct range_option generation_option = { "generation",
    parse_plain, "3, 0-3 or 16-" };
static const struct range_option size_option = { "size", unit_parse_bytes,
    "64, 16-1k or 1M-" };
static const struct range_option age_option = { "age", unit_parse_duration,
    "10s-, 1m-1h or -1m" };

/* Ranges separated by commas. */
static int
parse_ranges(const struct range_option *option, const char *text,
    struct ranges *out, struct model_error *error)
{
	char *copy, *rest, *part;
	int status = 0;

	if (text == NULL)
		return 0;
	out->given = true;
	copy = rest = xstrdup(text);
	while (status == 0 && (part = strsep(&rest, ",")) != NULL)
		status = out->n == MAX_RANGES ? E2BIG :
		    parse_range(part, option->parse, &out->items[out->n++]);
	free(copy);
	if (status != 0)
		model_error_set(error, NULL, 0, "--%s: \"%s\" is not a list "
		    "of ranges such as %s", option->name, text,
		    option->examples);
	return status != 0 ? EINVAL : 0;
}

static bool
in_ranges(const struct ranges *ranges, double value)
{
	for (int i = 0; i < ranges->n; i++)
		if (value >= ranges->items[i].low &&
		    value <= ranges->items[i].high)
			return true;
	return false;
}

/* What is summed over generations 1..last is there if all are asked for. */
static bool
cover(const struct ranges *ranges, int64_t last)
{
	double next = 1, before;

	do {
		before = next;
		for (int i = 0; i < ranges->n; i++)
			if (next >= ranges->items[i].low &&
			    next <= ranges->items[i].high)
				next = ranges->items[i].high + 1;
	} while (next > before);
	return last > 0 && next > (double)last;
}

static bool
overlap(const struct ranges *ranges, int64_t last)
{
	for (int i = 0; i < ranges->n; i++)
		if (ranges->items[i].low <= (double)last &&
		    ranges->items[i].high >= 1)
			return true;
	return false;
}

static int
prepare(struct matcher *m, const struct filter *filter,
    struct model_error *error)
{
	const char *const texts[NPATTERNS] = { filter->focus, filter->ignore,
	    filter->hide, filter->show, filter->show_from, filter->thread };
	int status = 0;

	for (int i = 0; status == 0 && i < NPATTERNS; i++)
		status = compile(m, i, texts[i], error);
	if (status == 0)
		status = parse_ranges(&arena_option, filter->arena, &m->arena,
		    error);
	if (status == 0)
		status = parse_ranges(&generation_option, filter->generation,
		    &m->generation, error);
	if (status == 0)
		status = parse_ranges(&size_option, filter->size, &m->size,
		    error);
	if (status == 0)
		status = parse_ranges(&age_option, filter->age, &m->age,
		    error);
	return status;
}

/* --- frames ------------------------------------------------------------- */

static bool
matches(const struct pattern *pattern, const char *text)
{
	return *text != '\0' &&
	    regexec(&pattern->regex, text, 0, NULL, 0) == 0;
}

static unsigned char
match_frame(const struct matcher *m, const struct model_location *location,
    const struct model_line *line)
{
	const char *module = location->mapping == MODEL_NONE ? "" :
	    m->model->mappings[location->mapping].file;
	unsigned char bits = 0;

	for (int i = FOCUS; i <= SHOW_FROM; i++) {
		const struct pattern *pattern = &m->patterns[i];

		if (pattern->given && (matches(pattern, module) ||
		    (line != NULL && (matches(pattern, line->function) ||
		    matches(pattern, line->file)))))
			bits |= 1 << i;
	}
	return bits;
}

/* One slot for each line of each location, one where there is none. */
static void
match_frames(struct matcher *m)
{
	const struct model *model = m->model;
	uint32_t n = 0;

	m->first_slot = xcalloc(model->nlocations, sizeof *m->first_slot);
	for (uint32_t i = 0; i < model->nlocations; i++) {
		m->first_slot[i] = n;
		n += model->locations[i].nlines > 0 ?
		    model->locations[i].nlines : 1;
	}
	m->slots = xcalloc(n, 1);
	for (uint32_t i = 0; i < model->nlocations; i++) {
		const struct model_location *place = &model->locations[i];
		unsigned char *slots = m->slots + m->first_slot[i];

		if (place->nlines == 0)
			slots[0] = match_frame(m, place, NULL);
		for (uint32_t k = 0; k < place->nlines; k++)
			slots[k] = match_frame(m, place, &place->lines[k]);
	}
}

static uint32_t
slot_count(const struct matcher *m, uint32_t location)
{
	uint32_t n = m->model->locations[location].nlines;

	return n > 0 ? n : 1;
}

/* --- rows --------------------------------------------------------------- */

/* All the bits that any frame of the stack has. */
static unsigned char
stack_bits(const struct matcher *m, const struct model_stack *stack)
{
	unsigned char bits = 0;

	for (uint32_t i = 0; i < stack->depth; i++) {
		uint32_t location = stack->locations[i];

		for (uint32_t k = 0; k < slot_count(m, location); k++)
			bits |= m->slots[m->first_slot[location] + k];
	}
	return bits;
}

static bool
generation_passes(const struct ranges *ranges, const char *label)
{
	int64_t number = model_label_number(label);

	return model_label_is_folded(label) ? cover(ranges, number) :
	    in_ranges(ranges, (double)number);
}

static bool
others_pass(const struct matcher *m, const struct model_row *row)
{
	const struct model_labels *labels = row->labels;
	unsigned char bits = stack_bits(m, m->model->stacks[row->stack]);

	if (m->patterns[FOCUS].given && !(bits & 1 << FOCUS))
		return false;
	if (m->patterns[SHOW_FROM].given && !(bits & 1 << SHOW_FROM))
		return false;
	if (bits & 1 << IGNORE)
		return false;
	if (m->size.given && !in_ranges(&m->size, (double)labels->bytes))
		return false;
	if (m->age.given && !in_ranges(&m->age, (double)labels->age_ns))
		return false;
	return !m->patterns[THREAD].given || (labels->thread != NULL &&
	    matches(&m->patterns[THREAD], labels->thread));
}

/*
 * Of a row that its arena or its generation leaves out, and nothing else: if
 * it is a sum of which a part was wanted, the model says so.
 */
static void
note_left_out(struct matcher *m, const struct model_labels *labels,
    bool of_arena, bool of_generation)
{
	bool of_all_arenas = labels->arena == NULL &&
	    labels->generation != NULL;
	int64_t last = model_label_number(labels->generation);

	if (!of_arena && !of_all_arenas)
		return;
	if (!of_generation && !(model_label_is_folded(labels->generation) &&
	    overlap(&m->generation, last)))
		return;
	if (!of_arena)
		m->out->arenas_left_out = true;
	if (!of_generation && last > m->out->generations_left_out)
		m->out->generations_left_out = last;
}

static bool
row_passes(struct matcher *m, const struct model_row *row)
{
	const struct model_labels *labels = row->labels;
	bool of_arena, of_generation;

	if (!others_pass(m, row))
		return false;
	of_arena = !m->arena.given || in_ranges(&m->arena,
	    (double)model_label_number(labels->arena));
	of_generation = !m->generation.given ||
	    generation_passes(&m->generation, labels->generation);
	if (of_arena && of_generation)
		return true;
	note_left_out(m, labels, of_arena, of_generation);
	return false;
}

/* How many of the stack's frames lie within the outermost SHOW_FROM match. */
static uint32_t
visible_depth(const struct matcher *m, const struct model_stack *stack,
    uint32_t *last_slots)
{
	uint32_t depth = stack->depth;

	*last_slots = UINT32_MAX;
	if (!m->patterns[SHOW_FROM].given)
		return depth;
	for (; depth > 0; depth--) {
		uint32_t location = stack->locations[depth - 1];

		for (uint32_t k = slot_count(m, location); k > 0; k--) {
			if (m->slots[m->first_slot[location] + k - 1] &
			    1 << SHOW_FROM) {
				*last_slots = k;
				return depth;
			}
		}
	}
	return 0;
}

/* Copies a location with those of its first n lines that are to be seen. */
static void
add_visible(struct matcher *m, uint32_t index, uint32_t n, uint32_t *depth)
{
	struct model_location place = m->model->locations[index];
	struct model_line *lines = xcalloc(place.nlines, sizeof *lines);
	uint32_t nlines = 0, seen = 0;

	for (uint32_t k = 0; k < slot_count(m, index) && k < n; k++) {
		unsigned char bits = m->slots[m->first_slot[index] + k];

		if (bits & 1 << HIDE || (m->patterns[SHOW].given &&
		    !(bits & 1 << SHOW)))
			continue;
		seen++;
		if (place.nlines > 0)
			lines[nlines++] = place.lines[k];
	}
	place.lines = lines;
	place.nlines = nlines;
	if (seen > 0) {
		m->stack = xgrow(m->stack, *depth, &m->stack_capacity,
		    sizeof *m->stack);
		m->stack[(*depth)++] = model_add_location(m->out, &place);
	}
	free(lines);
}

static void
add_row(struct matcher *m, const struct model_row *row)
{
	const struct model_stack *stack = m->model->stacks[row->stack];
	uint32_t last_slots, depth = 0;
	uint32_t visible = visible_depth(m, stack, &last_slots);

	for (uint32_t i = 0; i < visible; i++)
		add_visible(m, stack->locations[i],
		    i + 1 == visible ? last_slots : UINT32_MAX, &depth);
	if (depth == 0 && stack->depth > 0)
		return;
	model_add_row(m->out, model_add_stack(m->out, m->stack, depth),
	    row->labels, row->values);
}

static void
matcher_free(struct matcher *m)
{
	for (int i = 0; i < NPATTERNS; i++)
		if (m->patterns[i].given)
			regfree(&m->patterns[i].regex);
	free(m->first_slot);
	free(m->slots);
	free(m->stack);
	model_free(m->out);
}

bool
filter_is_empty(const struct filter *filter)
{
	static const struct filter none;

	return memcmp(filter, &none, sizeof none) == 0;
}

int
filter_apply(struct model *model, const struct filter *filter,
    struct model_error *error)
{
	struct matcher m = { .model = model };
	struct model old;
	int status;

	if (filter_is_empty(filter))
		return 0;
	status = prepare(&m, filter, error);
	if (status != 0) {
		matcher_free(&m);
		return status;
	}
	match_frames(&m);
	m.out = model_new_like(model);
	for (uint32_t i = 0; i < model->nrows; i++) {
		if (row_passes(&m, &model->rows[i]))
			add_row(&m, &model->rows[i]);
	}
	old = *model;
	*model = *m.out;
	*m.out = old;
	matcher_free(&m);
	return 0;
}
