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

# classes_json CONF: of the class of 48 bytes in the statistics, of all its
# blocks and of the samples; and how many keys of samples there are in all
classes_json() {
	under "$exact,stats_print:true,stats_print_opts:J,$1" perl -e 1 \
		2>stats.json
	jq -r '.jemalloc."stats.arenas" |
		[.merged.bins[3] | .nmalloc, .nmalloc - .ndalloc,
		.prof_accum_count, .prof_live_count,
		.prof_live_requested <= 48 * (.prof_live_count // 0),
		.prof_live_requested > 32 * (.prof_live_count // 0)] +
		[[.. | objects | select(has("prof_live_count"))] | length] |
		map(tostring) | join(" ")' stats.json
}

# caches hold some of what is freed, hence the second figure is not the fourth
read -r made kept sampled live bound above keys <<END
$(classes_json tcache:false,prof_stats:true)
END
check 'prof_stats: the statistics have them' \
	holds "$sampled > 0.9 * $made && $sampled <= $made && $live <= $kept"
check_eq '... as bytes asked for' 'true true' "$bound $above"
check_eq '... of all size classes, once' 232 "$keys"
check_eq 'no prof_stats: they have not' 0 \
	"$(classes_json prof_stats:false | awk '{ print $NF }')"
check_eq '... and nothing else of prof.stats and experimental' \
	'active gdump interval lg_sample thread_active_init false' \
	"$(jq -r '(.jemalloc.prof | keys | join(" ")) + " " +
		(.jemalloc | has("experimental") | tostring)' stats.json)"

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

# --- prof_recent_alloc_max, prof_log, prof_sys_thread_name ------------------

records() { python3 "$SRCDIR/tests/e2e/prof_records.py" "$@"; }

# recent CONF LIBRARY
recent() {
	env MALLOC_CONF="$exact,$1" LD_PRELOAD="$2" \
		"$PROG/prof_options" recent >lines 2>err && records recent lines
}

recent prof_recent_alloc_max:3 "$LIB" >ours 2>&1
check_eq 'the newest samples, freed or not' \
	'1 3
    100 of 112 by the main one
    70000 of 81920 by the main one freed by the main one
    3000 of 3072 by the main one
1 2
    70000 of 81920 by the main one freed by the main one
    3000 of 3072 by the main one
1 2
    3000 of 3072 by the main one freed by the main one
    9 of 16 by the main one
1 0
1 -1
    11 of 16 by the main one' "$(cat ours)"

# logs LIBRARY CONF: what the log of the program's work says
logs() {
	rm -f first second
	env MALLOC_CONF="$exact,$2" LD_PRELOAD="$1" \
		"$PROG/prof_options" log >out 2>&1 || cat out
	records log first 5120 81920 3072
	records log second 5120 81920 3072
}

logs "$LIB" prof_sys_thread_name:true >ours 2>&1
check_eq 'the log of the freed samples' \
	'1/2^0 default
    5120 by a worker freed by prof_options
    81920 by prof_options freed by prof_options
    3072 by prof_options freed by prof_options
1/2^0 default
    5120 by prof_options freed by prof_options' "$(cat ours)"
if [ -n "$jemalloc" ]; then
	recent prof_recent_alloc_max:3 "$jemalloc" >theirs 2>&1
	recent prof_recent_alloc_max:3 "$LIB" >ours 2>&1
	check_eq "... and jemalloc's are the same" "$(cat theirs)" \
		"$(cat ours)"
	logs "$jemalloc" prof_sys_thread_name:true >theirs 2>&1
	logs "$LIB" prof_sys_thread_name:true >ours 2>&1
	check_eq "... and jemalloc's log is the same" "$(cat theirs)" \
		"$(cat ours)"
fi

# Times: of the monotonic clock, or since 1970.
now=$(date +%s)
for resolution in default high; do
	logs "$LIB" prof_time_resolution:$resolution >ours 2>&1
	seconds=$(python3 -c 'import json
for a in json.load(open("first"))["allocations"][:1]:
    print(a["free_timestamp"] // 10**9)')
	if [ $resolution = high ]; then
		check 'prof_time_resolution:high: times since 1970' \
			holds "$seconds >= $now && $seconds < $now + 60"
	else
		uptime=$(cut -d. -f1 /proc/uptime)
		check 'prof_time_resolution:default: of the monotonic clock' \
			holds "$seconds <= $uptime + 1 && $seconds > $uptime - 60"
	fi
done

# At exit, and in a child, to files of their own.
rm -f p.*
under "prof:true,lg_prof_sample:0,prof_log:true,prof_prefix:$tmp/p" \
	"$PROG/prof_options" log_exit >pids 2>err
read -r parent child <pids
check_eq 'prof_log:true: nothing is said' '' "$(cat err)"
check_eq '... and the file is written at exit' \
	'1/2^0 default
    81920 by  freed by 
    3072 by  freed by ' "$(records log "p.$parent.0.json" 81920 3072)"
check_eq '... and by a child of its own frees' \
	'1/2^0 default
    3072 by  freed by ' "$(records log "p.$child.0.json" 81920 3072)"
check_eq '... and nothing else is left' 2 "$(files p.*)"

beside prof_sys_thread_name:false names
beside prof_sys_thread_name:true names
under "$exact" "$PROG/prof_options" log_results >ours 2>err
check_eq 'what the controls answer' \
	'prof.log_stop: Bad address
prof.log_start read: Operation not permitted
prof.log_start written: Success
prof.log_start: Bad address
prof.log_stop: Bad address
experimental.prof_recent.alloc_dump written: Invalid argument
experimental.prof_recent.alloc_max written: Invalid argument' "$(cat ours)"
check_eq 'a log that cannot be written: one line' \
	"<strata>: Error writing profile log /nowhere/at/all.json: no such file \
or directory (2)" "$(cat err)"
if [ -n "$jemalloc" ]; then
	env MALLOC_CONF="$exact" LD_PRELOAD="$jemalloc" \
		"$PROG/prof_options" log_results >theirs 2>/dev/null
	check_eq '... and jemalloc answers the same' "$(cat theirs)" \
		"$(cat ours)"
fi
under "$exact" "$PROG/prof_options" log_again >ours 2>err
check_eq '... and the next one is' \
	'1/2^0 default
    3072 by  freed by ' "$(records log again 3072)"

# --- prof_free_stacks -------------------------------------------------------

# The report of a double free names both stacks: the program's own addresses.
double() {
	(
		ulimit -c 0
		under "check_double_free:true,prof:true,lg_prof_sample:0,$1" \
			"$PROG/misuse" "$2" >out 2>err
	) 2>/dev/null
	cat err
}
pattern='last sampled there allocated at 0x[0-9a-f]* .*, freed at 0x[0-9a-f]* '
for how in double double_large; do
	check "prof_free_stacks: where a block was freed ($how)" sh -c \
		"echo '$(double prof_free_stacks:true $how)' | grep '$pattern'"
	check "... which check_double_free implies ($how)" sh -c \
		"echo '$(double prof_final:false $how)' | grep '$pattern'"
	check_eq "... and of what was not sampled nothing is said ($how)" 0 \
		"$(double prof_active:false $how | grep -c 'freed at')"
done

finish
