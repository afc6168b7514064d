/*
 * stats_fixture.h - statistics of a process as JSON, made by code: two
 * arenas, three bins, two large classes. Figures grow with the step, so that
 * steps 0, 1, 2 make a series; jemalloc: as Debian's 5.3.0 writes them.
 */
#ifndef STRATA_TESTS_STATS_FIXTURE_H
#define STRATA_TESTS_STATS_FIXTURE_H

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct stats_fixture {
	FILE *out;
	uint64_t step;
	bool jemalloc;			/* its keys, and its mistakes */
};

static inline void
stats_fixture_lock(const struct stats_fixture *f, const char *key,
    uint64_t ops)
{
	uint64_t waits = f->jemalloc ? ops : ops / 100;

	fprintf(f->out, "\"%s\":{\"num_ops\":%" PRIu64 ",\"num_wait\":%"
	    PRIu64 ",\"num_spin_acq\":%" PRIu64 ",\"num_owner_switch\":%"
	    PRIu64 ",\"total_wait_time\":%" PRIu64 ",\"max_wait_time\":%"
	    PRIu64 ",\"max_num_thds\":%d}", key, ops, waits,
	    f->jemalloc ? 0 : 2 * waits, f->jemalloc ? 0 : 3 * waits,
	    f->jemalloc ? 0 : waits * 50000, f->jemalloc ? 0 :
	    waits > 0 ? UINT64_C(90000) : 0, waits > 0 && !f->jemalloc);
}

static inline void
stats_fixture_bins(const struct stats_fixture *f, uint64_t k)
{
	static const uint64_t scale[] = { 0, 1000, 30 };

	fputs("\"bins\":[", f->out);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t n = k * scale[i], slabs = i == 1 ? n / 25 : n;

		fprintf(f->out, "%s{\"nmalloc\":%" PRIu64 ",\"ndalloc\":%"
		    PRIu64 ",\"curregs\":%" PRIu64 ",\"nrequests\":%" PRIu64
		    ",\"nfills\":%" PRIu64 ",\"nflushes\":%" PRIu64
		    "%s,\"nreslabs\":%" PRIu64 ",\"curslabs\":%" PRIu64
		    ",\"nonfull_slabs\":%" PRIu64 ",", i > 0 ? "," : "",
		    10 * n, 9 * n, n, 50 * n, n / 10, n / 11,
		    f->jemalloc ? "" : ",\"nslabs\":7", n / 100, slabs,
		    n / 300);
		stats_fixture_lock(f, "mutex", n / 2);
		fputs("}", f->out);
	}
	fputs("]", f->out);
}

static inline void
stats_fixture_arena(const struct stats_fixture *f, const char *key,
    uint64_t k)
{
	fprintf(f->out, "\"%s\":{\"nthreads\":%" PRIu64 ",\"uptime_ns\":%"
	    PRIu64 ",\"dss\":\"secondary\",\"dirty_decay_ms\":10000,"
	    "\"muzzy_decay_ms\":-1,\"pactive\":%" PRIu64 ",\"pdirty\":%"
	    PRIu64 ",\"pmuzzy\":%" PRIu64 ",\"dirty_npurge\":%" PRIu64
	    ",\"dirty_nmadvise\":20,\"dirty_purged\":%" PRIu64
	    ",\"muzzy_npurge\":1,\"muzzy_nmadvise\":2,\"muzzy_purged\":3,",
	    key, 2 * k, (f->step + 1) * UINT64_C(10000000000), 400 * k,
	    30 * k, 5 * k, 4 * k, 90 * k);
	fprintf(f->out, "\"small\":{\"allocated\":%" PRIu64 ",\"nmalloc\":%"
	    PRIu64 ",\"ndalloc\":%" PRIu64 ",\"nrequests\":%" PRIu64
	    ",\"nfills\":%" PRIu64 ",\"nflushes\":%" PRIu64 "},",
	    139264 * k, 10300 * k, 9270 * k, 51500 * k, 103 * k, 93 * k);
	fprintf(f->out, "\"large\":{\"allocated\":%" PRIu64 ",\"nmalloc\":%"
	    PRIu64 ",\"ndalloc\":4,\"nrequests\":%" PRIu64
	    ",\"nfills\":0,\"nflushes\":0},", 1048576 * k, 4 + 8 * k, 9 * k);
	fprintf(f->out, "\"mapped\":%" PRIu64 ",\"retained\":%" PRIu64
	    ",\"base\":65536,\"internal\":4096,\"metadata_thp\":0,"
	    "\"tcache_bytes\":%" PRIu64 ",\"tcache_stashed_bytes\":0,"
	    "\"resident\":%" PRIu64 ",\"abandoned_vm\":0,"
	    "\"extent_avail\":11,\"mutexes\":{", 2097152 * k, 524288 * k,
	    8192 * k, 1785856 * k);
	stats_fixture_lock(f, "extents_dirty", 400 * k);
	fputs(",", f->out);
	stats_fixture_lock(f, "extents_retained", 90 * k);
	fputs("},", f->out);
	stats_fixture_bins(f, k);
	fprintf(f->out, ",\"lextents\":[{%s\"curlextents\":0},{%s"
	    "\"curlextents\":%" PRIu64 "},{%s\"curlextents\":0}],"
	    "\"extents\":[{\"ndirty\":0,\"nmuzzy\":0,\"nretained\":0,"
	    "\"dirty_bytes\":0,\"muzzy_bytes\":0,\"retained_bytes\":0},"
	    "{\"ndirty\":%" PRIu64 ",\"nmuzzy\":0,\"nretained\":1,"
	    "\"dirty_bytes\":%" PRIu64 ",\"muzzy_bytes\":0,"
	    "\"retained_bytes\":524288}]}",
	    f->jemalloc ? "" : "\"nmalloc\":0,",
	    f->jemalloc ? "" : "\"nmalloc\":44,\"ndalloc\":4,", 8 * k,
	    f->jemalloc ? "" : "\"nmalloc\":0,", 15 * k,
	    UINT64_C(122880) * k);
}

static inline void
stats_fixture_general(const struct stats_fixture *f)
{
	fputs("\"config\":{\"stats\":true},\"opt\":{\"narenas\":8,"
	    "\"stats_print\":false,\"stats_print\":true,\"dss\":"
	    "\"secondary\",\"tcache\":true,\"muzzy_decay_ms\":-1},"
	    "\"arenas\":{\"narenas\":3,\"dirty_decay_ms\":10000,"
	    "\"muzzy_decay_ms\":-1,\"quantum\":16,\"page\":4096,"
	    "\"tcache_max\":32768,\"nbins\":3,\"bin\":["
	    "{\"size\":16,\"nregs\":256,\"slab_size\":4096,\"nshards\":1},"
	    "{\"size\":128,\"nregs\":32,\"slab_size\":4096,\"nshards\":1},"
	    "{\"size\":4096,\"nregs\":1,\"slab_size\":4096,\"nshards\":2}],"
	    "\"nlextents\":3,\"lextent\":[{\"size\":16384},"
	    "{\"size\":131072},{\"size\":8070450532247928832}]},", f->out);
}

/* One object, without a newline. */
static inline void
stats_fixture_write(const struct stats_fixture *f)
{
	uint64_t k = f->step + 1;

	fprintf(f->out, "{\"jemalloc\":{\"version\":\"%s\",", f->jemalloc ?
	    "5.3.0-0-g0" : "0.1.0");
	stats_fixture_general(f);
	fprintf(f->out, "\"stats\":{\"allocated\":%" PRIu64 ",\"active\":%"
	    PRIu64 ",\"metadata\":139264,\"metadata_thp\":0,\"resident\":%"
	    PRIu64 ",\"mapped\":%" PRIu64 ",\"retained\":%" PRIu64
	    ",\"zero_reallocs\":1,\"background_thread\":{\"num_threads\":1,"
	    "\"num_runs\":3,\"run_interval\":2000000},\"mutexes\":{",
	    3 * 1187840 * k, 3 * 1638400 * k, 3 * 1785856 * k,
	    3 * 2097152 * k, 3 * 524288 * k);
	stats_fixture_lock(f, "ctl", 1000 * k);
	fputs("}},\"stats.arenas\":{", f->out);
	if (!f->jemalloc) {
		stats_fixture_arena(f, "merged", 3 * k);
		fputs(",", f->out);
	}
	stats_fixture_arena(f, "0", k);
	fputs(",", f->out);
	stats_fixture_arena(f, "2", 2 * k);
	fputs("}}", f->out);
	if (!f->jemalloc)
		fprintf(f->out, ",\"strata\":{\"version\":\"0.1.0\","
		    "\"pid\":4711,\"time_unix_ns\":%" PRIu64
		    ",\"ncpus\":2,\"live\":%" PRIu64 ",\"tcache_bytes\":24576,\"foreign_handed\":0,"
		    "\"foreign_leaked\":0,\"prof\":{\"generation\":2,"
		    "\"samples\":12,\"dropped_samples\":1,"
		    "\"dropped_bytes\":512,\"memory\":65536,\"dumps\":3,"
		    "\"dump_errors\":0}}", UINT64_C(1790000000000000000) +
		    f->step * UINT64_C(10000000000), 3 * 1187840 * k - 24576);
	fputs("}", f->out);
}

/* A file of steps 0 .. steps - 1, each on its line. */
static inline void
stats_fixture_file(const char *path, uint64_t steps, bool jemalloc)
{
	struct stats_fixture f = { fopen(path, "w"), 0, jemalloc };

	assert(f.out != NULL);
	for (; f.step < steps; f.step++) {
		stats_fixture_write(&f);
		fputs("\n", f.out);
	}
	fclose(f.out);
}

#endif
