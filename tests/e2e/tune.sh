#!/bin/sh
# tune.sh - strata tune by experiment: a workload that contends on one lock,
# bin or policy gets the advice for it, and tuned as advised its counter falls;
# healthy programs get none. Counters and page faults are compared, not times.

. "${0%/*}/lib.sh"

CONTEND_STATS=$tmp/stats.json
export CONTEND_STATS

# contend CONF MODE [THREADS [ROUNDS]]: leaves stats.json and line
contend() {
	contend_conf=$1
	shift
	rm -f stats.json
	under "$contend_conf" "$PROG/contend" "$@" >line
}

# advice: what strata tune says of stats.json; its status is lost
advice() { "$STRATA" tune --format=json "$@" stats.json 2>advice.err; }
# named RULE: is it among the findings of advice.json?
named() {
	jq -e --arg rule "$1" 'any(.findings[]; .rule == $rule)' \
		advice.json >/dev/null
}

merged='.jemalloc."stats.arenas".merged'
# figure EXPRESSION: of stats.json, or "faults" of the line
figure() {
	case $1 in
	faults) sed 's/faults \([0-9]*\).*/\1/' line ;;
	*) jq -n "input | $1" stats.json ;;
	esac
}

# Where it needs two threads to meet: more work until they did.
ask() {
	ask_rule=$1 ask_conf=$2 ask_mode=$3 ask_threads=$4 ask_rounds=$5
	for ask_factor in 1 2 4; do
		contend "$ask_conf" "$ask_mode" "$ask_threads" \
			$((ask_rounds * ask_factor)) || return
		advice >advice.json
		! named "$ask_rule" || return 0
	done
	return 1
}

keep=	# jemalloc does not tell what it was given: the line cannot repeat it
# experiment RULE CONF FIGURE FACTOR MODE THREADS ROUNDS: tuned as advised the
# figure is smaller by the factor at least, and the finding is gone
experiment() {
	exp_rule=$1 exp_conf=$2 exp_figure=$3 exp_factor=$4
	shift 4
	if ! ask "$exp_rule" "$exp_conf" "$@"; then
		fail "$exp_rule: is advised" "$(cat advice.json advice.err)"
		return
	fi
	ok "$exp_rule: is advised"
	before=$(figure "$exp_figure")
	tuned=$keep$(jq -r .malloc_conf advice.json)
	if contend "$tuned" "$1" "$2" $(($3 * ask_factor)); then
		after=$(figure "$exp_figure")
		check "$exp_rule: $before, with $tuned $after" \
			holds "$after * $exp_factor <= $before"
	else
		fail "$exp_rule: runs with $tuned"
	fi
	advice >advice.json
	if named "$exp_rule"; then
		fail "$exp_rule: is not advised again" "$(cat advice.json)"
	else
		ok "$exp_rule: is not advised again"
	fi
}

waits="[$merged | .bins[].mutex, (.mutexes | .extents_dirty,
	.extents_retained) | .num_wait + .num_spin_acq] | add"
bins="[$merged.bins[] | .mutex.num_wait + .mutex.num_spin_acq] | add"
large="[$merged.lextents[].nmalloc] | add"

experiment hot-bins narenas:1 "$bins" 4 bin 16 800
experiment arenas narenas:1 "$waits" 4 bins 16 800
experiment slab-sizes '' "[$merged.bins[].nslabs] | add" 4 middle 16 200
experiment tcache-slots tcache_nslots_small_max:20 \
	"$merged.small.nfills" 5 bin 2 800
experiment tcache-slots tcache:false "$merged.small.nfills" 20 fine 2 5000
experiment tcache-max '' "$large" 20 large 8 10000
experiment purge dirty_decay_ms:0 faults 10 purge 1 100
experiment cached '' "$merged.tcache_bytes" 4 caches 64 1
experiment sampling prof:true,lg_prof_sample:0 .strata.prof.samples 50 \
	sparse 1 100

# --- advice in code ----------------------------------------------------------

# owned RULE CONF FIGURE FACTOR MODE THREADS ROUNDS: as experiment, where the
# change is an arena of one's own. Beside other work few threads meet, in a short
# run by chance alone: then more work.
owned() {
	exp_rule=$1 exp_conf=$2 exp_figure=$3 exp_factor=$4
	shift 4
	if ! ask "$exp_rule" "$exp_conf" "$@"; then
		fail "$exp_rule: is advised" "$(cat advice.json advice.err)"
		return
	fi
	ok "$exp_rule: is advised"
	for owned_factor in 1 2 4; do
		[ $owned_factor = 1 ] || contend "$exp_conf" "$1" "$2" \
			$(($3 * ask_factor * owned_factor))
		before=$(figure "$exp_figure")
		CONTEND_OWN=1 contend "$exp_conf" "$1" "$2" \
			$(($3 * ask_factor * owned_factor))
		after=$(figure "$exp_figure")
		! holds "$after * $exp_factor <= $before" || break
	done
	check "$exp_rule: $before, with an arena of its own $after" \
		holds "$after * $exp_factor <= $before"
}
# The checks of a debug build take so long that threads seldom wait.
if under stats_print:true,stats_print_opts:mdablxeh true 2>&1 |
	grep -q 'config.debug: true'; then
	skip "own-arena: a debug build"
else
	owned own-arena narenas:4 "$waits" 4 hot 16 3000
	check "own-arena: the code binds a thread" jq -e 'any(.findings[];
		.code // "" | test("thread.arena"))' advice.json
fi
owned utilisation '' "[$merged.bins[] | .curslabs] | add" 4 sparse 1 600

# --- memory that stays -------------------------------------------------------

idling() { [ -s line ]; }
# idle CONF: a process after its peak, doing nothing: $idle
idle() {
	: >line
	MALLOC_CONF=prof:true,prof_active:false,$1 LD_PRELOAD=$LIB \
		CONTEND_STAY=1 "$PROG/contend" peak >line &
	idle=$!
	own $idle
	wait_for 10 idling || fail "the process reaches its peak"
}
dirty() {
	"$STRATA" ctl $idle stats >stats.path &&
		jq -n "input | $merged.pdirty" "$(cat stats.path)"
}
emptied() { [ "$(dirty)" -lt 1000 ]; }

idle dirty_decay_ms:300
"$STRATA" tune --interval 1s --format=json $idle >advice.json
check "idle: is advised" named idle
check_eq "idle: its line keeps what was given" \
	prof:true,prof_active:false,dirty_decay_ms:300,background_thread:true \
	"$(jq -r .malloc_conf advice.json)"
check "idle: it keeps its memory" holds "$(dirty) > 40000"
kill $idle
idle "dirty_decay_ms:300,background_thread:true"
check "idle: tuned as advised it gives it back" wait_for 10 emptied
"$STRATA" tune --interval 1s $idle >advice.txt
check_eq "idle: and gets no advice" 0 $?
kill $idle

idle dirty_decay_ms:-1
"$STRATA" tune --format=json $idle >advice.json
check_eq "never-purged: is advised" dirty_decay_ms:10000 \
	"$(jq -r '.findings[] | select(.rule == "never-purged") |
		.settings | "dirty_decay_ms:" + .dirty_decay_ms' advice.json)"
kill $idle

# --- MALLOC_CONF -------------------------------------------------------------

contend narena:4,dss:primary,tcache_nslots_small_max:0x800 fine 2>err
"$STRATA" tune stats.json >advice.txt
check "a misspelt option is named" \
	grep -q 'narena: is narenas meant' advice.txt
check "what is in force is not" sh -c "! grep nslots advice.txt"

# --- jemalloc ----------------------------------------------------------------

jemalloc=$(ls /usr/lib/*/libjemalloc.so.2 2>/dev/null | head -n 1)
if [ -n "$jemalloc" ]; then
	ours=$LIB LIB=$jemalloc keep=narenas:8,
	experiment purge narenas:8 faults 10 huge 1 100
	check "jemalloc: its wrong counters are said" \
		grep -q 'locks are not judged' advice.err
	experiment slab-sizes narenas:8 \
		"[$merged.bins[].nflushes] | add" 2 middle 2 1000
	LIB=$ours keep=
else
	skip "jemalloc is not installed"
fi

# --- two ---------------------------------------------------------------------

contend '' middle 4 200
mv stats.json then.json
contend slab_sizes:512-4096:16 middle 4 200
"$STRATA" tune --runs --format=json then.json stats.json >advice.json
check_eq "two runs: the second is fine" 0 $?
check "two runs: what is gone is named" \
	jq -e '.compared == "runs" and .gone == ["slab-sizes"]' advice.json
check "two runs: the rate of new slabs fell" jq -e '.changes[] |
	select(.figure == "slabs") | .now * 2 < .then' advice.json

# --- healthy programs --------------------------------------------------------

# healthy NAME COMMAND...: no word about it
healthy() {
	healthy_name=$1
	shift
	under stats_print:true,stats_print_opts:J "$@" >out 2>stats.json
	"$STRATA" tune stats.json >advice.txt 2>&1
	check_eq "$healthy_name: no advice" "0 " "$? $(cat advice.txt)"
}
cat >work.pl <<'END'
my (%h, @a);
for my $i (1 .. 100000) {
	push @{$h{$i % 1000}}, "x" x ($i % 90);
	$a[$i % 5000] = { n => $i, s => "y" x ($i % 300) };
}
print scalar(keys %h), "\n";
END
cat >work.py <<'END'
import json
rows = [{"id": i, "name": str(i) * 5} for i in range(100000)]
back = json.loads(json.dumps(rows))
print(len(sorted(back, key=lambda row: row["name"])))
END
healthy perl perl work.pl
healthy python3 python3 work.py
healthy sqlite3 sqlite3 :memory: "create table t(a integer primary key,
	b text); with recursive c(x) as (select 1 union all select x + 1 from c
	where x < 100000) insert into t select x, hex(randomblob(20)) from c;
	create index i on t(b); select count(*) from t x join t y on x.b = y.b"
healthy jq jq -n '[range(100000) | {a: ., b: tostring}] | length'
contend '' fine
"$STRATA" tune stats.json >advice.txt
check_eq "threads that live of their caches: no advice" "0 " \
	"$? $(cat advice.txt)"

if command -v redis-server >redis.path && command -v redis-benchmark \
	>/dev/null; then
	socket=$tmp/redis.sock
	MALLOC_CONF=prof:true,prof_active:false LD_PRELOAD=$LIB redis-server \
		--port 0 --unixsocket "$socket" --save '' --dir "$tmp" \
		--io-threads 2 >server.log &
	server=$!
	own $server
	wait_for 20 redis-cli -s "$socket" ping
	redis-benchmark -s "$socket" -q -n 20000 -c 20 -P 8 -r 5000 -d 200 \
		-t set,get,lpush,rpop,hset,zadd >/dev/null
	"$STRATA" tune $server >advice.txt 2>&1
	check_eq "redis-server: no advice" "0 " "$? $(cat advice.txt)"
	kill $server
else
	skip "redis is not installed"
fi
finish
