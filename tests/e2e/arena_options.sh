#!/bin/sh
# arena_options.sh - the programs that a malloc must stand, and the models of
# the allocator, with each option that changes where blocks come from.

. "${0%/*}/lib.sh"

# narenas: percpu_arena is refused without where not all CPUs may be used
percpu=percpu_arena:percpu,narenas:16
phycpu=percpu_arena:phycpu,narenas:16
oversize=oversize_threshold:50000
shards=bin_shards:8-14336:5
oblivious=cache_oblivious:true
all=$percpu,$oversize,$shards,$oblivious

# survives CONF NAME COMMAND...: ends with 0, its last line is ok
survives() {
	survives_name="$1: $2" survives_conf=$1
	shift 2
	under "$survives_conf" timeout -s KILL 60 "$@" >out 2>err
	survives_status=$?
	if [ $survives_status = 0 ] && [ "$(tail -n 1 out)" = ok ]; then
		ok "$survives_name"
	else
		fail "$survives_name" "status $survives_status" \
			"$(tail -n 5 out err)"
	fi
}

# model CONF TEST: a suite of the unit tests, which reads MALLOC_CONF. The
# longest needs 29 s of CPU time: the limit allows for a share of an eighth.
model() {
	check "$1: $2" env MALLOC_CONF="$1" timeout -s KILL 240 \
		"$BUILD/obj/tests/src/$2"
}

for conf in $percpu $phycpu $oversize $shards $oblivious; do
	survives "$conf" 'forks with threads in every state' \
		"$PROG/fork_states" 4
	survives "$conf" 'memory limit, threads' "$PROG/memory_limit" 20 2
	survives "$conf" 'threads by the hundred' "$PROG/many_threads" 500
	model "$conf" arena_test
done
for conf in $oblivious $oblivious,debug_page_size:65536; do
	model "$conf" malloc_test
done
model "$all" heap_model_test
STORM_SECONDS=2
export STORM_SECONDS
check 'all at once, sampled, all options' under \
	"$all,prof:true,lg_prof_sample:6,prof_prefix:s" \
	timeout -s KILL 60 "$PROG/storm" 2

# A block that begins within a page is a block; its neighbours are not.
# misuse HOW PATTERN: caught, with a line that says what
misuse() {
	(
		ulimit -c 0
		under $oblivious,safety_checks:true timeout 20 \
			"$PROG/misuse" "$1" >out 2>err
	) 2>/dev/null
	check "$oblivious: $1 is caught" grep -q "^<strata>: $2" err
}
misuse double_large 'Double free detected.*(pages that are not in use'
misuse interior_large 'Invalid deallocation detected'
check "$oblivious: nothing is said of right sizes" under \
	$oblivious,safety_checks:true timeout 20 "$PROG/misuse" right_sizes

# Addresses follow from what the program does, sampled or not.
# addresses OUT CONF
addresses() {
	setarch "$(uname -m)" -R env LD_PRELOAD="$LIB" MALLOC_CONF="narenas:1,\
dirty_decay_ms:-1,muzzy_decay_ms:-1,$oversize,$shards,$oblivious,$2" \
		"$PROG/same_addresses" 1 20000 >"$1"
}
if addresses off prof:false 2>/dev/null; then
	check 'there are addresses' holds "$(wc -l <off) > 5000"
	check 'sampled' addresses on prof:true,lg_prof_sample:0,prof_prefix:
	check 'sampling moves no block' cmp off on
else
	skip 'address randomization cannot be turned off here'
fi

# Of a process that may use one CPU of several.
cpu=$(taskset -cp $$ | sed 's/.*: *\([0-9]*\).*/\1/')
if [ "$(getconf _NPROCESSORS_CONF)" -gt 1 ]; then
	under percpu_arena:percpu taskset -c "$cpu" true 2>err
	check_eq 'one CPU of several: refused, as jemalloc does' \
		"<strata>: Number of CPUs detected is not deterministic. \
Per-CPU arena disabled." "$(grep Number err | sort -u)"
	under percpu_arena:percpu,narenas:4 taskset -c "$cpu" true 2>err
	check_eq 'unless narenas is given' '' "$(cat err)"
else
	skip 'one CPU'
fi
finish
