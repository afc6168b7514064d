#!/bin/sh
# reload.sh - what a hundred configuration reloads leave behind (reload.c).
#
#     SRCDIR=... BUILD=... [OUT=DIR] bench/reload.sh [--demo] [OPTION...]
#
# Runs the load of reload.c with 1, 2 and 8 threads under each allocator, with
# what each has of rotation; --demo: few reloads, one thread, none by turns.
# OPTIONs go to reload (-x: strays that share their sizes with the
# configuration). Prints a table and what becomes of each bar; leaves CSV files
# and charts (SVG) in OUT.
#
# at rest      RSS over live bytes, 1 s after the last request of the last
#              reload
# growth       (RSS - RSS at start) / live after the last reload, over the
#              same after the second reading (the 20th of 100)
# active-alloc bytes of pages in use beyond those of blocks, where the
#              allocator tells
# build, free, requests  median ms of the last readings' reloads, and a second,
#              of all threads; a pool's are compared with those without in runs
#              by turns at the end. A pool's pages go back and are faulted in
#              again, those outside mostly stay: poolcost.c compares the same
#              work.

. "${0%/*}/common.sh"
reload=$BUILD/obj/bench/reload
out "$tmp"

threads='1 2 8'
short=
if [ "${1-}" = --demo ]; then
	shift
	threads=1
	short='-n 20 -k 5 -m 32 -w 300'
fi

# NAME LIBRARY ROTATION ARENAS [MALLOC_CONF]. Which number suits jemalloc best
# differs: with few, strays lie closer; 4 is what examples/arena-ring.c takes.
cat >"$tmp/variants" <<EOF
glibc - none 4
jemalloc $jemalloc none 4
mimalloc $lib/libmimalloc.so.2.0 none 4
tcmalloc $lib/libtcmalloc_minimal.so.4 none 4
strata $strata none 4
jemalloc-arenas4 $jemalloc arenas 4
jemalloc-cached4 $jemalloc cached 4
jemalloc-cached3 $jemalloc cached 3
jemalloc-cached2 $jemalloc cached 2
strata-pool $strata pool 4
strata-default $strata default 4 default_pool:4
EOF

# summary CSV: rest growth active-alloc build free requests
summary() {
	awk -F, 'NR == 1 { next }
	NR == 2 { start = $3; next }
	{ n++; live[n] = $2; rss[n] = $3; pages = $5 - $4
	  build = $6; teardown = $7; requests = $8 }
	END {
		if (n < 2)
			exit 1
		printf "%.3f %.3f %.1f %.1f %.1f %.0f\n", rss[n] / live[n],
		    (rss[n] - start) / live[n] / ((rss[2] - start) / live[2]),
		    pages / 1048576, build, teardown, requests
	}' "$1"
}

# chart TITLE EXPRESSION CSV...: lines over reloads, as SVG
chart() {
	chart_title=$1 chart_column=$2
	shift 2
	awk -F, -v title="$chart_title" -v column="$chart_column" '
	FNR == 1 { name = FILENAME; sub(/.*\//, "", name)
		sub(/\.csv$/, "", name) }
	FNR == 1 || $2 == 0 || column != "rss" && $5 == 0 { next }
	{ y = column == "rss" ? $3 / $2 : ($5 - $4) / 1048576
	  print title "," name "," $1 "," y }' "$@" |
		awk -v linear=1 -f "$SRCDIR/bench/svg.awk" \
			-f "$SRCDIR/bench/lines.awk"
}

rotated='jemalloc-arenas4 jemalloc-cached4 jemalloc-cached3 jemalloc-cached2'

# bar TEXT CONDITION: a line that says what became of it. To awk a nan is a
# variable that is 0.
bar() {
	case $2 in *nan*)
		echo "  missed  $1: not measured"
		return
		;;
	esac
	if awk "BEGIN { exit !($2) }"; then
		echo "  met     $1"
	else
		echo "  missed  $1"
	fi
}

# of NAME FIELD: from the table of this number of threads
of() {
	awk -v name="$1" -v field="$2" '$1 == name { print $field; found = 1 }
	END { if (!found) print "nan" }' "$tmp/table"
}

bars() {
	rest=$(of strata-pool 2)
	bar "growth $(of strata-pool 3), at most 1.03" \
		"$(of strata-pool 3) <= 1.03"
	bar "at rest $rest, at most 1.25" "$rest <= 1.25"
	for peer in glibc jemalloc mimalloc tcmalloc $rotated; do
		other=$(of "$peer" 2)
		[ "$other" = nan ] ||
			bar "at rest below $peer's $other" "$rest < $other"
	done
	for peer in $rotated; do
		other=$(of "$peer" 7)
		[ "$other" = nan ] || bar "requests/s above $peer's $other" \
			"$(of strata-pool 7) > $other"
	done
}

# timed THREADS ROTATION: build ms, free ms and requests/s, of 12 reloads
timed() {
	LD_PRELOAD=$strata "$reload" -r "$2" -t "$1" -n 12 -k 12 -w 0 |
		awk -F, 'END { print $6, $7, $8 }'
}

# pairs THREADS: in a pool over without, 9 times by turns, for single runs
# differ by more than a pool does; three ratios a line.
pairs() {
	for pair in 1 2 3 4 5 6 7 8 9; do
		if [ $((pair % 2)) = 1 ]; then
			without=$(timed "$1" none) with=$(timed "$1" pool)
		else
			with=$(timed "$1" pool) without=$(timed "$1" none)
		fi
		echo "$with $without"
	done | awk '$4 * $5 * $6 > 0 { print $1 / $4, $2 / $5, $3 / $6 }'
}

# middle FIELD: of the ratios of 9 pairs the median, the lowest and the highest
middle() {
	awk -v field="$1" '{ print $field }' "$tmp/pairs" | sort -n |
		awk '{ ratio[NR] = $1 }
		END { if (NR != 9) print "nan"
		else printf "%.2f %.2f %.2f\n", ratio[5], ratio[1], ratio[9] }'
}

by_turns() {
	echo "in a pool over without, by turns, median and range of 9 pairs:"
	for t in $threads; do
		pairs "$t" >"$tmp/pairs"
		for bar in 'build 1 <=' 'free 2 <=' 'requests/s 3 >='; do
			# shellcheck disable=SC2086 # words
			set -- $bar
			# shellcheck disable=SC2046 # words
			set -- "$1" "$3" $(middle "$2")
			bar "threads: $t: $1 $3 (${4-}-${5-}), bar: $2 1" \
				"$3 $2 1"
		done
	done
}

# costs: a pool's own, by poolcost.c
costs() {
	echo "one thread, building and freeing in a pool against outside, by" \
		"turns:"
	if ! MALLOC_CONF=pool_rest_ms:-1 LD_PRELOAD=$strata \
		"$BUILD/obj/bench/poolcost" >"$tmp/cost"; then
		bar "building and freeing, the same work" nan
		return
	fi
	cat "$tmp/cost"
	awk 'NR > 1 { print $(NF - 1), $0 }' "$tmp/cost" |
		while read -r ratio name; do
			bar "${name%% [ 0-9]*}, the same work: $ratio, at most 1" \
				"$ratio <= 1"
		done
}

for t in $threads; do
	echo "threads: $t"
	printf '%-16s %8s %8s %14s %9s %8s %10s\n' allocator 'at rest' growth \
		'active-alloc' build free requests
	: >"$tmp/table"
	set -- "$@"
	files=
	while read -r name preload rotation arenas conf; do
		[ "$preload" = - ] && preload=
		if [ -n "$preload" ] && [ ! -e "$preload" ]; then
			echo "$name is not installed, left out"
			continue
		fi
		csv=$OUT/$name-$t.csv
		# shellcheck disable=SC2086 # words
		if ! MALLOC_CONF=$conf LD_PRELOAD=$preload "$reload" -r "$rotation" \
			-a "$arenas" -t "$t" $short "$@" >"$csv"; then
			echo "$name failed"
			continue
		fi
		files="$files $csv"
		# shellcheck disable=SC2046 # words
		set_row=$(summary "$csv") || continue
		echo "$name $set_row" >>"$tmp/table"
		echo "$name $set_row" | awk '{ printf "%-16s %8s %8s %10s MiB" \
		    " %6s ms %5s ms %8s/s\n", $1, $2, $3, $4, $5, $6, $7 }'
	done <"$tmp/variants"
	bars
	# shellcheck disable=SC2086 # words
	chart "RSS over live bytes by reload (threads: $t)" rss $files \
		>"$OUT/rss-$t.svg"
	# shellcheck disable=SC2086 # words
	chart "active - allocated in MiB by reload (threads: $t)" active \
		$files >"$OUT/active-$t.svg"
	echo
done
[ -n "$short" ] || { by_turns; costs; }
[ -z "$short" ] || echo "a short run: the bars are meant for 100 of 100 MiB"
[ "$OUT" = "$tmp" ] || echo "CSV and charts are in $OUT"
