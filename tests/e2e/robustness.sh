#!/bin/sh
# robustness.sh - programs at the edges of what a malloc must stand, each with
# the profiler off and with every allocation sampled, and under options that
# change the allocator's ways.

. "${0%/*}/lib.sh"
many=${THREADS:-5000} forks=${FORKS:-60}

sampled=prof:true,lg_prof_sample:0,prof_prefix:$tmp/p
modes="prof:false $sampled
	prof:true,lg_prof_sample:12,dirty_decay_ms:0,prof_prefix:$tmp/p
	narenas:1,tcache:false background_thread:true,dirty_decay_ms:10"

# survives NAME SECONDS COMMAND...: ends with 0 and "ok" in every mode
survives() {
	survives_name=$1 survives_time=$2
	shift 2
	for mode in $modes; do
		under "$mode" timeout -s KILL "$survives_time" "$@" \
			>survives.out 2>survives.err
		survives_status=$?
		if [ $survives_status = 0 ] &&
			[ "$(tail -n 1 survives.out)" = ok ] &&
			[ ! -s survives.err ]; then
			ok "$survives_name: $mode"
		else
			fail "$survives_name: $mode" "status $survives_status" \
				"$(tail -n 5 survives.out survives.err)"
		fi
	done
}

survives 'edges of the public functions' 60 "$PROG/edge_cases"
for how in return exit quick; do
	survives "allocating before and after main ($how)" 20 \
		"$PROG/around_main" $how
done
survives 'forks with threads in every state' 400 "$PROG/fork_states" "$forks"

# Their handlers are registered before our constructor runs.
handled() {
	timeout -s KILL 60 env MALLOC_CONF="$1" \
		LD_PRELOAD="$LIB:$PROG/atfork_plugin.so" "$PROG/fork_states" 5
}
for mode in $modes; do
	check "fork handlers that allocate: $mode" handled "$mode"
done

# Not with background_thread, which outlives the last thread of the program.
modes="prof:false $sampled"
survives 'allocating before and after main (thread)' 20 \
	"$PROG/around_main" thread
# What the profiler takes it keeps: without a limit of its own, half of this.
modes="prof:false $sampled,prof_max_memory:4194304"
survives 'memory limit' 120 "$PROG/memory_limit" 60 1
survives 'memory limit, threads' 120 "$PROG/memory_limit" 40 3
modes="prof:false prof:true,lg_prof_sample:12"
survives 'threads by the thousand' 400 "$PROG/many_threads" "$many"
modes=$sampled
survives 'threads by the thousand, all sampled' 400 \
	"$PROG/many_threads" "$many" sampled

# Limits that are there before the first allocation: the program runs, or it
# fails as it would when memory is short, but it does not crash.
for mib in 300 100 60; do
	for mode in prof:false prof:true,lg_prof_sample:0; do
		(
			ulimit -v $((mib * 1024))
			exec env MALLOC_CONF=$mode LD_PRELOAD="$LIB" timeout 60 \
				"$PROG/memory_limit" 0 1
		) >limit.out 2>&1
		check_eq "ulimit -v of $mib MiB: $mode" ok \
			"$(tail -n 1 limit.out)"
	done
done
for mib in 40 20 10 5; do
	(
		ulimit -v $((mib * 1024))
		exec env MALLOC_CONF=prof:true LD_PRELOAD="$LIB" timeout 60 \
			"$PROG/around_main" exit
	) >limit.out 2>&1
	status=$?
	check "ulimit -v of $mib MiB: no crash (status $status)" \
		holds "$status < 128"
done

# Programs that a child of another user, or one with more rights, starts.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$tmp"
	cp "$LIB" "$PROG/around_main" "$tmp/"
	env MALLOC_CONF=prof:true LD_PRELOAD="$tmp/libstrata.so.1" setpriv \
		--reuid 65534 --regid 65534 --clear-groups \
		"$tmp/around_main" exit >user.out 2>&1
	check_eq 'another user without a place to write' ok \
		"$(tail -n 1 user.out)"
else
	skip 'another user: not root'
fi
finish
