#!/bin/sh
# prometheus.sh - `strata stats` of running programs, and its metrics read by
# the real readers: promtool, a Prometheus server that scrapes them over HTTP
# and is asked for each figure, and node-exporter's textfile collector while
# the file is replaced again and again.

. "${0%/*}/lib.sh"
mkdir www
stats() { "$STRATA" stats "$@"; }

# --- a process ---------------------------------------------------------------
cat >work.py <<'END'
import ctypes, sys

# Two pools, one of them with survivors and a second arena.
strata = ctypes.CDLL(None)
def configure(pool):
    assert strata.strata_pool_enter(pool) == 0
    config = [bytes(1000 + i % 500) for i in range(2000)]
    assert strata.strata_pool_leave(pool) == 0
    return config

pools = []
for i in range(2):
    pool = ctypes.c_uint()
    assert strata.strata_pool_create(0, ctypes.byref(pool)) == 0
    pools.append(pool)
configs = [configure(pool) for pool in pools]
def rotate():
    assert strata.strata_pool_rotate(pools[1], None) == 0
    configs[1] = configs[1][:20] + configure(pools[1])

rotate()
kept = [bytes(3000 + i % 500) for i in range(5000)]
large = [bytearray(200000) for i in range(20)]
print("ready", flush=True)
for line in sys.stdin:
    kept += [bytes(3000) for i in range(int(line))]
    rotate()
    print("done", flush=True)
END
mkfifo orders
PYTHONMALLOC=malloc MALLOC_CONF="prof:true,prof_prefix:$tmp/p" \
	LD_PRELOAD="$LIB" python3 work.py <orders >work.out 2>&1 &
pid=$!
own $pid
exec 3>orders
wait_for 20 grep -q ready work.out || fail "the program starts"

check "a running process is asked" stats -f json -o one.json $pid
check_eq "the file that it wrote for that is removed" 0 "$(files p.*)"
check_eq "it says which process it is" "$pid" \
	"$(jq -r '.statistics[0].pid' one.json)"
raw=$("$STRATA" ctl $pid stats)
check "what ctl has it write is read as a file" stats -b -l -m "$raw"
check_eq "the figures are those of the file" \
	"$(jq -c '.jemalloc.stats | [.allocated, .active, .resident]' "$raw")" \
	"$(stats -f json "$raw" |
		jq -c '.statistics[0] | [.allocated, .active, .resident]')"
echo 20000 >&3
wait_for 20 grep -q 'done' work.out
stats -w 0.1 -c 3 -f csv -o watch.csv $pid
check_eq "--watch is a series" 4 "$(wc -l <watch.csv)"
again=$("$STRATA" ctl $pid stats)
check "growth between two files shows" test 50000000 -lt "$(
	stats -f csv "$again" "$raw" | awk -F, '
		NR == 2 { first = $5 } NR == 3 { print $5 - first }')"
stats -f json "$raw" "$again" >rates.json
check_eq "two pools are in it" "0,1" "$(jq -r '.strata.pools |
	map_values(.survivors > 0) | if . == {"0": false, "1": true}
	then keys | join(",") else . end' "$raw")"
check "as rates too" jq -en 'input | .per_second.nrequests > 0' rates.json

# A daemon's folder.
if [ -w / ]; then
	(cd / && exec env MALLOC_CONF=prof:true,prof_prefix:strata-root \
		LD_PRELOAD="$LIB" sleep 60) &
	root=$!
	own $root
	asked() { "$STRATA" ctl $root status; }
	wait_for 20 asked || fail "the program starts in /"
	check "a process whose folder is / is asked" stats -f json $root
	check_eq "and its file is removed, too" 0 "$(files /strata-root.$root.*)"
	rm -f /strata-root.$root.*
else
	skip "a process whose folder is /: it cannot write there"
fi

stats 99999999 2>gone.err
check_eq "a process that is not there: exit 3" 3 $?
check "... and it says so" grep -q 'no process 99999999' gone.err

# --- files of stats_print, in logs -------------------------------------------
MALLOC_CONF=stats_print:true,stats_print_opts:J LD_PRELOAD="$LIB" \
	perl -e 'warn "a line { before\n"; $x = "b" x 70000' 2>log.txt
echo "and after }" >>log.txt
check "stats_print among other lines" stats -b log.txt
MALLOC_CONF=stats_interval:2000000,stats_interval_opts:J LD_PRELOAD="$LIB" \
	perl -e '@a = map { "b" x 1000 } 1 .. 20000' 2>series.txt
check "stats_interval is a series" test 3 -le \
	"$(stats -f json series.txt | jq '.statistics | length')"
check "... and a picture" stats -o series.svg series.txt
check "... that is well-formed" xmllint --noout series.svg
je=$(find /usr/lib /lib -name libjemalloc.so.2 2>/dev/null | head -n 1)
if [ -n "$je" ]; then
	MALLOC_CONF=stats_print:true,stats_print_opts:J LD_PRELOAD="$je" \
		perl -e '$x = "b" x 70000' 2>je.json
	check "jemalloc's own are read" stats -b -l -m je.json
	check_eq "... with the same figures" \
		"$(jq -c '.jemalloc.stats | [.allocated, .mapped]' je.json)" \
		"$(stats -f json je.json |
			jq -c '.statistics[0] | [.allocated, .mapped]')"
	stats -o www/jemalloc.prom je.json
else
	skip "jemalloc's own: libjemalloc.so.2 is not installed"
fi

# --- what each reader must find: from the raw statistics, by other code -------
cat >expect.py <<'END'
import json, sys

def expected(path):
    top = json.load(open(path))
    stats, arenas = top["jemalloc"]["stats"], top["jemalloc"]["stats.arenas"]
    info, merged = top["jemalloc"]["arenas"], arenas["merged"]
    page, out = info["page"], {}
    for name in "allocated active resident mapped retained metadata".split():
        out["strata_%s_bytes" % name, ()] = stats[name]
    for key, arena in arenas.items():
        if not key.isdigit():
            continue
        a = ("arena", key)
        out["strata_arena_threads", (a,)] = arena["nthreads"]
        out["strata_arena_active_bytes", (a,)] = arena["pactive"] * page
        for kind in "dirty", "muzzy":
            k = (a, ("kind", kind))
            out["strata_arena_unused_bytes", k] = arena["p" + kind] * page
            out["strata_arena_purges_total", k] = arena[kind + "_npurge"]
            out["strata_arena_purged_bytes_total", k] = \
                arena[kind + "_purged"] * page
        for kind in "small", "large":
            k = (a, ("kind", kind))
            out["strata_arena_allocated_bytes", k] = arena[kind]["allocated"]
            out["strata_arena_requests_total", k] = arena[kind]["nrequests"]
    for key, pool in top.get("strata", {}).get("pools", {}).items():
        k = (("pool", key),)
        for name in "generation", "generations_live", "generations_retired":
            out["strata_pool_" + name, k] = pool[name]
        out["strata_pool_rotations_total", k] = pool["rotations"]
        out["strata_pool_rotation_age_seconds", k] = \
            pool["rotation_age_ns"] / 1e9
        out["strata_pool_survivors_bytes", k] = pool["survivors"]
        for arena in pool["arenas"]:
            k = (("arena", str(arena["index"])), ("pool", key))
            out["strata_pool_arena_generation", k] = arena["generation"]
            for name in "allocated", "active", "resident":
                out["strata_pool_arena_%s_bytes" % name, k] = arena[name]
            out["strata_pool_arena_releases_total", k] = arena["releases"]
            out["strata_pool_arena_released_bytes_total", k] = \
                arena["released"]
    for bin, what in zip(merged["bins"], info["bin"]):
        if bin["nmalloc"] or bin["nrequests"]:
            k = (("size", str(what["size"])),)
            out["strata_bin_fills_total", k] = bin["nfills"]
            out["strata_bin_regions", k] = bin["curregs"]
    for name, lock in list(stats["mutexes"].items()) + \
            list(merged["mutexes"].items()):
        if lock["num_ops"]:
            k = (("mutex", name),)
            out["strata_mutex_operations_total", k] = lock["num_ops"]
            out["strata_mutex_wait_seconds_total", k] = \
                lock["total_wait_time"] / 1e9
    return out

def compare(path, found):
    bad = False
    for key, value in expected(path).items():
        if key not in found or abs(found[key] - value) > 1e-9 * abs(value):
            print(key, "is", found.get(key), "not", value)
            bad = True
    sys.exit(bad or len(found) < 60)
END

# --- promtool ----------------------------------------------------------------
stats -o www/strata.prom "$raw"
if command -v promtool >/dev/null; then
	for file in www/*.prom; do
		promtool check metrics <"$file" >lint.out 2>&1
		check_eq "promtool finds nothing in ${file#www/}" "0 " \
			"$? $(cat lint.out)"
	done
	echo 'strata_x{arena=0} 1' | promtool check metrics >/dev/null 2>&1
	check "... and would" test $? -ne 0
else
	skip "promtool: the package prometheus is not installed"
fi

# --- a server ----------------------------------------------------------------
cat >serve.py <<'END'
import http.server, os

class Handler(http.server.SimpleHTTPRequestHandler):
    extensions_map = {
        ".openmetrics": "application/openmetrics-text; version=1.0.0; "
                        "charset=utf-8",
        ".prom": "text/plain; version=0.0.4; charset=utf-8" }

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
os.chdir("www")
server.serve_forever()
END
cat >ask.py <<'END'
import json, sys, urllib.parse, urllib.request
from expect import compare

url, job, path = sys.argv[1:]
query = urllib.parse.urlencode(
    { "query": '{__name__=~"strata_.*",job="%s"}' % job })
answer = json.load(urllib.request.urlopen(url + "/api/v1/query?" + query))
found = {}
for series in answer["data"]["result"]:
    labels = { k: v for k, v in series["metric"].items()
        if k not in ("__name__", "job", "instance", "service") }
    assert series["metric"]["service"] == "web", series
    found[series["metric"]["__name__"], tuple(sorted(labels.items()))] = \
        float(series["value"][1])
compare(path, found)
END
free_port() {
	python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}
# up JOB: the server's last scrape of it went well
up() {
	curl -s "$url/api/v1/query?query=up" | jq -e ".data.result[] |
		select(.metric.job == \"$1\" and .value[1] == \"1\")"
}
# type_of METRIC: as the server took it from the TYPE line
type_of() {
	curl -s "$url/api/v1/metadata?metric=$1" |
		jq -r ".data.$1[0].type"
}
if command -v prometheus >/dev/null; then
	for format in openmetrics prom; do
		stats --label service=web -o www/strata.$format "$raw"
	done
	python3 serve.py >port 2>serve.log &
	own $!
	wait_for 10 test -s port
	target=127.0.0.1:$(cat port)
	url=http://127.0.0.1:$(free_port)
	cat >prometheus.yml <<-YAML
		global: { scrape_interval: 500ms, scrape_timeout: 400ms }
		scrape_configs:
		  - job_name: openmetrics
		    metrics_path: /strata.openmetrics
		    static_configs: [ { targets: [ "$target" ] } ]
		  - job_name: prom
		    metrics_path: /strata.prom
		    static_configs: [ { targets: [ "$target" ] } ]
	YAML
	prometheus --config.file=prometheus.yml --storage.tsdb.path="$tmp/db" \
		--web.listen-address="${url#http://}" >prometheus.log 2>&1 &
	own $!
	for format in openmetrics prom; do
		check "a Prometheus server scrapes $format" \
			wait_for 15 up $format
		check "... and answers with the figures" \
			wait_for 10 python3 ask.py "$url" $format "$raw"
		stats --label service=web -o www/strata.$format "$again"
		check "... and with the next ones, once replaced" \
			wait_for 10 python3 ask.py "$url" $format "$again"
	done
	check_eq "purges are a counter to it" counter \
		"$(type_of strata_arena_purges)"
	check_eq "bytes are a gauge to it" gauge \
		"$(type_of strata_allocated_bytes)"
	check_eq "no scrape failed" '["",""]' "$(curl -s \
		"$url/api/v1/targets" |
		jq -c '[.data.activeTargets[].lastError]')"
else
	skip "a Prometheus server: the package prometheus is not installed"
fi

# --- node-exporter -----------------------------------------------------------
exporter() { curl -s "http://$exporter/metrics"; }
cat >text.py <<'END'
import re, sys
from expect import compare

found = {}
for line in sys.stdin:
    m = re.match(r"(strata_\w+)(?:\{(.*)\})? (\S+)$", line)
    if m:
        labels = re.findall(r'(\w+)="([^"]*)"', m[2] or "")
        found[m[1], tuple(sorted(labels))] = float(m[3])
compare(sys.argv[1], found)
END
if command -v prometheus-node-exporter >/dev/null; then
	mkdir textfiles
	stats -o textfiles/strata.prom "$raw"
	exporter=127.0.0.1:$(free_port)
	prometheus-node-exporter --collector.disable-defaults \
		--collector.textfile --collector.textfile.directory=textfiles \
		--web.listen-address=$exporter >exporter.log 2>&1 &
	own $!
	wait_for 10 exporter
	exporter >exported
	check_eq "node-exporter takes the file" 0 "$(sed -n \
		's/^node_textfile_scrape_error //p' exported)"
	check "... and shows its figures" python3 text.py "$raw" <exported
	all=$(grep -c ^strata_ exported)
	(while :; do stats -o textfiles/strata.prom "$raw"; done) &
	writer=$!
	own $writer
	i=0 whole=0
	while [ $i -lt 60 ]; do
		[ "$(exporter | grep -c -e ^strata_ \
			-e '^node_textfile_scrape_error 0')" != $((all + 1)) ] ||
			whole=$((whole + 1))
		i=$((i + 1))
	done
	kill $writer
	wait $writer 2>/dev/null
	check_eq "... whole, whenever it looks" 60 $whole
else
	skip "node-exporter: prometheus-node-exporter is not installed"
fi
finish
