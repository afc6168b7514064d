#!/bin/sh
# tune.sh - what the advice of strata tune brings, in time and memory.
#
#     SRCDIR=... BUILD=... [ROUNDS=15] bench/tune.sh
#
# Each workload of tests/e2e/contend.c runs as it is and tuned as advised, in
# turn (paired.c). Each cell is the median of the ratio of tuned to untuned in
# one round with its 95 % confidence limits: below 1 is less. The last columns
# are what was reckoned: processor time saved, of that used; memory added.

. "${0%/*}/common.sh"
ROUNDS=${ROUNDS:-15}
contend=$BUILD/obj/tests/e2e/contend
built "$contend" "$paired" "$strata" "$BUILD/bin/strata"
cd "$tmp" || exit 1
CONTEND_STATS=$tmp/stats.json
export CONTEND_STATS

# ratio MEASURE CONF TUNED MODE...: "median low-high"
ratio() {
	ratio_measure=$1 ratio_conf=$2 ratio_tuned=$3
	shift 3
	"$paired" -n "$ROUNDS" -m "$ratio_measure" \
		-v "untuned=$strata=$ratio_conf" -v "tuned=$strata=$ratio_tuned" \
		-- "$contend" "$@" 2>/dev/null |
		awk 'END { printf "%5.2f %.2f-%-5.2f", $2, $3, $4 }'
}

# row RULE CONF MODE...: one line of the table
row() {
	rule=$1 conf=$2
	shift 2
	MALLOC_CONF=$conf LD_PRELOAD=$strata "$contend" "$@" >line
	"$BUILD/bin/strata" tune --format=json stats.json >advice.json
	if ! jq -e --arg rule "$rule" 'any(.findings[]; .rule == $rule)' \
		advice.json >/dev/null; then
		printf '%-13s no such advice this time\n' "$rule"
		return
	fi
	tuned=$(jq -r .malloc_conf advice.json)
	reckoned=$(jq -r --argjson cpu "$(sed 's/.*cpu \([0-9]*\).*/\1/' line)" \
		'([.findings[].gain_processors // 0] | add) * .seconds * 1e5 /
		$cpu | round' advice.json)
	added=$(jq '[.findings[].price_bytes // 0] | add / 1048576 * 10 |
		round / 10' advice.json)
	printf '%-13s %s  %s  %s  %4s%%  %6s MiB  %s\n' "$rule" \
		"$(ratio cpu "$conf" "$tuned" "$@")" \
		"$(ratio wall "$conf" "$tuned" "$@")" \
		"$(ratio rss "$conf" "$tuned" "$@")" \
		"$reckoned" "$added" "$tuned"
}

printf '%-13s %-16s  %-16s  %-16s  reckoned: cpu, memory\n' rule cpu wall rss
row hot-bins narenas:1 bin 16 800
row arenas narenas:1 bins 16 800
row slab-sizes '' middle 16 800
row tcache-slots tcache_nslots_small_max:20 bin 2 4000
row tcache-max '' large 8 50000
row tcache-max narenas:1 large 16 20000
row purge dirty_decay_ms:0 purge 1 100
row purge narenas:1,dirty_decay_ms:0 purge 8 50
row cached '' caches 64 1
row sampling prof:true,lg_prof_sample:0 sparse 1 100
