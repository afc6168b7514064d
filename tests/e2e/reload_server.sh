#!/bin/sh
# reload_server.sh - the example server: its own exact count of live bytes
# against the profile's, site by site; rotation keeps RSS near them.

. "${0%/*}/lib.sh"
. "$SRCDIR/tests/e2e/programs.sh"

reloads=12

# server_start ROTATE CONF
server_start() {
	rm -rf "$profiles"
	mkdir "$profiles"
	become "prof:true,prof_prefix:$profiles/p,$2" \
		"$BUILD/bin/reload-server" --rotate "$1" --config-mib 24 \
		--seconds 100 >server.out 2>server.err &
	server=$!
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

# run NAME ROTATE: sets $ratio, RSS over live after the last reload
run() {
	server_start "$2" lg_prof_sample:14
	check "$1: $reloads reloads under load" load
	ratio=$(last 4) live=$(last 2)
	profile=$("$STRATA" ctl $server dump) || fail "$1: strata ctl dump"
	profile_adds_up "$1" fine "$profile"
	check "$1: the allocator's live bytes are the program's" \
		live_is_the_programs "$live"
	check "$1: rules_compile leads" leads
	check "$1: only sessions' blocks are of older generations" \
		strays_are_the_sessions
	server_stop "$1"
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

run "as it is" 0
plain=$ratio
run "rotated" 4
rotated=$ratio
check "RSS/live rotated ($rotated) is below 1.7 and below as it is ($plain)" \
	awk -v p="$plain" -v r="$rotated" 'BEGIN { exit !(r < 1.7 && r < p) }'
finish
