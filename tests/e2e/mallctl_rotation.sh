#!/bin/sh
# mallctl_rotation.sh - the example that rotates in one file: each entry lies in
# the arena meant for it, a pool's or one made by hand, under Strata and
# jemalloc; memory comes back.

. "${0%/*}/lib.sh"

program=$BUILD/bin/mallctl-rotation
jemalloc=$(ls /usr/lib/*/libjemalloc.so.2 2>/dev/null | head -n 1)

# field NAME: the number before the word NAME in the last line
field() { sed -n "s/.* \([0-9]*\) $1.*/\1/p" run.out | tail -n 1; }

# run NAME LIBRARY ARENAS [manual]: sets $live and $resident
run() {
	run_name=$1 run_library=$2
	shift 2
	check "$run_name: runs, nothing is misplaced" \
		env LD_PRELOAD="$run_library" "$program" "$@"
	cp check.out run.out
	live=$(field 'live bytes') resident=$(field resident)
}

run "libc's malloc" "" 4
check "libc's malloc: it says that nothing rotates" \
	grep -q '^no rotation' run.out
own_count=$live

run "as it is" "$LIB" 0
plain=$resident

# comes_back NAME WHAT
comes_back() {
	check "$1: by a $2" grep -q "^$2 of 4 arenas" run.out
	check_eq "$1: the program's own count does not depend on it" \
		"$own_count" "$live"
	check "$1: $resident resident is below 1.5 of $live live" \
		holds "$resident < 1.5 * $live"
	check "$1: below 0.8 of the $plain as it is" \
		holds "$resident < 0.8 * $plain"
}

run "pool" "$LIB" 4
comes_back "pool" pool
run "manual arenas" "$LIB" 4 manual
comes_back "manual arenas" ring

if [ -n "$jemalloc" ]; then
	run "jemalloc" "$jemalloc" 4
	check "jemalloc: it has no pools, arenas rotate" \
		grep -q '^ring of 4 arenas' run.out
else
	skip "jemalloc is not installed"
fi
finish
