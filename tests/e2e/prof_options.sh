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

finish
