#!/bin/sh
# throw_speed.sh - a C program's C++ plugin throws as fast under Strata as
# without it. With libunwind in the global scope its _Unwind_* come before
# libgcc's and a throw takes 30 times longer; the last test does just that, so
# that the measurement is known to see it.

. "${0%/*}/lib.sh"
rounds=7 times=2000

# throws CONF PRELOAD: nanoseconds for a throw
throws() {
	env MALLOC_CONF="$1" LD_PRELOAD="$2" \
		"$PROG/throw_speed" "$PROG/throw_plugin.so" $times
}

# median FILE: the middle line
median() {
	sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# Interleaved, so that a busy machine slows all alike.
i=0
while [ $i -lt $rounds ]; do
	throws '' '' >>plain
	throws prof:false "$LIB" >>off
	throws prof:true,prof_unwind:unw_step "$LIB" >>on
	throws prof:true,lg_prof_sample:0 "$LIB" >>all
	i=$((i + 1))
done
plain=$(median plain)

# at_most NAME FILE FACTOR
at_most() {
	this=$(median "$2")
	echo "$1: $this ns a throw, $plain ns without Strata"
	check "$1" holds "${this:-0} > 0 && $this < $3 * $plain"
}

at_most 'throws at its old speed with prof:false' off 2
at_most 'throws at its old speed with libunwind in use' on 2
# Here each exception object is sampled too: a few microseconds.
at_most 'throws with every allocation sampled' all 12

unwinder=$(ldconfig -p | sed -n 's/.*libunwind\.so\.8 .*=> //p' | head -n 1)
if [ -n "$unwinder" ]; then
	slow=$(throws '' "$unwinder")
	echo "with libunwind preloaded: $slow ns"
	check 'a preloaded libunwind is seen to be slower' \
		holds "$slow > 3 * $plain"
else
	skip 'a preloaded libunwind is seen to be slower: no libunwind.so.8'
fi
finish
