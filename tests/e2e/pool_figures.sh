#!/bin/sh
# pool_figures.sh - pools in the statistics, from pool.<i>.stats.* to each
# format of `strata stats`: of a running program that counts itself, at its
# exit, and of a program that knows nothing of its default pool.

. "${0%/*}/lib.sh"
stats() { "$STRATA" stats "$@"; }

# What must hold in any of them, and what is the program's own count.
cat >agree.py <<'PYTHON'
import json, sys

SUMS = "allocated", "active", "resident", "releases", "released"

def nests(pool, stats, arenas, page):
    assert len(pool["arenas"]) == pool["narenas"] <= pool["narenas_max"], pool
    for name in SUMS:
        assert sum(a[name] for a in pool["arenas"]) == pool[name], name
    current = [a for a in pool["arenas"] if a["current"]]
    assert [a["generation"] for a in current] == [pool["generation"]], pool
    assert pool["survivors"] == pool["allocated"] - current[0]["allocated"]
    retired = sum(not a["current"] and a["active"] > 0 for a in pool["arenas"])
    assert pool["generations_retired"] == retired, pool
    assert pool["generations_live"] == retired + 1, pool
    for a in pool["arenas"]:
        same = arenas[str(a["index"])]
        assert a["allocated"] == same["small"]["allocated"] + \
            same["large"]["allocated"], a
        assert a["allocated"] <= a["active"] <= a["resident"], a
        assert a["active"] == same["pactive"] * page, a
    for name in "allocated", "active", "resident":
        assert pool[name] <= stats[name], name

def counted(pool, own):
    assert pool["generation"] == own["generation"], pool
    assert pool["rotations"] == own["rotations"], pool
    for a in pool["arenas"]:
        assert a["current"] == (a["index"] == own["current"]), a
        assert a["allocated"] == own["arenas"].get(str(a["index"]), 0), a

top = json.load(open(sys.argv[1]))
je, pools = top["jemalloc"], top["strata"]["pools"]
for pool in pools.values():
    nests(pool, je["stats"], je["stats.arenas"], je["arenas"]["page"])
if len(sys.argv) > 2:
    own = json.loads(open(sys.argv[2]).readlines()[-1])
    assert set(own) == set(pools), pools.keys()
    for i in own:
        counted(pools[i], own[i])
else:
    assert len(pools) == 1 and pools["0"]["allocated"] > 0, pools
PYTHON

# --- a running program --------------------------------------------------------
mkfifo orders
: >count
MALLOC_CONF="prof:true,prof_prefix:$tmp/p,stats_print:true" \
	LD_PRELOAD=$LIB "$PROG/pool_figures" <orders >count 2>text &
pid=$!
own $pid
exec 3>orders
answers() { [ "$(wc -l <count)" = "$1" ]; }
# order N LINE: and its answer, the Nth
order() {
	echo "$2" >&3
	wait_for 20 answers "$1"
}
# raw NAME: the statistics as the process writes them, in NAME
raw() { mv "$("$STRATA" ctl $pid stats)" "$1"; }

check "the program starts" wait_for 20 answers 1
raw new.json
check "new pools: the program's own count" python3 agree.py new.json count
check "it reloads" order 2 'reload 20'
check "... with less left" order 3 'reload 10'
check "... and again" order 4 'reload 10'
raw one.json
check "with survivors: its own count" python3 agree.py one.json count

# An arena is current if its generation is the pool's: so these say it.
cat >same.jq <<'JQ'
def figures: map_values(.arenas |= map(del(.current, .survivors)));
def at_rest: figures | map_values(del(.rotation_age_ns, .resident, .released) |
	.arenas |= map(del(.resident, .released)));
JQ
stats -f json one.json >shown
check "strata stats -f json: all of it" jq -e --slurpfile raw one.json \
	"$(cat same.jq)"'(.statistics[0].pools | figures) ==
	($raw[0].strata.pools | figures)' shown
stats -f json $pid >shown
check "... of the process: but for age and what is given back meanwhile" \
	jq -e --slurpfile raw one.json "$(cat same.jq)"'
	(.statistics[0].pools | at_rest) ==
	($raw[0].strata.pools | at_rest)' shown
check "the age goes on" jq -e --slurpfile raw one.json '
	.statistics[0].pools["0"].rotation_age_ns >
	$raw[0].strata.pools["0"].rotation_age_ns' shown
stats -f csv --pools $pid >shown
jq -r '.strata.pools["0"] | .generation as $g |
	[0, "all", $g, .survivors], (.arenas[] | [0, .index, .generation,
	if .generation == $g then 0 else .allocated end]) |
	map(tostring) | join(",")' one.json >expected
check_eq "csv: a pool and its arenas" "$(cat expected)" \
	"$(grep ^0, shown | cut -d, -f1-3,9)"
stats $pid >shown
check_eq "text: each pool" 2 "$(grep -c '^pool [01]: generation' shown)"
check_eq "... and arena" "$(jq '[.strata.pools[].narenas] | add' one.json)" \
	"$(grep -c -E '^  (current|retired) arena [0-9]+ \(gen' shown)"
stats -f prom $pid >shown
jq -r '.strata.pools | to_entries[] |
	"strata_pool_survivors_bytes{pool=\"\(.key)\"} \(.value.survivors)"
	' one.json >expected
check_eq "prom: survivors" "$(cat expected)" \
	"$(grep ^strata_pool_survivors shown)"
stats -f openmetrics $pid >shown
jq -r '.strata.pools | to_entries[] | .key as $p | .value.arenas[] |
	"strata_pool_arena_allocated_bytes" +
	"{pool=\"\($p)\",arena=\"\(.index)\"} \(.allocated)"' one.json >expected
check_eq "openmetrics: each arena" "$(cat expected)" \
	"$(grep ^strata_pool_arena_allocated shown)"
stats -w 0.01 -c 2 -f json $pid >shown
check "--watch: at rest nothing changes" jq -es '.[1].statistics |
	map(.pools | map_values(.allocated)) |
	length == 2 and .[0] == .[1]' shown

check "one pool is destroyed" order 5 destroy
raw gone.json
check "... and the other goes on" python3 agree.py gone.json count
for format in text prom; do
	stats -f $format $pid >shown
	check_eq "$format shows the one that is left" "0 1" \
		"$(grep -c -e '^pool 1:' -e 'survivors.*pool="1"' shown) $(
		grep -c -e '^pool 0:' -e 'survivors.*pool="0"' shown)"
done

# --- at the exit --------------------------------------------------------------
check "a last reload" order 6 'reload 5'
exec 3>&-
wait $pid
tail -n 1 count | jq -r '.["0"] | (.current | tostring) as $current |
	.arenas | to_entries[] | "\(if .key == $current then "current"
	else "retired" end) arena \(.key): \(.value)"' | sort >expected
sed -n 's/^\([a-z]* arena [0-9]*\) (gen[^)]*): \([1-9][0-9]*\) .*/\1: \2/p' \
	text | sort >shown
check "the text at the exit is the program's own count" cmp expected shown
check "... of two arenas or more" test "$(wc -l <expected)" -ge 2

# --- a program that knows of nothing ------------------------------------------
under default_pool:4,stats_print:true,stats_print_opts:J \
	perl -e '@a = map { "b" x $_ } 1 .. 2000' 2>perl.json
check "the default pool nests" python3 agree.py perl.json
check "... and holds what the program has" jq -e '
	.strata.pools["0"].allocated > 0.9 * .jemalloc.stats.allocated' \
	perl.json
check_eq "strata stats shows it" 1 "$(stats perl.json | grep -c '^pool 0: ')"
finish
