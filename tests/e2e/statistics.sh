#!/bin/sh
# statistics.sh - malloc_stats_print and MALLOC_CONF on real programs: valid
# JSON with jemalloc's key paths, figures that nest, jemalloc's text sections,
# messages for bad pairs, children without the library.

. "${0%/*}/lib.sh"

# perl neither closes its stderr before the end nor leaves by _exit.
under stats_print:true,stats_print_opts:J perl -e 'print $$' 2>stats.json \
	>stats.pid
check "JSON is valid" jq -ne 'input | .jemalloc' stats.json
cat >strict.py <<'END'
import json, os, sys, time

def pairs(items):
    keys = [key for key, value in items]
    twice = {key for key in keys if keys.count(key) > 1}
    assert not twice, "keys that come twice: %s" % twice
    return dict(items)

top = json.load(open(sys.argv[1]), object_pairs_hook=pairs)
stats = top["jemalloc"]["stats"]
merged = top["jemalloc"]["stats.arenas"]["merged"]
assert 0 < stats["allocated"] <= stats["active"] <= stats["resident"] \
    <= stats["mapped"], stats
assert merged["small"]["allocated"] + merged["large"]["allocated"] \
    == stats["allocated"]
sizes = [b["size"] for b in top["jemalloc"]["arenas"]["bin"]]
assert sum(b["curregs"] * size for b, size in zip(merged["bins"], sizes)) \
    == merged["small"]["allocated"]
assert top["strata"]["live"] + top["strata"]["tcache_bytes"] \
    == stats["allocated"]
for mutex in merged["mutexes"].values():
    assert len(mutex) == 7
assert merged["mutexes"]["extents_dirty"]["num_ops"] > 0
assert merged["mutexes"]["extents_dirty"]["num_wait"] == 0
assert 0 <= time.time() - top["strata"]["time_unix_ns"] / 1e9 < 60
assert top["strata"]["pid"] == int(sys.argv[2])
assert top["strata"]["ncpus"] == len(os.sched_getaffinity(0))
END
check "no key comes twice, and the figures agree" \
	python3 strict.py stats.json "$(cat stats.pid)"

# What dashboards read, by jemalloc's paths.
for path in .jemalloc.version .jemalloc.config.stats .jemalloc.opt.narenas \
	.jemalloc.arenas.narenas '.jemalloc.arenas.bin[0].nregs' \
	'.jemalloc.arenas.lextent[0].size' .jemalloc.stats.retained \
	.jemalloc.stats.background_thread.num_runs \
	.jemalloc.stats.mutexes.ctl.num_ops \
	'.jemalloc."stats.arenas".merged.nthreads' \
	'.jemalloc."stats.arenas".merged.bins[3].nfills' \
	'.jemalloc."stats.arenas".merged.bins[3].mutex.num_wait' \
	'.jemalloc."stats.arenas".merged.lextents[0].curlextents' \
	'.jemalloc."stats.arenas".merged.extents[0].ndirty' \
	'.jemalloc."stats.arenas".merged.mutexes.extents_retained.num_ops' \
	'.jemalloc."stats.arenas"."0".dirty_purged' .strata.prof.samples; do
	check "JSON has $path" jq -ne "input | $path != null" stats.json
done

under stats_print:true perl -e 1 2>stats.txt
for title in '___ Begin jemalloc statistics ___' \
	'Build-time option settings' 'Run-time option settings' \
	'  opt.dirty_decay_ms: 10000 (arenas.dirty_decay_ms: 10000)' \
	'Profiling settings' 'Allocated: [0-9]*, active: [0-9]*, metadata' \
	'arenas\[0\]:' 'decaying:  time ' 'small: ' 'total: ' 'bins: ' \
	'large: ' 'extents: ' '--- End jemalloc statistics ---'; do
	check "text has $title" grep -q -e "^$title" stats.txt
done
under stats_print:true,stats_print_opts:gmablxe perl -e 1 2>short.txt
check "letters leave sections out" test "$(grep -c . short.txt)" -le 7
under stats_interval:100000,stats_interval_opts:gablxe \
	perl -e '$x .= "a" x 1000 for 1 .. 2000; my @a = map { "b" x $_ } 1 .. 2000' \
	2>interval.txt
check "stats_interval prints while running" \
	test "$(grep -c '^___ Begin' interval.txt)" -ge 2

# --- the system's figure ----------------------------------------------------
check "the parts explain Rss to within 3 %" under "" "$PROG/rss_parts"
check "... also when much was given back" \
	under dirty_decay_ms:0 "$PROG/rss_parts" purges
check "... also while profiling" \
	under prof:true,prof_final:false "$PROG/rss_parts"

# --- MALLOC_CONF on a program -----------------------------------------------
check_eq "a bad pair costs one line" \
	"<strata>: Invalid conf pair: nonsense:1" \
	"$(under nonsense:1 true 2>&1)"
check_eq "and the program runs on" "ran" \
	"$(under nonsense:1,zero:maybe echo ran 2>/dev/null)"
(
	ulimit -c 0
	under abort_conf:true,nonsense:1 true 2>abort.err
) 2>/dev/null
check_eq "unless abort_conf" 134 $?
check "confirm_conf names each source" test 5 = \
	"$(under confirm_conf:true true 2>&1 | grep -c 'malloc_conf #')"

# strata run --no-children: this program has it, the next has not.
check_eq "children run without the library" "" \
	"$(STRATA_NO_CHILDREN=1 under confirm_conf:true env 2>/dev/null |
		grep -e ^LD_PRELOAD -e ^STRATA_NO)"
check_eq "the program itself runs under it" 5 \
	"$(STRATA_NO_CHILDREN=1 under confirm_conf:true \
		sh -c 'true; true' 2>&1 | grep -c 'malloc_conf #')"
finish
