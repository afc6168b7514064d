#!/bin/sh
# rotate.sh - `strata ctl PID rotate` on unmodified programs: every request is
# one generation, under load, at rest and in a forked child; the samples carry
# it; a process whose signal is its own is left alone.

. "${0%/*}/lib.sh"
rotations=100 at_once=4 jobs=

# start OUT CONF PROGRAM ARGUMENT...: in the background, ready, in $pid
start() {
	start_out=$1 start_conf=$2
	shift 2
	env MALLOC_CONF="$start_conf" LD_PRELOAD="$LIB" "$@" \
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

rotate() { "$STRATA" ctl --timeout 20 "$1" rotate; }

# shows FILE GENERATION FUNCTION: samples of that generation are the function's
shows() {
	"$STRATA" top --cum --no-cache --generation "$2" "$1" 2>/dev/null |
		grep -q "$3"
}

# --- under load --------------------------------------------------------------

start busy.out prof:true,lg_prof_sample:12,prof_prefix:"$tmp/b" \
	"$PROG/busy" 3
before=$("$STRATA" ctl $pid dump)
i=0
while [ $i -lt $rotations ]; do
	rotate $pid >>numbers || break
	i=$((i + 1))
done
check_eq "$rotations rotates are as many generations, in order" \
	"$(seq 2 $((rotations + 1)))" "$(cat numbers)"

for i in $(seq $at_once); do
	for j in 1 2 3 4 5; do rotate $pid; done >"at_once.$i" &
	jobs="$jobs $!"
done
# shellcheck disable=SC2086 # a list
wait $jobs
last=$((rotations + 1 + 5 * at_once))
check_eq "... and of $at_once commands at once each has its own" \
	"$(seq $((rotations + 2)) $last)" "$(sort -n at_once.*)"

after=$("$STRATA" ctl $pid dump)
check 'a profile of before has the first generation' \
	shows "$before" 1 busy_allocate
check_eq '... and none of the last' 1 \
	"$(shows "$before" $last busy_allocate; echo $?)"
check 'a profile of after has the last one' shows "$after" $last busy_allocate
# (what follows a string in the file may look like one more digit)
check '... and says that it is the current one' \
	grep -a -q "generation: $last" "$after"
check_eq 'JSON has the number' $((last + 1)) \
	"$("$STRATA" ctl $pid rotate --format json | jq .generation)"
kill -TERM $pid
wait $pid
check_eq 'the program ends as it should' 0 $?
check_eq '... without a word' '' "$(cat busy.out.err)"

# --- names that are not UTF-8 -------------------------------------------------

start latin.out prof:true,prof_prefix:"$tmp/l$(printf '\351')" \
	"$PROG/idle" pause
check_eq 'JSON has a file of a name in Latin-1' "$tmp/l?.$pid.0.s0.pb" \
	"$("$STRATA" ctl $pid dump --format json | jq -r '.files[0]')"
check_eq '... and so has the state' "$tmp/l?.$pid.0.s0.pb" \
	"$("$STRATA" ctl $pid status --format json | jq -r .last_file)"
stop $pid

# --- at rest, forked, not ours -----------------------------------------------

start idle.out prof:true,lg_prof_sample:0,prof_prefix:"$tmp/i" \
	"$PROG/idle" pause
check_eq 'an idle program rotates' 2 "$(rotate $pid)"
file=$("$STRATA" ctl $pid dump)
check '... and what it held before stays in the first generation' \
	shows "$file" 1 idle_blocks
check_eq '... only there' 1 "$(shows "$file" 2 idle_blocks; echo $?)"
stop $pid

start fork.out prof:true,lg_prof_sample:0,prof_prefix:"$tmp/f" "$PROG/idle" fork
child=$(sed -n 's/^child //p' fork.out)
own "$child"
check_eq 'a forked child rotates' '2 3' \
	"$(rotate "$child") $(rotate "$child")"
check_eq "... and its parent's count is the parent's" 2 "$(rotate $pid)"
stop "$child"
stop $pid

start own.out prof:true,prof_prefix:"$tmp/o" "$PROG/idle" own
rotate $pid >refused.out 2>&1
check_eq 'a process whose SIGUSR2 is its own: exit status' 3 $?
check '... it says why' grep -q USR2 refused.out
check_eq '... its handler was not run' 0 "$(grep -c mine own.out)"
stop $pid

# --- the default pool: the program's memory moves, too -----------------------

# arenas FIELD: of each arena of pool 0 by its place there, "place value"
arenas() {
	jq -r '.jemalloc."stats.arenas" | .[] | select(.name | tostring |
		startswith("pool 0")) | (.name | ltrimstr("pool 0, arena ")) +
		" \(.'"$1"')"' "$("$STRATA" ctl $pid stats)"
}

# holds MOST REST: the pool's two arenas, pages in use; one has nearly all
holds() {
	arenas pactive | sort >active
	most=$(sed -n "s/^$1 //p" active) rest=$(sed -n "s/^$2 //p" active)
	[ "$most" -gt $((10 * rest)) ]
}

start pool.out prof:true,default_pool:2,prof_prefix:"$tmp/p" "$PROG/busy" 3
check_eq 'with a default pool the count begins at 1' 2 "$(rotate $pid)"
check '... threads that do nothing for it follow' wait_for 10 holds 1 0
check '... the arena left behind gives its pages back' \
	wait_for 10 eval 'arenas pdirty | grep -q "^0 0$"'
check_eq '... again' 3 "$(rotate $pid)"
check '... the other way round' wait_for 10 holds 0 1
kill -TERM $pid
wait $pid
check_eq '... the blocks hold what they held' 0 $?
check_eq '... without a word' '' "$(cat pool.out.err)"
finish
