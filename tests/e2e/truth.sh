#!/bin/sh
# truth.sh - the mean of at least 1,000 seeded estimates is the truth, at
# several sampling rates, for counts and bytes, in both formats; a weight that
# is 3 % off is caught. (See truth.c for the bounds.)

. "${0%/*}/lib.sh"
rounds=${TRUTH_ROUNDS:-1000}

# truth FORMAT LG ROUNDS [SCALE]
truth() {
	truth_format=$1
	shift
	truth_lg=$1 truth_rounds=$2
	shift 2
	truth_conf=prof:true,prof_accum:true,lg_prof_sample:$truth_lg
	under "$truth_conf,prof_format:$truth_format" \
		"$PROG/truth" "$truth_lg" "$truth_rounds" "$tmp/profile" "$@"
}

# caught SCALE LG ROUNDS: true if the planted error is found, and only by that
caught() {
	truth pprof "$2" "$3" "$1" >caught.out 2>&1
	[ $? -eq 1 ] && grep -q 'estimates off' caught.out
}

check 'R = 1 is exact' truth pprof 0 20
for lg in 10 13 16 19; do
	check "R = 2^$lg: $rounds runs, native format" truth pprof $lg "$rounds"
done
check 'R = 2^14: the same in heap_v2' truth heap_v2 14 "$rounds"
for lg in 10 13 16; do
	check "R = 2^$lg: a weight 3 % too high is caught" \
		caught 1.03 $lg "$rounds"
	check "R = 2^$lg: a weight 3 % too low is caught" \
		caught 0.97 $lg "$rounds"
done
finish
