/*
 * dump_heap.c - see dump_heap.h.
 *
 *   heap_v2/1
 *     t*: <live objects>: <live bytes> [<allocated>: <allocated bytes>]
 *   # key: value
 *   @ 0x<innermost> 0x<its caller> ...
 *     t*: <live objects>: <live bytes> [<allocated>: <allocated bytes>]
 *
 *   MAPPED_LIBRARIES:
 *   <what /proc/self/maps says>
 */
#include "dump_heap.h"

#include <fcntl.h>

#include "os.h"
#include "util.h"

static void
put_counts(struct sink *sink, uint64_t live_objects, uint64_t live_space,
    uint64_t all_objects, uint64_t all_space)
{
	sink_string(sink, "  t*: ");
	sink_decimal(sink, live_objects);
	sink_string(sink, ": ");
	sink_decimal(sink, live_space);
	sink_string(sink, " [");
	sink_decimal(sink, all_objects);
	sink_string(sink, ": ");
	sink_decimal(sink, all_space);
	sink_string(sink, "]\n");
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
	uint64_t objects[2] = { 0 }, space[2] = { 0 };	/* live, freed */

	for (; i < report->nrows; i++) {
		const struct report_row *row = report->rows[i];

		if (row->key.stack != stack)
			break;
		objects[row->freed] += row->objects;
		space[row->freed] += row->space;
	}
	put_stack(sink, stack);
	put_counts(sink, objects[0], space[0], objects[0] + objects[1],
	    space[0] + space[1]);
	return i;
}

static void
put_maps(struct sink *sink)
{
	char buf[4096];
	int fd = os_open("/proc/self/maps", O_RDONLY, 0);
	long n;

	sink_string(sink, "\nMAPPED_LIBRARIES:\n");
	if (fd < 0)
		return;
	while ((n = os_read(fd, buf, sizeof buf)) > 0)
		sink_put(sink, buf, (size_t)n);
	os_close(fd);
}

void
dump_heap(struct sink *sink, const struct report *report,
    const struct facts *facts)
{
	sink_string(sink, "heap_v2/1\n");
	put_counts(sink, report->live_objects, report->live_space,
	    report->live_objects + report->freed_objects,
	    report->live_space + report->freed_space);
	for (size_t i = 0; i < facts->count; i++) {
		sink_string(sink, "# ");
		sink_string(sink, facts->text[i]);
		sink_char(sink, '\n');
	}
	for (size_t i = 0; i < report->nrows; )
		i = put_site(sink, report, i);
	put_maps(sink);
}
