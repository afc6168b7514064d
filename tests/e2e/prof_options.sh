#!/bin/sh
# prof_options.sh - the profiler's lesser options do what they do in
# jemalloc: one program runs under both, and what they answer is compared.

. "${0%/*}/lib.sh"

jemalloc=$(ls /usr/lib/*/libjemalloc.so.2 2>/dev/null | head -n 1)
exact=prof:true,lg_prof_sample:0,prof_prefix:$tmp/p

# beside CONF WHAT: the same answers under jemalloc
beside() {
	under "$exact,$1" timeout 60 "$PROG/prof_options" "$2" >ours 2>&1 ||
		echo "status $?" >>ours
	if [ -n "$jemalloc" ]; then
		env MALLOC_CONF="$exact,$1" LD_PRELOAD="$jemalloc" \
			timeout 60 "$PROG/prof_options" "$2" >theirs 2>&1
		check_eq "$2: as jemalloc's" "$(cat theirs)" "$(cat ours)"
	else
		skip "$2: as jemalloc's (no libjemalloc2)"
	fi
}

# --- prof_stats -------------------------------------------------------------

beside prof_stats:true classes
check_eq 'prof_stats: what is in use and what ever was' \
	'bin live: 29965 bytes, 5 samples
bin accum: 59955 bytes, 10 samples' "$(head -n 2 ours)"
beside prof_stats:false no_classes

# --- prof_unbias, prof_accum ------------------------------------------------

# blocks CONF: jeprof's total of live and of allocated bytes, and of the header
blocks() {
	rm -f blocks
	under "prof:true,lg_prof_sample:12,prof_format:heap_v2,$1" \
		"$PROG/prof_options" blocks || return
	head -n 1 blocks
	for blocks_type in inuse alloc; do
		jeprof --show_bytes --text --${blocks_type}_space \
			"$PROG/prof_options" blocks 2>/dev/null |
			sed -n 's/^Total: \([0-9]*\) B$/\1/p'
	done
}

# of_mib NAME MIB BYTES: within 5 %, six times the standard error
of_mib() {
	if holds "$3 > 0.95 * $2 * 1048576 && $3 < 1.05 * $2 * 1048576"; then
		ok "$1"
	else
		fail "$1" "$2 MiB, and not $3 bytes"
	fi
}

if command -v jeprof >/dev/null; then
	blocks prof_unbias:false,prof_accum:true >totals
	check_eq 'prof_unbias:false: the period is in the first line' \
		heap_v2/4096 "$(sed -n 1p totals)"
	of_mib '... and jeprof scales what is in use' 64 "$(sed -n 2p totals)"
	of_mib '... and what ever was' 80 "$(sed -n 3p totals)"
	blocks prof_unbias:true >totals
	check_eq 'prof_unbias:true: the rate is 1' heap_v2/1 \
		"$(sed -n 1p totals)"
	of_mib '... and the figures are estimates' 64 "$(sed -n 2p totals)"
	check_eq 'prof_accum:false: nothing is said of freed blocks' 0 \
		"$(grep -c '^  t.*\[[^]]*[1-9]' blocks)"
else
	skip 'prof_unbias, prof_accum (no jeprof)'
fi

finish
