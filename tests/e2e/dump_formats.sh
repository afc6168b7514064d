#!/bin/sh
# dump_formats.sh - what is in the files and how they come to be: the truth at
# R = 1 by site and by three readers, names, build ids, both formats of one
# cut, file limits, full disks, folders that are not there.

. "${0%/*}/lib.sh"

PPROF_TMPDIR=$tmp GOCACHE=$tmp/go HOME=$tmp
export PPROF_TMPDIR GOCACHE HOME
program=$PROG/dump_truth

# start OUT CONF ARGUMENT...: the program in the background, ready, in $pid
start() {
	start_out=$1 start_conf=$2
	: >"$start_out"
	shift 2
	env MALLOC_CONF="$start_conf" LD_PRELOAD="$LIB" "$program" "$@" \
		>"$start_out" 2>"$start_out.err" </dev/null &
	pid=$!
	own $pid
	wait_for 10 grep -q '^ready' "$start_out" ||
		fail "$* starts" "$(cat "$start_out.err")"
}

stop() {
	kill -KILL "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}

# --- the truth, by site ------------------------------------------------------

under prof:true,lg_prof_sample:0,prof_final:true,prof_format:both,prof_prefix:t,prof_accum:true \
	"$program" >truth 2>err
native=$(ls t.*.f.pb) heap=$(ls t.*.f.heap)
check_eq 'a run says nothing' '' "$(cat err)"
go tool pprof -raw "$native" >raw 2>/dev/null

# raw_site COLUMN SITE: pprof's own reading, summed over a function's samples
raw_site() {
	awk -v c="$1" -v site="$2" '
	/^Locations/ { part = 2; next }
	/^Mappings/ { part = 3 }
	/^Samples:/ { part = 1; next }
	part == 1 && /^ *[0-9]+ .*:/ {
		split($0, half, ": ")
		split(half[2], stack, " ")
		split(half[1], value, " ")
		sum[stack[1]] += value[c]
	}
	part == 2 && $4 == site { total += sum[$1 + 0] }
	END { printf "%.0f\n", total }' raw
}

# jeprof_site TYPE SITE: flat, from its text table
jeprof_site() {
	jeprof --text --show_bytes "--$1" "$program" "$heap" 2>/dev/null |
		awk -v site="$2" '$6 == site { print $1 }'
}

while read -r site live live_bytes all all_bytes; do
	[ "$site" != ready ] || break
	check_eq "$site: objects allocated, pprof" "$all" "$(raw_site 1 $site)"
	check_eq "$site: bytes allocated, pprof" \
		"$all_bytes" "$(raw_site 2 $site)"
	check_eq "$site: live objects, pprof" "$live" "$(raw_site 3 $site)"
	check_eq "$site: live bytes, pprof" \
		"$live_bytes" "$(raw_site 4 $site)"
	check_eq "$site: freed bytes, pprof" $((all_bytes - live_bytes)) \
		"$(raw_site 8 $site)"
	check_eq "$site: samples, pprof" "$all" "$(raw_site 9 $site)"
	check_eq "$site: bytes allocated, jeprof" \
		"$all_bytes" "$(jeprof_site alloc_space $site)"
	check_eq "$site: objects allocated, jeprof" \
		"$all" "$(jeprof_site alloc_objects $site)"
	[ "$live" = 0 ] || check_eq "$site: live bytes, jeprof" \
		"$live_bytes" "$(jeprof_site inuse_space $site)"
done <truth

check_eq 'requested bytes are what was asked for' 300000 \
	"$(raw_site 5 site_small)"
check 'small regions pin bytes of slabs that holes are in' \
	[ "$(raw_site 6 site_small)" -gt 0 ]
check_eq 'large blocks pin nothing' 0 "$(raw_site 6 site_large)"
check_eq 'the sum of live rows is the exact live figure' \
	"$(sed -n 's/^Comment: live_bytes: //p' raw)" \
	"$(awk '/^Locations/ { on = 0 } on && /^ *[0-9]+ .*:/ { n += $4 }
		/^Samples:/ { on = 1 } END { printf "%.0f\n",
		n + '"$(sed -n 's/^Comment: before_profiling_bytes: //p' raw)"' }' \
		raw)"
check 'jeprof says the same total' sh -c "jeprof --text --show_bytes \
	'$program' '$heap' 2>/dev/null | head -n 1 | grep -q -w '$(awk '
	/^Locations/ { on = 0 } on && /^ *[0-9]+ .*:/ { n += $4 }
	/^Samples:/ { on = 1 } END { printf "%.0f\n", n }' raw)'"

# --- mappings ----------------------------------------------------------------

build_id() { readelf -n "$1" | sed -n 's/.*Build ID: //p'; }
check 'the program is the first mapping, with its build id' \
	grep -q "^1: .*$program $(build_id "$program")" raw
libc=$(awk '/^[0-9]+: 0x.*libc[.-]/ { print $3 }' raw)
check 'the C library is one, with its build id' \
	grep -q "$libc $(build_id "$libc")" raw
# pprof lists the mappings that samples lie in
check_eq 'no sample lies in the allocator' 0 "$(grep -c libstrata raw)"
check 'pprof names a line of the source' \
	sh -c "go tool pprof -source_path='$SRCDIR' -list site_odd \
	'$program' '$native' 2>/dev/null | grep -q 'malloc(5000)'"

# --- names and modes ---------------------------------------------------------

check_eq 'files are for their owner alone' '600 600' \
	"$(echo $(stat -c %a "$native" "$heap"))"
under prof:true,prof_final:true,prof_pid_namespace:true,prof_prefix:ns \
	"$program" >out 2>&1
ns=$(readlink /proc/self/ns/pid | tr -dc 0-9)
check_eq 'prof_pid_namespace' 1 "$(files ns.$ns.*.0.f.pb)"
mkdir sub
under prof:true,lg_prof_sample:0 "$program" dump sub/named >out 2>&1
check_eq 'mallctl prof.dump with a name' 'dump 0' "$(tail -n 1 out)"
check 'go tool pprof reads it' go tool pprof -raw sub/named
check_eq '... and leaves nothing else' 1 "$(ls sub | wc -l)"

# --- intervals, and how many are kept ----------------------------------------

under prof:true,lg_prof_interval:20,prof_prefix:i "$program" >out 2>&1
check 'lg_prof_interval: one dump at least' [ "$(files i.*.i*.pb)" -ge 1 ]
start keep.out prof:true,prof_interval_ms:20,prof_dump_max:3,prof_prefix:k wait
later() { [ "$(files k.$pid.[1-9]?.t*.pb)" -ge 1 ]; }
check 'prof_interval_ms: goes on' wait_for 10 later
kill -STOP $pid			# so that none is just being written
n=$(files k.$pid.*.pb)
check "prof_dump_max: at most 3 are kept ($n)" [ "$n" -le 3 ]
stop $pid

# --- what goes wrong on the way to the disk ----------------------------------

# one_line NAME PATTERN: err is one line like it
one_line() {
	check_eq "$1: one line" 1 "$(wc -l <err)"
	check "$1: it says why" grep -q "^<strata>: .*$2" err
}

under prof:true,prof_final:true,prof_prefix:/missing/folder/x \
	"$program" >out 2>err
check_eq 'a folder that is not there: the exit status is kept' 0 $?
check_eq '... and the output' ready "$(tail -n 1 out)"
one_line 'a folder that is not there' 'no such file'

under prof:true,prof_final:true,lg_prof_sample:0,prof_prefix:lim \
	"$program" write-limit >out 2>err
check_eq 'RLIMIT_FSIZE: the exit status is kept' 0 $?
one_line RLIMIT_FSIZE 'file too large'
check_eq '... and no piece of a file' 0 "$(files lim.*)"

mkdir small
if mount -t tmpfs -o size=4k strata-test small 2>/dev/null; then
	start full.out \
		prof:true,prof_format:heap_v2,lg_prof_sample:0,prof_prefix:small/d \
		wait
	kill -USR2 $pid
	said() { [ -s full.out.err ]; }
	check 'a full disk is told' wait_for 10 said
	cp full.out.err err
	one_line 'a full disk' 'no space left'
	"$STRATA" ctl $pid dump >out 2>err
	check_eq 'ctl on a full disk: exit status' 3 $?
	check 'ctl says why' grep -q 'no space left' err
	check_eq 'status counts both' 2 \
		"$("$STRATA" ctl $pid status -f json | jq .dump_errors)"
	check_eq '... no piece of a file is left' 0 "$(files small/*)"
	check 'the program lives' kill -0 $pid
	mount -o remount,size=8m small
	check 'and dumps when there is room' "$STRATA" ctl $pid dump
	check_eq '... once' 1 "$(files small/d.*.heap)"
	stop $pid
	umount small
else
	skip 'a full disk: cannot mount a tmpfs'
fi

for device in /dev/full /dev/null; do
	under prof:true "$program" dump $device >out 2>err
	check "a dump to $device leaves the device" [ -c $device ]
done

# --- a task that stays gives up what the program gives up --------------------

if [ "$(id -u)" = 0 ]; then
	mkdir -m 777 all
	start drop.out prof:true,prof_interval_ms:20,prof_prefix:"$tmp/all/s" \
		setuid 65534
	chmod 711 "$tmp"
	wait_for 10 grep -q dropped drop.out
	owners() { stat -c %u all/s.*.pb | grep -q '^65534$'; }
	check 'after setuid the interval dumps are the new user'"'"'s' \
		wait_for 10 owners
	check_eq '... all tasks are his' 65534 \
		"$(cat /proc/$pid/task/*/status | sed -n 's/^Uid:\t//p' |
			tr '\t' '\n' | sort -u)"
	stop $pid
else
	skip 'setuid: not root'
fi
finish
