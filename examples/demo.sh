#!/bin/sh
# demo.sh - the whole job on a real server: what `make demo` runs.
#
# reload-server runs under Strata three times: as it is, with its configuration
# in a pool, and with the strays moved out of that. Clients talk to it, its
# configuration is rebuilt RELOADS times, and it is asked for profiles by signal
# while it serves. Then bench/reload.sh sets such a load beside other
# allocators. The answers are printed; profiles, graphs and tables stay in OUT.
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
PAUSE=${PAUSE:-800}			# ms of little traffic behind each
BENCH=${BENCH-}				# options of bench/reload
SRCDIR=$(cd "${SRCDIR:-${0%/*}/..}" && pwd)
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

# server_start NAME SWITCH...: under Strata; the program itself is unchanged.
# It is small, so one byte in 64 Ki is sampled; a server of 10 GiB needs no
# more than the default, one in 512 Ki.
server_start() {
	name=$1
	shift
	"$STRATA" run --lg-sample=16 --prefix="$OUT/$name" \
		"$BUILD/bin/reload-server" --audit 2 "$@" \
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
		--reloads "$1" --first-session "$2" --requests 20000 \
		--pause "$PAUSE" ||
		die "the load driver failed"
}

# dump: asks the running server for a profile; sets $dumped
dump() {
	dumped=$("$STRATA" ctl "$server" dump) || die "no profile by signal"
	[ -s "$dumped" ] || die "strata ctl names no file: $dumped"
}

# rss_table: the runs side by side, and what they come to
rss_table() {
	printf '%5s %5s  %20s  %20s  %20s\n' '' '' 'as it is' 'in a pool' \
		'strays moved out'
	printf '%5s %5s' reload 'live'
	for run in plain pool outside; do
		printf '  %6s %6s %6s' 'RSS' '/live' 'build'
	done
	echo
	printf '%5s %5s' '' 'MiB'
	for run in plain pool outside; do
		printf '  %6s %6s %6s' 'MiB' '' 'ms'
	done
	echo
	awk 'FNR == 1 { run++ }
	$1 !~ /^[0-9]+$/ { next }
	{ rss[run, $1] = $3
	  part[run, $1] = sprintf("  %6.0f %6.2f %6.0f", $3, $4, $5) }
	run == 3 && (1, $1) in part && (2, $1) in part {
		print sprintf("%5d %5.0f", $1, $2) part[1, $1] part[2, $1] \
		    part[3, $1]
		n = $1; live = $2
	}
	END {
		printf "\nAfter reload %d the program holds %.0f MiB. Its RSS " \
		    "is %.0f MiB as it is, %.0f MiB with its\nconfiguration " \
		    "in a pool, %.0f MiB with the strays moved out of that.\n",
		    n, live, rss[1, n], rss[2, n], rss[3, n]
	}' "$OUT/plain.txt" "$OUT/pool.txt" "$OUT/outside.txt"
}

# pool_stats: what the server's pool holds, by arena; sets $arenas, FIRST-LAST
pool_stats() {
	printf '$ strata stats %s\n' "$server"
	"$STRATA" stats "$server" >"$OUT/$name.stats" ||
		die "no statistics by signal"
	sed -n '/^pool /,/^$/p' "$OUT/$name.stats"
	arenas=$(sed -n 's/.* arena \([0-9]*\) (generation .*/\1/p' \
		"$OUT/$name.stats" | sort -n | sed -n '1p;$p' | paste -sd -)
	[ -n "$arenas" ] || die "the server has no pool"
}

# rss_parts PROFILE: what its RSS consists of
rss_parts() {
	"$STRATA" top -n 1 "$1" | sed -n 's/^RSS *//p'
}

[ -x "$STRATA" ] || die "$STRATA is not built"
rm -rf "$OUT"
mkdir -p "$OUT"

title "1. A server is started under Strata. Clients come, its configuration is
    rebuilt $RELOADS times; sessions that join meanwhile copy 2 % of its rules,
    audit records of another 2 % are written; both live for 8 reloads."
show "$STRATA" run --lg-sample=16 --dry-run "$BUILD/bin/reload-server"
server_start plain
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

title "6. The same with each configuration built inside strata_pool_enter and
    strata_pool_leave, and a strata_pool_rotate for each reload: what dies
    together lies together. What a retired arena still holds are strays, and
    its pages are what they cost:"
server_start pool --pool 4
load "$RELOADS" 0
dump
pool=$dumped
pool_stats
echo "Whose are they? What is old in the pool's arenas:"
show "$STRATA" top -n 1 --arena "$arenas" --generation "2-$((RELOADS + 1))" \
	"$pool"
server_stop

title "7. Sessions copy outside of the scope; audit records are written inside of
    it. The server leaves the scope for them, too (--audit-outside):"
server_start outside --pool 4 --audit-outside
load "$RELOADS" 0
dump
outside=$dumped
pool_stats
server_stop

title "8. RSS by reload, three quarters of a second later: as it is, with a pool, and
    with the strays moved out"
rss_table | tee "$OUT/rss-by-reload.txt"
printf 'as it is   %s\nin a pool  %s\nmoved out  %s\n' \
	"$(rss_parts "$after")" "$(rss_parts "$pool")" \
	"$(rss_parts "$outside")"
echo '(fragmentation: pages that the strays keep; dirty: free, kept for reuse)'

title "9. Pictures"
show "$STRATA" graph -o "$OUT/callgraph.svg" "$after"
show "$STRATA" graph -o "$OUT/callgraph.png" "$after"
show "$STRATA" flame -o "$OUT/flame.svg" "$after"
show "$STRATA" lifetimes -o "$OUT/lifetimes.svg" "$after"
show "$STRATA" generations -o "$OUT/generations.svg" "$before" "$after"
for picture in callgraph.svg callgraph.png flame.svg lifetimes.svg \
	generations.svg; do
	[ -s "$OUT/$picture" ] || die "$picture is empty"
done

title "10. Beside other allocators: a smaller load, with strays that have sizes of
    their own (bench/reload.c); at rest: RSS over live bytes. Without --demo
    it runs 100 reloads of 100 MiB, with 1, 2 and 8 threads."
echo '$ bench/reload.sh --demo'
# shellcheck disable=SC2086 # words
env SRCDIR="$SRCDIR" BUILD="$BUILD" OUT="$OUT/bench" \
	"$SRCDIR/bench/reload.sh" --demo $BENCH >"$OUT/bench.txt" 2>&1 ||
	die "bench/reload.sh failed: $(cat "$OUT/bench.txt")"
cat "$OUT/bench.txt"

title "Left in $OUT"
printf '  %-28s %s\n' \
	callgraph.svg,callgraph.png 'call graph of the live bytes' \
	flame.svg 'flame graph of the live bytes' \
	lifetimes.svg 'how long objects lived, by site' \
	generations.svg 'what outlived its reload' \
	rss-by-reload.txt 'the table above' \
	plain.txt,pool.txt,outside.txt 'what the server printed' \
	bench/ 'RSS and active - allocated beside other allocators' \
	"$(basename "$before")" 'profile after the first reload' \
	"$(basename "$after")" "profile after reload $RELOADS" \
	"$(basename "$pool")" 'the same, with a pool' \
	"$(basename "$outside")" 'the same, strays moved out'
printf '\nAlso readable by: go tool pprof -http=: %s\n' "$after"
