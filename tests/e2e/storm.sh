#!/bin/sh
# storm.sh - dumps, signals, forks, cancellation, interrupted system calls and
# changes of the sampling rate at once; odd stacks under each unwinder.

. "${0%/*}/lib.sh"

storm() {
	under "$1" timeout -s KILL 400 "$PROG/storm" "${STORM_SECONDS:-4}"
}

check 'all at once' storm prof:true,lg_prof_sample:6,prof_prefix:a
more=prof_free_stacks:true,prof_unwind:fp
check 'all at once, frees unwound, by frame pointers' storm \
	prof:true,lg_prof_sample:8,prof_prefix:b,$more
more=prof_log:true,prof_recent_alloc_max:-1,prof_free_stacks:true
more=$more,prof_stats:true,prof_sys_thread_name:true
check 'all at once, single samples kept and logged' storm \
	prof:true,lg_prof_sample:6,prof_prefix:d,prof_max_memory:16777216,$more
# a child may have freed nothing
check_eq 'the logs are whole, and one has samples' 'array true' \
	"$(jq -s -r '"\([.[].allocations | type] | unique | join(" ")) " +
	([.[].allocations | length] | add > 0 | tostring)' d.*.json 2>&1)"
# Dumps by time and by bytes come on top; 2 MiB are not enough.
more=prof_dump_max:30,prof_interval_ms:20,lg_prof_interval:22
check 'all at once, memory for the profiler is short' storm \
	prof:true,lg_prof_sample:4,prof_prefix:c,prof_max_memory:2097152,$more
# Of one process: children have files of their own.
check 'no process keeps more than prof_dump_max' holds "$(ls c.*.pb |
	awk -F. '++n[$2] > most { most = n[$2] } END { print most }') == 30"

for conf in prof:false prof:true,lg_prof_sample:0 \
	prof:true,lg_prof_sample:0,prof_unwind:fp \
	prof:true,lg_prof_sample:0,prof_unwind:unw_step \
	prof:true,lg_prof_sample:0,prof_free_stacks:true \
	prof:true,lg_prof_sample:0,prof_bt_max:1024; do
	check "odd stacks: $conf" under $conf timeout -s KILL 60 \
		"$PROG/odd_stacks"
done
finish
