#!/bin/sh
# signals.sh - profiles asked of a running process: by `strata ctl`, by plain
# signals, by bytes and by time; from busy, idle, forked, closed and jailed
# programs; and processes that must not be signalled are told so and live.

. "${0%/*}/lib.sh"
dumps=${DUMPS:-100}

# start OUT CONF PROGRAM ARGUMENT...: in the background; returns when it says
# that it is ready, with its pid in $pid
start() {
	start_out=$1 start_conf=$2
	shift 2
	rm -f "$start_out"	# another's "ready"
	env MALLOC_CONF="$start_conf" LD_PRELOAD="$LIB" "$@" \
		>"$start_out" 2>"$start_out.err" </dev/null &
	pid=$!
	own $pid
	wait_for 10 grep -q '^ready' "$start_out" ||
		fail "$* starts" "$(cat "$start_out.err")"
}

alive() { kill -0 "$1" 2>/dev/null; }

stop() {
	kill -KILL "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}

# whole FILE: the command reads it to its end
whole() { "$STRATA" top --no-symbols --format json "$1" >/dev/null; }

# shows FILE FUNCTION: the function is among the profile's
shows() { "$STRATA" top --cum --no-cache "$1" 2>/dev/null | grep -q "$2"; }

# begun FILE: time_unix_ns of a native profile. Its 19 digits: the tag of the
# string that follows in the file is the character 2.
begun() {
	grep -a -o 'time_unix_ns: [0-9]\{19\}' "$1" | head -n 1 |
		sed 's/.*: //'
}

# begun_after TIME PREFIX: one of the profiles was begun after TIME (ns)
begun_after() {
	for begun_file in "$2"*.pb; do
		begun_at=$(begun "$begun_file")
		[ "${begun_at:-0}" -le "$1" ] || return 0
	done
	return 1
}

# whole_like PREFIX: there is a profile of that name, and all are whole
whole_like() {
	for like_file in "$1"*.pb; do whole "$like_file" || return; done
}

# many N PREFIX: at least N profiles have such a name
many() { [ "$(files "$2"*.pb)" -ge "$1" ]; }

# tasks PID N: the process has N threads
tasks() { [ "$(ls "/proc/$1/task" | wc -l)" = "$2" ]; }

# --- ctl under load ----------------------------------------------------------

start busy.out prof:true,lg_prof_sample:14,prof_prefix:"$tmp/b" \
	"$PROG/busy" 3
i=0
while [ $i -lt "$dumps" ]; do
	"$STRATA" ctl $pid dump >>dumped 2>>dumped.err || break
	i=$((i + 1))
done
check_eq "$dumps ctl dumps under load succeed" "$dumps" $i
check_eq '... and name as many files' "$dumps" "$(sort -u dumped | wc -l)"
n=0
while read -r file; do
	if whole "$file"; then n=$((n + 1)); fi
done <dumped
check_eq '... all whole' "$dumps" $n
check_eq '... and leave no temporary file' "$dumps" "$(files "$tmp"/b.*)"
kill -TERM $pid
wait $pid
check_eq '... and the program ends as it should' 0 $?
check '... having worked' grep -q '^steps [1-9]' busy.out
check_eq '... without a word' '' "$(cat busy.out.err)"
rm -f "$tmp"/b.*

# --- plain signals -----------------------------------------------------------

for victim in 'busy 2' 'idle pause'; do
	# shellcheck disable=SC2086 # a program and its argument
	start burst.out prof:true,lg_prof_sample:12,prof_prefix:"$tmp/k" \
		"$PROG/"$victim
	last=$("$PROG/burst" $pid 12 100)
	check "$victim: a burst of 100 kills gives a dump begun after the last" \
		wait_for 10 begun_after "$last" "$tmp/k."
	check "$victim: ... and the process lives" alive $pid
	n=$(files "$tmp"/k.*.s*.pb)
	check "$victim: ... pending ones are merged ($n files)" \
		holds "$n >= 1 && $n <= 100"
	stop $pid
	rm -f "$tmp"/k.*
done

# --- programs at rest --------------------------------------------------------

for mode in pause epoll sleep threads; do
	start idle.out prof:true,lg_prof_sample:0,prof_prefix:"$tmp/i" \
		"$PROG/idle" $mode
	n=$([ $mode = threads ] && echo 3 || echo 1)
	check "$mode: at rest the profiler owns no thread" \
		wait_for 5 tasks $pid "$n"
	kill -USR2 $pid
	check "$mode: an idle program dumps when killed" \
		wait_for 10 whole_like "$tmp/i.$pid.0.s"
	check "$mode: ... and shows what it holds" \
		shows "$tmp/i.$pid.0.s0.pb" idle_blocks
	check "$mode: ... the worker has gone again" \
		wait_for 5 tasks $pid "$n"
	check "$mode: ctl dumps too" "$STRATA" ctl $pid dump
	check "$mode: ... and it lives" alive $pid
	stop $pid
	rm -f "$tmp"/i.*
done

# read() of a program that knows nothing of the signal is not cut short.
mkfifo fifo
env MALLOC_CONF=prof:true,prof_prefix:"$tmp/r" LD_PRELOAD="$LIB" \
	"$PROG/idle" read >read.out 2>&1 <fifo &
pid=$!
own $pid
exec 9>fifo
wait_for 10 grep -q ready read.out
for i in 1 2 3; do "$STRATA" ctl $pid dump >/dev/null; done
kill -USR2 $pid
wait_for 10 many 4 "$tmp/r.$pid."
echo hello >&9
wait $pid
check_eq 'read() is restarted, not interrupted' 'read 6' "$(tail -n 1 read.out)"
exec 9>&-
rm -f "$tmp"/r.*

# --- fork, exec, closed descriptors, jail ------------------------------------

start fork.out prof:true,lg_prof_sample:0,prof_prefix:"$tmp/f" "$PROG/idle" fork
child=$(sed -n 's/^child //p' fork.out)
own "$child"
kill -USR2 "$child"
check 'a forked child dumps with its own pid' \
	wait_for 10 whole_like "$tmp/f.$child.0.s"
check '... and shows what it inherited' \
	shows "$tmp/f.$child.0.s0.pb" idle_blocks
check 'ctl finds the child as well' "$STRATA" ctl "$child" dump
check_eq '... the parent has dumped nothing' 0 "$(files "$tmp"/f.$pid.*)"
check '... the child lives' alive "$child"
stop "$child"
stop $pid
rm -f "$tmp"/f.*

start exec.out prof:true,lg_prof_sample:0,prof_prefix:"$tmp/x" "$PROG/idle" exec
file=$("$STRATA" ctl $pid dump)
check 'a process that has replaced itself dumps' shows "$file" idle_blocks
stop $pid

start closed.out prof:true,lg_prof_sample:0,prof_prefix:"$tmp/c" \
	"$PROG/idle" closed
file=$("$STRATA" ctl $pid dump)
check 'a program that closed every descriptor dumps' whole "$file"
check_eq '... and has no new one' 1 "$(ls /proc/$pid/fd | wc -l)"
stop $pid

mkdir -m 777 jail
if [ "$(id -u)" = 0 ]; then
	start jail.out prof:true,lg_prof_sample:0,prof_prefix:/j \
		"$PROG/idle" chroot "$tmp/jail"
	file=$("$STRATA" ctl $pid dump)
	check 'in a chroot the file is named as it is reached from here' \
		whole "$file"
	check "... in the process's root" [ -e jail/j.$pid.0.s0.pb ]
	stop $pid
else
	skip 'a process in a chroot: not root'
fi

plain=$("$PROG/idle" unshare)
check_eq 'unshare(CLONE_NEWUSER) is as good as without Strata' "$plain" \
	"$(under prof:true,prof_prefix:"$tmp/u" "$PROG/idle" unshare)"

# --- processes that must not be signalled ------------------------------------

# refused NAME PID PATTERN [VERB]: ctl says PATTERN, exits with 3, PID lives
refused() {
	"$STRATA" ctl --timeout 3 "$2" "${4:-dump}" >refused.out 2>&1
	refused_status=$?
	check_eq "$1: exit status" 3 $refused_status
	check_eq "$1: one line" 1 "$(wc -l <refused.out)"
	check "$1: it says why" grep -q "$3" refused.out
	check "$1: ... and the process lives" alive "$2"
}

sleep 1000 &
pid=$!
own $pid
refused 'a process without Strata' $pid "$pid"
stop $pid

start off.out prof:false "$PROG/idle" pause
refused 'a process with prof:false' $pid prof
stop $pid

start own.out prof:true,prof_prefix:"$tmp/o" "$PROG/idle" own
refused 'a process whose SIGUSR2 is its own' $pid USR2
check_eq '... its handler was not run' 0 "$(grep -c mine own.out)"
kill -USR2 $pid
check '... its handler is what a kill runs' wait_for 5 grep -q mine own.out
stop $pid

start late.out prof:true,prof_prefix:"$tmp/l" "$PROG/idle" late-own
check 'a process that takes SIGUSR2 later: first it is ours' \
	"$STRATA" ctl $pid dump
kill -USR1 $pid
wait_for 5 grep -q installed late.out
refused 'a process that has taken SIGUSR2 since' $pid USR2
check_eq '... its handler was not run' 0 "$(grep -c mine late.out)"
stop $pid

(
	trap '' USR2
	exec env MALLOC_CONF=prof:true,prof_prefix:"$tmp/n" LD_PRELOAD="$LIB" \
		"$PROG/idle" pause >ignored.out
) &
pid=$!
own $pid
wait_for 10 grep -q ready ignored.out
refused 'a process started with SIGUSR2 ignored' $pid USR2
stop $pid

start blocked.out prof:true,prof_prefix:"$tmp/q" "$PROG/idle" blocked
refused 'a process that blocks SIGUSR2' $pid "$pid"
stop $pid

start none.out prof:true,prof_signal:none,prof_prefix:"$tmp/n" \
	"$PROG/idle" pause
refused 'prof_signal:none' $pid "$pid"
stop $pid

start real.out prof:true,prof_signal:RTMIN+3 "$PROG/idle" pause
"$STRATA" ctl $pid status >status.out
check 'status names a real-time signal' grep -q SIGRTMIN+3 status.out
check '... and the time in UTC, as profiles do' \
	grep -q "^as of *$(date -u +%F) .* UTC$" status.out
stop $pid

start unnamed.out prof:true,prof_prefix: "$PROG/idle" pause
for verb in dump stats; do
	refused "an empty prof_prefix, $verb" $pid 'no prof_prefix' $verb
done
stop $pid

: >file
start lost.out prof:true,prof_prefix:"$tmp/file/x" "$PROG/idle" pause
refused 'a prefix below a file' $pid \
	"write its statistics to $tmp/file/x.*: Not a directory" stats
stop $pid

if [ "$(id -u)" = 0 ] && ! cat /proc/1/maps >/dev/null 2>&1; then
	refused 'a process that root may not look into' 1 'not even root'
else
	skip 'a process that root may not look into: none here'
fi

for bad in 4194303 99999999; do
	"$STRATA" ctl $bad dump >bad.out 2>&1
	check_eq "process $bad does not exist: exit status" 3 $?
	check_eq '... one line' 1 "$(wc -l <bad.out)"
done
for bad in x -1 0 '' 12x; do
	"$STRATA" ctl "$bad" dump >bad.out 2>&1
	check_eq "'$bad' is no process: usage" 2 $?
done

start usr1.out prof:true,prof_signal:SIGUSR1,prof_prefix:"$tmp/s" \
	"$PROG/idle" pause
kill -USR1 $pid
check 'prof_signal:SIGUSR1 dumps at that' \
	wait_for 10 whole_like "$tmp/s.$pid.0.s"
check '... and by ctl' "$STRATA" ctl $pid dump
stop $pid

# --- switches, bytes and time ------------------------------------------------

start switch.out prof:true,lg_prof_sample:10,prof_prefix:"$tmp/w" \
	"$PROG/busy" 2
status() { "$STRATA" ctl $pid status --format json | jq -r ".$1"; }
check_eq 'status: sampling is on' true "$(status active)"
check_eq 'status: the period' 1024 "$(status period)"
check 'ctl off' "$STRATA" ctl $pid off
check_eq '... status says so' false "$(status active)"
"$STRATA" ctl $pid off
check_eq '... twice is as once' false "$(status active)"
check 'ctl on' "$STRATA" ctl $pid on
check_eq '... status says so' true "$(status active)"
file=$("$STRATA" ctl $pid dump)
check_eq 'status names the last file' "$file" "$(status last_file)"
check_eq 'status counts the dumps' 1 "$(status dumps)"
kill -TERM $pid
wait $pid
check_eq 'the program ends as it should' 0 $?

start late-on.out prof:true,prof_active:false,lg_prof_sample:10 \
	"$PROG/busy" 1
check_eq 'prof_active:false starts with sampling off' false "$(status active)"
"$STRATA" ctl $pid on >on.out
samples() { holds "$(status samples_live) > 100"; }
check '... and samples when it is switched on' wait_for 10 samples
stop $pid

start time.out prof:true,prof_interval_ms:50,prof_prefix:"$tmp/t" \
	"$PROG/idle" pause
check 'prof_interval_ms: an idle program dumps again and again' \
	wait_for 10 many 4 "$tmp/t.$pid."
stop $pid

start bytes.out prof:true,lg_prof_interval:24,prof_prefix:"$tmp/y" \
	"$PROG/busy" 2
check 'lg_prof_interval: a busy program dumps again and again' \
	wait_for 10 many 4 "$tmp/y.$pid."
kill -TERM $pid
wait $pid
check_eq '... and ends as it should' 0 $?

grow='my @kept; push @kept, "x" x 1_000_000 for 1 .. 64;'
under prof:true,prof_gdump:true,prof_prefix:"$tmp/u" perl -e "$grow"
check 'prof_gdump: a growing program dumps at new highs' \
	many 4 "$tmp/u."
finish
