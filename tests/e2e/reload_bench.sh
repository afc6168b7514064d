#!/bin/sh
# reload_bench.sh - the load of bench/reload.c: every allocator and every kind
# of rotation has the same live bytes, the strays among them; poolcost.c runs.

. "${0%/*}/lib.sh"

reload=$BUILD/obj/bench/reload
jemalloc=$(ls /usr/lib/*/libjemalloc.so.2 2>/dev/null | head -n 1)
options='-n 12 -k 4 -m 8 -w 0 -q 20 -t 2'

# run NAME LIBRARY ROTATION: four readings; sets $live, all of them
run() {
	# shellcheck disable=SC2086 # words
	check "$1: it runs" env LD_PRELOAD="$2" "$reload" $options -r "$3"
	check_eq "$1: readings at 0, 4, 8 and 12" "0 4 8 12 " \
		"$(sed 1d check.out | cut -d, -f1 | tr '\n' ' ')"
	live=$(sed 1d check.out | cut -d, -f2 | tr '\n' ' ')
	cp check.out run.csv
}

run "libc's malloc" "" none
own=$live
last=$(tail -n 1 run.csv | cut -d, -f2)
check "live: 8 MiB, and 2 % of each of 8 reloads' bytes more" \
	holds "$last > 8388608 * 1.13 && $last < 8388608 * 1.2"
for rotation in none pool arenas cached; do
	run "rotating $rotation" "$LIB" "$rotation"
	check_eq "rotating $rotation: the same live bytes" "$own" "$live"
	check "rotating $rotation: no fewer bytes in blocks than live" \
		awk -F, 'NR > 2 && ($4 < $2 || $5 < $4 || $3 < $4) { exit 1 }' \
		run.csv
done
MALLOC_CONF=default_pool:4
export MALLOC_CONF
run "rotating default" "$LIB" default
unset MALLOC_CONF
check_eq "rotating default: the same live bytes" "$own" "$live"
LD_PRELOAD=$LIB "$reload" -r default >run.out 2>&1 &&
	fail "no default pool: it ends with an error"
check "no default pool: it says so" grep -q 'no default pool here' run.out
check "poolcost: it runs" env LD_PRELOAD="$LIB" "$BUILD/obj/bench/poolcost" 4 3
check_eq "poolcost: builds and teardowns, pages that stay and that go" 4 \
	"$(grep -c '^pages \(stay\|go\), ' check.out)"
"$BUILD/obj/bench/poolcost" 4 3 >run.out 2>&1 &&
	fail "poolcost, no pools: it ends with an error"
check "poolcost, no pools: it says so" grep -q 'no pools here' run.out
if [ -n "$jemalloc" ]; then
	run "jemalloc's arenas" "$jemalloc" arenas
	check_eq "jemalloc's arenas: the same live bytes" "$own" "$live"
	LD_PRELOAD=$jemalloc "$reload" -r pool >run.out 2>&1 &&
		fail "no pools under jemalloc: it ends with an error"
	check "no pools under jemalloc: it says so" \
		grep -q 'no pools here' run.out
else
	skip "jemalloc is not installed"
fi

# script BUILD OPTION...
script() {
	SRCDIR=$SRCDIR BUILD=$1 "$SRCDIR/bench/reload.sh" --demo "$2"
}
script "$tmp" -x >run.out 2>&1
check_eq "reload.sh, not built: exit status" 2 $?
check "reload.sh, not built: it says so" \
	grep -q 'not built: make obj/bench/reload$' run.out
script "$BUILD" -t0 >run.out 2>&1
check_eq "reload.sh, no run succeeds: exit status" 1 $?
check "reload.sh, no run succeeds: each is named" \
	grep -q '^strata-pool failed' run.out
finish
