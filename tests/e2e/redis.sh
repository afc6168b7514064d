#!/bin/sh
# redis.sh - redis-server under Strata: the data it holds is the same, a load
# by redis-benchmark goes through, profiles asked for while it runs add up,
# and its background save (a fork) writes the same data.

. "${0%/*}/lib.sh"
. "$SRCDIR/tests/e2e/programs.sh"

socket=$tmp/redis.sock
cli() { redis-cli -s "$socket" "$@"; }
ponging() { [ "$(cli ping)" = PONG ]; }

# server_start MODE|none: sets $server
server_start() {
	rm -rf "$profiles" dump.rdb
	mkdir "$profiles"
	set -- "$1" redis-server --port 0 --unixsocket "$socket" --save '' \
		--dir "$tmp" --enable-debug-command local --io-threads 2
	if [ "$1" = none ]; then
		shift
		"$@" >server.log 2>&1 &
	else
		server_conf=$(conf_of "$1")
		shift
		become "$server_conf" "$@" >server.log 2>&1 &
	fi
	server=$!
	own $server
	wait_for 20 ponging || fail "the server answers" "$(cat server.log)"
}

server_stop() {
	cli shutdown nosave >/dev/null 2>&1
	wait $server
}

cat >fill.lua <<'END'
for i = 1, 20000 do
	redis.call('SET', 'string:' .. i, string.rep('x', i * 31 % 700))
	if i % 4 == 0 then
		redis.call('HSET', 'hash:' .. i % 500, 'field' .. i, i * 17)
		redis.call('ZADD', 'zset:' .. i % 50, i * 7 % 1009, 'm' .. i)
		redis.call('RPUSH', 'list:' .. i % 90, string.rep('y', i % 120))
		redis.call('SADD', 'set:' .. i % 70, i, 'member' .. i)
	end
	if i % 3 == 0 then redis.call('DEL', 'string:' .. i - 1) end
	if i % 5 == 0 then redis.call('APPEND', 'string:' .. i, 'tail') end
end
return redis.call('DBSIZE')
END

# data: what the server holds after the same work, as one hash
data() {
	cli --eval fill.lua
	cli debug digest
	cli lrange list:7 0 -1 | cksum
	cli hgetall hash:44 | sort | cksum
}

saved() {
	cli info persistence | grep -q 'rdb_bgsave_in_progress:0' &&
		[ -s "$tmp/dump.rdb" ]
}

# save_and_read_back: the digest of what a background save wrote
save_and_read_back() {
	rm -f dump.rdb
	cli bgsave >/dev/null
	wait_for 20 saved
	cli debug reload nosave >/dev/null
	cli debug digest
}

load() {
	redis-benchmark -s "$socket" -q -n 10000 -c 20 -P 8 -r 5000 -d 200 \
		-t set,get,incr,lpush,rpop,sadd,hset,zadd,lrange_100
}

# profile_of LABEL MODE: asks for one and holds it against its header
profile_of() {
	if profile=$("$STRATA" ctl $server dump 2>ctl.err); then
		profile_adds_up "$1" "$2" "$profile"
	else
		fail "$1: strata ctl dump" "$(cat ctl.err)"
	fi
}

server_start none
data >ref
server_stop

for mode in off default fine; do
	server_start $mode
	data >got
	check "$mode: the data are the same" cmp ref got
	if [ $mode != off ]; then
		profile_of "$mode: at rest" $mode
		before=$profile
	fi
	digest=$(cli debug digest)
	check_eq "$mode: a background save has them all" "$digest" \
		"$(save_and_read_back)"
	check "$mode: redis-benchmark goes through" load
	if [ $mode != off ]; then
		profile_of "$mode: after the load" $mode
		check "$mode: sites are named" sh -c \
			"'$STRATA' top '$profile' | grep -q zmalloc"
		check "$mode: diff of two profiles" \
			"$STRATA" diff "$before" "$profile"
		check "$mode: lifetimes" "$STRATA" lifetimes "$profile"
		check "$mode: graph" \
			"$STRATA" graph --format svg -o graph.svg "$profile"
		check "$mode: the graph is XML" xmllint --noout graph.svg
	fi
	server_stop
	check_eq "$mode: the server ends well" 0 $?
done

finish
