#!/bin/sh
# demo.sh - the whole job on a real server: what `make demo` runs.
#
# reload-server runs under Strata twice, as it is and with its arenas rotated
# at each reload; clients talk to it, its configuration is rebuilt RELOADS
# times, and it is asked for profiles by signal while it serves. The answers
# are printed; profiles, graphs and tables stay in OUT.
#
#     SRCDIR=source-folder BUILD=build-folder examples/demo.sh

set -eu
LC_ALL=C.UTF-8
export LC_ALL
unset MALLOC_CONF LD_PRELOAD
BUILD=$(cd "${BUILD:-.}" && pwd)
OUT=${OUT:-$BUILD/demo}
RELOADS=${RELOADS:-24}
CONFIG_MIB=${CONFIG_MIB:-96}
STRATA=$BUILD/bin/strata
server=

cleanup() {
	[ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

die() {
	echo "demo: $*" >&2
	exit 1
}

title() {
	printf '\n=== %s\n\n' "$*"
}

# show COMMAND...: says what is run (by its short name), then runs it
show() {
	printf '$ %s\n' "$(echo "$*" | sed "s|$STRATA|strata|g; s|$OUT/||g")"
	"$@" || die "this failed: $*"
	echo
}

# wait_for SECONDS COMMAND...
wait_for() {
	wait_end=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt "$wait_end" ] || return 1
		kill -0 "$server" 2>/dev/null || return 1
		sleep 0.05
	done
}

# server_start NAME ROTATE: under Strata; the program itself is unchanged.
# It is small, so one byte in 64 Ki is sampled; a server of 10 GiB needs no
# more than the default, one in 512 Ki.
server_start() {
	name=$1
	"$STRATA" run --lg-sample=16 --prefix="$OUT/$name" \
		"$BUILD/bin/reload-server" --rotate "$2" \
		--config-mib "$CONFIG_MIB" --seconds 240 \
		>"$OUT/$name.txt" 2>"$OUT/$name.err" &
	server=$!
	# Its first line gives the port, its third the first configuration.
	wait_for 60 grep -q '^ *0 ' "$OUT/$name.txt" ||
		die "the server does not start: $(cat "$OUT/$name.err")"
	port=$(sed -n 's/.*127\.0\.0\.1:\([0-9]*\),.*/\1/p' "$OUT/$name.txt")
}

server_stop() {
	kill -TERM "$server"
	wait "$server" || die "the server ended with status $?"
	server=
	[ ! -s "$OUT/$name.err" ] || cat "$OUT/$name.err" >&2
}

# load RELOADS FIRST-SESSION
load() {
	"$BUILD/bin/reload-load" --port "$port" --pid "$server" \
		--reloads "$1" --first-session "$2" --requests 20000 ||
		die "the load driver failed"
}

# dump: asks the running server for a profile; sets $dumped
dump() {
	dumped=$("$STRATA" ctl "$server" dump) || die "no profile by signal"
	[ -s "$dumped" ] || die "strata ctl names no file: $dumped"
}

# rss_table: both runs side by side, and what they come to
rss_table() {
	printf '%6s %8s  %26s  %26s\n' '' '' 'as it is' 'arenas rotated'
	printf '%6s %8s' reload 'live MiB'
	for run in plain rotated; do
		printf '  %8s %8s %8s' 'RSS MiB' 'RSS/live' 'build ms'
	done
	echo
	awk '$1 !~ /^[0-9]+$/ { next }
	NR == FNR { rss[$1] = $3; ratio[$1] = $4; ms[$1] = $5; next }
	$1 in rss {
		printf "%6d %8.0f  %8.0f %8.2f %8.0f  %8.0f %8.2f %8.0f\n",
		    $1, $2, rss[$1], ratio[$1], ms[$1], $3, $4, $5
		n = $1; live = $2; last = $3
	}
	END {
		printf "\nAfter reload %d the program holds %.0f MiB. Its RSS " \
		    "is %.0f MiB as it is,\n%.0f MiB with its arenas rotated.\n",
		    n, live, rss[n], last
	}' "$OUT/plain.txt" "$OUT/rotated.txt"
}

# rss_parts PROFILE: what its RSS consists of
rss_parts() {
	"$STRATA" top -n 1 "$1" | sed -n 's/^RSS *//p'
}

[ -x "$STRATA" ] || die "$STRATA is not built"
rm -rf "$OUT"
mkdir -p "$OUT"

title "1. A server is started under Strata. Clients come, its configuration is
    rebuilt $RELOADS times; sessions that join meanwhile copy 2 % of its rules
    and live for 8 reloads."
show "$STRATA" run --lg-sample=16 --dry-run "$BUILD/bin/reload-server"
server_start plain 0
load 1 0
dump
before=$dumped
load $((RELOADS - 1)) 1000000
dump
after=$dumped
show "$STRATA" ctl "$server" status
server_stop

title "2. Where is its memory?"
show "$STRATA" top -n 8 "$after"

title "3. What have the reloads changed? From the first one to the last:"
show "$STRATA" diff -n 8 "$before" "$after"

title "4. How long do objects live? Rules die with their configuration, at the
    next reload; the copies that sessions hold live eight times as long."
show "$STRATA" lifetimes --focus rules_compile "$after"
show "$STRATA" lifetimes --focus rules_copy "$after"

title "5. What outlives its reload? The server begins a generation with each
    configuration (prof.generation). The sites behind all but the newest:"
show "$STRATA" top -n 4 --by generation "$after"
show "$STRATA" generations -n 3 "$before" "$after"

title "6. The same with rotation: each configuration is built in the next of four
    arenas (arenas.create, thread.arena), which is purged when it is freed.
    What dies together lies together, so all its pages go back:"
server_start rotated 4
load "$RELOADS" 0
dump
rotated=$dumped
show "$STRATA" top --by arena "$rotated"
server_stop

title "7. RSS by reload, without rotation and with it"
rss_table | tee "$OUT/rss-by-reload.txt"
printf 'as it is  %s\nrotated   %s\n' "$(rss_parts "$after")" \
	"$(rss_parts "$rotated")"
echo '(fragmentation: pages that the strays keep; dirty: free, kept for reuse)'

title "8. Pictures"
show "$STRATA" graph -o "$OUT/callgraph.svg" "$after"
show "$STRATA" graph -o "$OUT/callgraph.png" "$after"
show "$STRATA" flame -o "$OUT/flame.svg" "$after"
show "$STRATA" lifetimes -o "$OUT/lifetimes.svg" "$after"
show "$STRATA" generations -o "$OUT/generations.svg" "$before" "$after"
for picture in callgraph.svg callgraph.png flame.svg lifetimes.svg \
	generations.svg; do
	[ -s "$OUT/$picture" ] || die "$picture is empty"
done

title "Left in $OUT"
printf '  %-28s %s\n' \
	callgraph.svg,callgraph.png 'call graph of the live bytes' \
	flame.svg 'flame graph of the live bytes' \
	lifetimes.svg 'how long objects lived, by site' \
	generations.svg 'what outlived its reload' \
	rss-by-reload.txt 'the table above' \
	plain.txt,rotated.txt 'what the server printed' \
	"$(basename "$before")" 'profile after the first reload' \
	"$(basename "$after")" "profile after reload $RELOADS" \
	"$(basename "$rotated")" 'the same, arenas rotated'
printf '\nAlso readable by: go tool pprof -http=: %s\n' "$after"
