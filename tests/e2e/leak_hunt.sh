#!/bin/sh
# leak_hunt.sh - prof_leak and prof_leak_error at exit, by jemalloc's wording
# and status, on a program whose leak is known: 2000 copies of 300 bytes.

. "${0%/*}/lib.sh"

hunt=$BUILD/bin/leak-hunt
bytes=640000				# 2000 times the class of 320 bytes
conf=prof:true,prof_leak:true,lg_prof_sample:10,prof_prefix:$tmp/leak
error='Exiting with error code because memory leaks were detected'

# said FILE FIELD: of the summary's numbers: 1 bytes, 2 objects, 3 contexts
said() {
	sed -n '/Leak approximation summary/s/[^0-9 ]//gp' "$1" |
		awk -v field="$2" '{ print $field }'
}

# between LOW HIGH NUMBER
between() {
	[ -n "$3" ] && [ "$3" -ge "$1" ] && [ "$3" -le "$2" ]
}

under $conf "$hunt" >out 2>err
check_eq "a leak alone does not change the status" 0 $?
check "the summary says how many bytes" between \
	$((bytes * 8 / 10)) $((bytes * 12 / 10)) "$(said err 1)"
check "the summary says how many objects" between 1600 2400 "$(said err 2)"
check_eq "one summary" 1 "$(grep -c 'Leak approximation summary' err)"
check_eq "no dump was asked for, none is written" 0 "$(files leak.*)"

under $conf,prof_leak_error:true "$hunt" >out 2>err
check_eq "prof_leak_error: exit status" 1 $?
check "prof_leak_error: says so" grep -q "$error" err
check "prof_leak_error: what the program printed is whole" \
	grep -q '200000 requests served' out

under $conf,lg_prof_sample:0,prof_leak_error:true "$hunt" --no-leak \
	>out 2>err
check_eq "without the leak there is none: status" 0 $?
check_eq "without the leak there is none: no message" "" "$(cat err)"

under $conf,lg_prof_sample:0,prof_leak_error:true "$hunt" >out 2>err
check_eq "of every allocation: status" 1 $?
check "of every allocation: the bytes are exact" between \
	$bytes $bytes "$(said err 1)"
check "of every allocation: the objects are exact" between \
	2000 2000 "$(said err 2)"

under $conf,prof_final:true,lg_prof_sample:0 "$hunt" >out 2>err
check_eq "with prof_final there is a dump" 1 "$(files leak.*.pb)"
"$STRATA" top --format csv leak.*.pb >top.csv 2>&1
check "the leak's site leads the table" sh -c \
	"sed -n 2p top.csv | grep -q request_log"

finish
