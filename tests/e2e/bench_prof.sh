#!/bin/sh
# bench_prof.sh - what `make bench-prof` runs, on tiny rounds; and its
# arithmetic, on figures whose ratios and verdicts are known.

. "${0%/*}/lib.sh"

results=$tmp/results
# The build is its own peer: turned off, the library costs what it costs.
bench() {
	SRCDIR=$SRCDIR BUILD=$BUILD NOPROF=$BUILD OUT=$results ROUNDS=2 \
		SCALE=10 "$SRCDIR/bench/profbars.sh" "$@"
}
# is SECTION WHAT WHO CONDITION on a row's fields, of which $5 is the figure
is() {
	awk -F, -v section="$1" -v what="$2" -v who="$3" \
		'$1 == section && $2 == what && $3 == who && NF == 9 &&
		    ('"$4"') { n++ } END { exit n != 1 }' "$results/bars.csv"
}

NAMES="perl tree true"
export NAMES
check "it runs" bench sampled every memory
check "nothing failed" sh -c '! grep -E "failed|no such" check.out'
check "a sample costs time" is sampled "malloc+free at 100 frames" strata \
	'$5 > 100 && $8 == 2000'
check "recording all of it slows down" is every "tree slowdown" strata '$5 > 1'
check "and is told of jemalloc" is every "tree slowdown" jemalloc '$5 > 1'
check "memory of a small program in KiB" is memory "true added RSS" strata \
	'$4 == "KiB" && $5 < 100000 && $8 == 512'

NAMES=mixed
check "instructions are counted" bench off rates
check "a library is as fast as itself" is off mixed strata \
	'$5 > -3 && $5 < 3'
check "every allocation costs more than each 512 KiB" awk -F, '
	$1 == "rates" && $3 == "strata" { cost[$2] = $5 }
	END {
		often = cost["mixed lg_prof_sample:0"]
		exit often <= 10 * cost["mixed lg_prof_sample:19"]
	}' "$results/bars.csv"

# bar RATIO...: the verdict on slowdowns that are RATIO of heaptrack's 10
bar() {
	round=0
	for ratio; do
		round=$((round + 1))
		for run in "strata-off 2" "strata-on $ratio" "glibc 1" \
			"heaptrack 10"; do
			echo "every/x,$round,${run% *},9,${run#* },8,1"
		done
	done | awk -f "$SRCDIR/bench/median.awk" -f "$SRCDIR/bench/profbars.awk" |
		grep "slowdown to heaptrack's" | cut -d, -f5,9
}
check_eq "a third is met" "0.2,met" "$(bar 4 5 3)"
check_eq "more is missed" "0.5,missed" "$(bar 10 11 9)"
check_eq "on both sides of it is open" "0.3,open" "$(bar 6 2 9)"

# 200 MiB are judged in per cent, fewer in KiB.
for run in x,strata-off,200 x,strata-512,203 y,strata-off,2 y,strata-512,2.25
do
	label=${run%%,*}
	run=${run#*,}
	echo "memory/$label,1,${run%,*},1,1,${run#*,},1"
done | awk -f "$SRCDIR/bench/median.awk" -f "$SRCDIR/bench/profbars.awk" >memory.out
check_eq "large and small" "%,1.5,missed KiB,256,met " \
	"$(cut -d, -f4,5,9 memory.out | tr '\n' ' ')"
finish
