#!/bin/sh
# same_addresses.sh - sampling moves nothing: a deterministic program gets the
# same addresses with the profiler off and with every allocation sampled.
# (jemalloc fails here from its first sample on: it moves each to a page.)

. "${0%/*}/lib.sh"
fixed=narenas:1,dirty_decay_ms:-1,muzzy_decay_ms:-1,background_thread:false

# addresses OUT CONF THREADS STEPS: false if randomization cannot be turned off
addresses() {
	addresses_out=$1 addresses_conf=$2
	shift 2
	setarch "$(uname -m)" -R env MALLOC_CONF="$fixed,$addresses_conf" \
		LD_PRELOAD="$LIB" "$PROG/same_addresses" "$@" >"$addresses_out"
}

# compare NAME CONF THREADS STEPS
compare() {
	compare_name=$1 compare_conf=$2
	shift 2
	if ! addresses on "$compare_conf" "$@"; then
		fail "$compare_name" "the program failed"
	elif cmp -s off on; then
		ok "$compare_name: $(wc -l <on) addresses"
	else
		fail "$compare_name" "$(wc -l <off) and $(wc -l <on) lines" \
			"$(diff off on | head -n 6)"
	fi
}

if ! setarch "$(uname -m)" -R true 2>/dev/null; then
	skip 'address randomization cannot be turned off here'
	finish
fi
for threads in 1 4; do
	steps=$((60000 / threads))
	addresses off prof:false $threads $steps
	check "$threads threads: enough addresses to compare" \
		holds "$(wc -l <off) > 20000"
	compare "$threads threads: the run repeats itself" prof:false \
		$threads $steps
	compare "$threads threads: every allocation sampled" \
		prof:true,lg_prof_sample:0 $threads $steps
	compare "$threads threads: sampled each 4 KiB" \
		prof:true,lg_prof_sample:12 $threads $steps
	compare "$threads threads: profiler on, sampling off" \
		prof:true,prof_active:false $threads $steps
done
# Other addresses must be seen as such: another number of steps of one thread.
addresses off prof:false 1 100
addresses on prof:false 1 101
check 'a difference of one allocation is seen' sh -c '! cmp -s off on'
finish
