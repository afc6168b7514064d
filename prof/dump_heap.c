/*
 * dump_heap.c - see dump_heap.h.
 *
 *   heap_v2/<1, or R with prof_unbias:false>
 *     t*: <live objects>: <live bytes> [<allocated>: <allocated bytes>]
 *   # key: value
 *   @ 0x<innermost> 0x<its caller> ...
 *     t*: <live objects>: <live bytes> [<allocated>: <allocated bytes>]
 *
 *   MAPPED_LIBRARIES:
 *   <what /proc/self/maps says>
 */
#include "dump_heap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "estimate.h"
#include "os.h"
#include "util.h"

/* constant after boot: */
static bool accum, unbias;

/* What a line says. */
struct counts {
	uint64_t objects[2], space[2];	/* live, freed */
};

void
dump_heap_boot(const struct prof_options *options)
{
	accum = options->accum;
	unbias = options->unbias;
}

static void
put_counts(struct sink *sink, const struct counts *counts)
{
	sink_string(sink, "  t*: ");
	sink_decimal(sink, counts->objects[0]);
	sink_string(sink, ": ");
	sink_decimal(sink, counts->space[0]);
	sink_string(sink, " [");
	sink_decimal(sink, accum ? counts->objects[0] + counts->objects[1] :
	    0);
	sink_string(sink, ": ");
	sink_decimal(sink, accum ? counts->space[0] + counts->space[1] : 0);
	sink_string(sink, "]\n");
}

/*
 * Samples as a reader scales them by rate: those of an earlier period count
 * for as many as there would have been.
 */
static uint64_t
samples_at(const struct report_row *row, uint64_t rate)
{
	double p = estimate_probability(row->key.usable, rate);

	return row->key.rate == rate ? row->samples :
	    (uint64_t)(p * (double)row->objects + 0.5);
}

static void
add_row(struct counts *counts, const struct report_row *row, uint64_t rate)
{
	uint64_t samples;

	if (unbias) {
		counts->objects[row->freed] += row->objects;
		counts->space[row->freed] += row->space;
		return;
	}
	samples = samples_at(row, rate);
	counts->objects[row->freed] += samples;
	counts->space[row->freed] += samples * row->key.usable;
}

/*
 * jeprof looks frame 0 up as it is and the others less 1, so that they are
 * written as return addresses: one more than the look-up address, also for a
 * frame that a signal interrupted. "(other stacks)" gets address 1; without
 * any, jeprof would count the line for the stack before it.
 */
static void
put_stack(struct sink *sink, const struct stack *stack)
{
	sink_char(sink, '@');
	if (stack->depth == 0)
		sink_string(sink, " 0x1");
	for (size_t i = 0; i < stack->depth; i++) {
		sink_char(sink, ' ');
		sink_hex(sink, stack_lookup(stack, i) + (i > 0));
	}
	sink_char(sink, '\n');
}

/* The rows of one stack, from row i on; returns the first of the next. */
static size_t
put_site(struct sink *sink, const struct report *report, size_t i)
{
	const struct stack *stack = report->rows[i]->key.stack;
	struct counts counts = { .objects = { 0 } };

	for (; i < report->nrows && report->rows[i]->key.stack == stack; i++)
		add_row(&counts, report->rows[i], report->cut.rate);
	if (!accum && counts.objects[0] == 0)
		return i;
	put_stack(sink, stack);
	put_counts(sink, &counts);
	return i;
}

static void
put_header(struct sink *sink, const struct report *report)
{
	struct counts counts = { .objects = { 0 } };

	for (size_t i = 0; i < report->nrows; i++)
		add_row(&counts, report->rows[i], report->cut.rate);
	sink_string(sink, "heap_v2/");
	sink_decimal(sink, unbias ? 1 : report->cut.rate);
	sink_char(sink, '\n');
	put_counts(sink, &counts);
}

static void
put_fact(struct sink *sink, const char *fact)
{
	sink_string(sink, "# ");
	if (!unbias && strncmp(fact, "weights: ", 9) == 0)
		fact = "weights: raw";
	sink_string(sink, fact);
	sink_char(sink, '\n');
}

static void
put_maps(struct sink *sink, struct scratch *scratch)
{
	enum { AT_ONCE = 4096 };	/* the kernel gives no more */
	char *buf = scratch_alloc(scratch, AT_ONCE);
	long n;
	int fd;

	sink_string(sink, "\nMAPPED_LIBRARIES:\n");
	if (buf == NULL) {
		sink->error = sink->error != 0 ? sink->error : ENOMEM;
		return;
	}
	fd = os_open("/proc/self/maps", O_RDONLY, 0);
	if (fd < 0)
		return;
	while ((n = os_read(fd, buf, AT_ONCE)) > 0)
		sink_put(sink, buf, (size_t)n);
	os_close(fd);
}

void
dump_heap(struct sink *sink, struct report *report,
    const struct facts *facts)
{
	put_header(sink, report);
	for (size_t i = 0; i < facts->count; i++)
		put_fact(sink, facts->text[i]);
	for (size_t i = 0; i < report->nrows; )
		i = put_site(sink, report, i);
	put_maps(sink, &report->scratch);
}
