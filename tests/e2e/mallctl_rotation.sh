#!/bin/sh
# mallctl_rotation.sh - the example that rotates arenas in one file: each entry
# lies in the arena meant for it, under Strata and jemalloc; memory comes back.

. "${0%/*}/lib.sh"

program=$BUILD/bin/mallctl-rotation
jemalloc=$(ls /usr/lib/*/libjemalloc.so.2 2>/dev/null | head -n 1)

# field NAME: the number before the word NAME in the last line
field() { sed -n "s/.* \([0-9]*\) $1.*/\1/p" run.out | tail -n 1; }

# run NAME LIBRARY ARENAS: sets $live and $resident
run() {
	check "$1: runs, nothing is misplaced" \
		env LD_PRELOAD="$2" "$program" "$3"
	cp check.out run.out
	live=$(field 'live bytes') resident=$(field resident)
}

run "libc's malloc" "" 4
check "libc's malloc: it says that nothing rotates" \
	grep -q '^no rotation' run.out
own_count=$live

run "as it is" "$LIB" 0
plain=$resident
run "rotated" "$LIB" 4
check "rotated: four arenas were" grep -q '^4 arenas rotated' run.out
check_eq "the program's own count does not depend on the malloc" \
	"$own_count" "$live"
check "rotated: $resident resident is below 1.5 of $live live" \
	holds "$resident < 1.5 * $live"
check "rotated: below 0.8 of the $plain as it is" \
	holds "$resident < 0.8 * $plain"

if [ -n "$jemalloc" ]; then
	run "jemalloc" "$jemalloc" 4
	check "jemalloc: four arenas were" \
		grep -q '^4 arenas rotated' run.out
else
	skip "jemalloc is not installed"
fi
finish
