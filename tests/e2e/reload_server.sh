#!/bin/sh
# reload_server.sh - the example server: its own exact count of live bytes
# against the profile's, site by site; rotation and pools keep RSS near them,
# and what strays inside of a pool is found and can be moved out.

. "${0%/*}/lib.sh"
. "$SRCDIR/tests/e2e/programs.sh"

"$BUILD/bin/reload-server" --config-mib 8 2>usage.err
check_eq "a configuration that is too small: usage" 2 $?
check "it is said what it may be" grep -q "'8' is not a number from 12 to" \
	usage.err

reloads=12
jemalloc=$(ls /usr/lib/*/libjemalloc.so.2 2>/dev/null | head -n 1)

# server_start SWITCH...
server_start() {
	rm -rf "$profiles"
	mkdir "$profiles"
	: >server.out
	become "prof:true,prof_prefix:$profiles/p,lg_prof_sample:14" \
		"$BUILD/bin/reload-server" "$@" --config-mib 24 \
		--seconds 100 >server.out 2>server.err &
	server=$!
	server_wait
}

server_wait() {
	own $server
	wait_for 30 grep -q '^ *0 ' server.out ||
		fail "the server starts" "$(cat server.err)"
	port=$(sed -n 's/.*127\.0\.0\.1:\([0-9]*\),.*/\1/p' server.out)
}

load() {
	"$BUILD/bin/reload-load" --port "$port" --pid $server --reloads \
		$reloads --requests 2000
}

# last COLUMN: of the server's last line
last() {
	awk -v c="$1" '$1 ~ /^[0-9]+$/ { v = $c } END { print v }' server.out
}

server_stop() {
	kill -TERM $server
	wait $server
	check_eq "$1: ends well" 0 $?
	check "$1: freed all it had" grep -q ' 0 bytes live$' server.out
	check_eq "$1: no message" "" "$(cat server.err)"
}

reported() { [ "$(last 1)" = $reloads ]; }

# rests_below RATIO: sets $ratio, RSS over live at this moment
rests_below() {
	ratio=$(awk -v live="$live" '/^VmRSS/ {
		printf "%.2f", $2 / 1024 / live }' "/proc/$server/status")
	holds "$ratio < $1"
}

# serve NAME SWITCH...: reloads, sets $ratio (RSS over live at rest; as it is:
# after the last reload), $live and $profile; the server is still there
serve() {
	serve_name=$1
	shift
	server_start "$@"
	check "$serve_name: $reloads reloads under load" load
	check "$serve_name: it reports the last one, once it has rested" \
		wait_for 10 reported
	ratio=$(last 4) live=$(last 2)
	# What a reload frees in a pool goes back a moment later.
	[ $# -eq 0 ] || wait_for 2 rests_below 1.7
	profile=$("$STRATA" ctl $server dump) ||
		fail "$serve_name: strata ctl dump"
}

# run NAME SWITCH...
run() {
	serve "$@"
	profile_adds_up "$1" fine "$profile"
	check "$1: the allocator's live bytes are the program's" \
		live_is_the_programs "$live"
	check "$1: rules_compile leads" leads
	check "$1: only sessions' blocks are of older generations" \
		strays_are_the_sessions
	server_stop "$1"
}

# pool_read: the server's figures of its pool, in the order of its line
pool_read() {
	# shellcheck disable=SC2046 # words
	set -- $(sed -n 's/^pool://p' server.out | tr -cs '0-9' ' ')
	rotations=${1:-none} narenas=${2:-0} bytes=${4:-0} pages=${5:-0}
	retired=${6:-0}
}

# pool_is_tidy NAME: nothing of what is in it outlives its generation. Blocks
# in a cache or a batch count as handed out: some KiB may be of the last one.
pool_is_tidy() {
	pool_read
	check_eq "$1: each reload rotated" $reloads "$rotations"
	check "$1: $narenas arenas were opened, at most 4" \
		holds "$narenas >= 2 && $narenas <= 4"
	check "$1: of $bytes bytes $retired are in retired arenas" \
		holds "$bytes > 24 * 1048576 && $retired < $bytes / 100"
	check "$1: $pages in pages, hardly more" \
		holds "$pages >= $bytes && $pages < 1.1 * $bytes"
}

# The stray that is written inside of the scope; the program counts its bytes,
# with what its blocks were rounded up by.
stray_is_named() {
	"$STRATA" generations -f json "$profile" >generations.json &&
		jq -c '.sites[] | [.site, .kind, .stray_bytes]' \
			generations.json &&
		jq -e '.sites[0] | .site == "audit_record" and
		.kind == "stray"' generations.json
}

stray_bytes_are_the_programs() {
	jq -e --argjson own "$(sed -n 's/^audit:.* \([0-9]*\) usable$/\1/p' \
		server.out)" '.sites[] | select(.site == "audit_record") |
		((.bytes - $own) | fabs) <= 4 * .bytes_error and
		.stray_bytes > $own / 2' generations.json
}

# What the server has of older generations in the pool's arenas is the stray:
# sessions join outside of the scope.
pool_holds_the_stray_only() {
	"$STRATA" top --by arena --format csv "$profile" >arenas.csv
	arenas=$(sed -n 's/.*arena \([1-9][0-9]*\).*/\1/p' arenas.csv |
		sort -n | sed -n '1p;$p' | paste -sd -)
	"$STRATA" top --arena "$arenas" --generation 2-$((reloads + 1)) \
		--format csv "$profile" >strays.csv || return 1
	cat arenas.csv strays.csv
	sed -n 2p strays.csv | grep -q audit_record &&
		! grep -q rules_co strays.csv
}

# The program counts what it asked for; classes round up by 12 % at most.
live_is_the_programs() {
	awk -v own="$1" -v exact="$(jq .header.live_exact figures.json)" \
		'BEGIN { r = exact / 1048576 / own; print r
		    exit !(r >= 1 && r < 1.2) }'
}

leads() {
	"$STRATA" top --format csv "$profile" | sed -n 2p | grep rules_compile
}

# The server begins generation 2 with its first configuration, then one at
# each reload: what is left of all but the newest are the sessions.
strays_are_the_sessions() {
	"$STRATA" top --generation 2-$((reloads + 1)) --format csv "$profile" \
		>strays.csv || return 1
	cat strays.csv
	sed -n 2p strays.csv | grep -q rules_copy &&
		! grep -q rules_compile strays.csv &&
		"$STRATA" top --generation $((reloads + 2)) --format csv \
			"$profile" | sed -n 2p | grep -q rules_compile
}

run "as it is"
plain=$ratio
run "rotated" --rotate 4
check "RSS/live rotated ($ratio) is below 1.7 and below as it is ($plain)" \
	holds "$ratio < 1.7 && $ratio < $plain"
run "pool" --pool 4
check "RSS/live with a pool ($ratio) is below 1.7 and below as it is ($plain)" \
	holds "$ratio < 1.7 && $ratio < $plain"
pool_is_tidy "pool"

serve "audited" --pool 4 --audit 4
check "audited: strata generations names the stray first" stray_is_named
check "audited: of what is old in the pool the stray is first" \
	pool_holds_the_stray_only
server_stop "audited"
check "audited: its bytes are the program's count" \
	stray_bytes_are_the_programs
pool_read
audited=$pages
check "audited: the stray keeps pages ($pages for $bytes bytes)" \
	holds "$pages > 1.15 * $bytes && $retired > $bytes / 100"

serve "moved out" --pool 4 --audit 4 --audit-outside
server_stop "moved out"
pool_is_tidy "moved out"
check "moved out: fewer pages than before ($audited)" holds "$pages < $audited"

# fallback NAME LIBRARY: serves as it is, and says why
fallback() {
	: >server.out
	LD_PRELOAD=$2 "$BUILD/bin/reload-server" --pool 4 --config-mib 24 \
		--seconds 100 >server.out 2>server.err &
	server=$!
	server_wait
	check "$1: $reloads reloads under load" load
	server_stop "$1"
	check "$1: it says that there is no pool" \
		grep -q '^no pool: this malloc has none$' server.out
	check_eq "$1: no figures of one" "" "$(grep '^pool:' server.out)"
}

fallback "libc's malloc" ""
if [ -n "$jemalloc" ]; then
	fallback "jemalloc" "$jemalloc"
else
	skip "jemalloc is not installed"
fi
finish
