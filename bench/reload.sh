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
#              by turns at the end, of reloads that follow each other, and of
#              such with a rest between: then a pool's pages have gone back and
#              are faulted in again, those outside stay. poolcost.c compares the
#              same work.
#
# A bar that is missed does not change the exit status: it measures. 1: a run
# failed, so that something is missing; 2: a program is not built.

. "${0%/*}/common.sh"
reload=$BUILD/obj/bench/reload
poolcost=$BUILD/obj/bench/poolcost
out "$tmp"

threads='1 2 8'
short=
if [ "${1-}" = --demo ]; then
	shift
	threads=1
	short='-n 20 -k 5 -m 32 -w 300'
fi
built "$reload" "$strata"
[ -n "$short" ] || built "$poolcost"
failed=0

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
		failed=1
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

# timed THREADS ROTATION MS: build ms, free ms and requests/s, the medians of
# the last reloads; each of 12, or with MS of rest behind each, of 6
timed() {
	timed_by='-n 12 -k 12'
	[ "$3" = 0 ] || timed_by='-n 6 -k 1'
	# shellcheck disable=SC2086 # words
	LD_PRELOAD=$strata "$reload" -r "$2" -t "$1" $timed_by -w "$3" |
		awk -F, -v skip="$3" -f "${0%/*}/median.awk" -f /dev/fd/3 3<<'EOF'
	NR > 2 && (!skip || NR > 4) { n++; b[n] = $6; f[n] = $7; r[n] = $8 }
	END {
		sort(b, n); sort(f, n); sort(r, n)
		print median(b, n), median(f, n), median(r, n)
	}
EOF
}

# pairs THREADS MS COUNT: in a pool over without, by turns, for single runs
# differ by more than a pool does; three ratios a line.
pairs() {
	for pair in $(seq "$3"); do
		if [ $((pair % 2)) = 1 ]; then
			without=$(timed "$1" none "$2") with=$(timed "$1" pool "$2")
		else
			with=$(timed "$1" pool "$2") without=$(timed "$1" none "$2")
		fi
		echo "$with $without"
	done | awk '$4 * $5 * $6 > 0 { print $1 / $4, $2 / $5, $3 / $6 }'
}

# ratios COUNT JUDGED THREADS: from so many pairs, of each figure the median and
# its 95 % limits, with what becomes of its bar if it is judged.
ratios() {
	awk -v count="$1" -v judged="$2" -v threads="$3" \
		-f "${0%/*}/median.awk" -f /dev/fd/3 "$tmp/pairs" 3<<'EOF'
	{ for (i = 1; i <= 3; i++) x[i, NR] = $i }
	function line(name, i, least, n, k, low, high, what) {
		for (n = 1; n <= NR; n++)
			one[n] = x[i, n]
		sort(one, NR)
		k = lower_rank(NR)
		low = one[k]
		high = one[NR + 1 - k]
		what = !judged ? "" : least ? verdict(1 / high, 1 / low, 1) : \
		    verdict(low, high, 1)
		printf "  %-7s threads: %d: %s %.2f (%.2f-%.2f)%s\n", what,
		    threads, name, median(one, NR), low, high,
		    !judged ? "" : least ? ", bar: >= 1" : ", bar: <= 1"
	}
	END {
		if (NR != count) {
			printf "  missed  threads: %d: not measured\n", threads
			exit 1
		}
		line("build", 1); line("free", 2); line("requests/s", 3, 1)
	}
EOF
}

# by_turns WHAT MS COUNT JUDGED
by_turns() {
	echo "in a pool over without, $1: $3 pairs by turns," \
		"median and its 95 % limits"
	for t in $threads; do
		pairs "$t" "$2" "$3" >"$tmp/pairs"
		ratios "$3" "$4" "$t" || failed=1
	done
}

# costs: a pool's own, by poolcost.c
costs() {
	echo "one thread, building and freeing in a pool against outside, by" \
		"turns:"
	if ! MALLOC_CONF=pool_rest_ms:-1 LD_PRELOAD=$strata \
		"$poolcost" >"$tmp/cost"; then
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
			failed=1
			continue
		fi
		files="$files $csv"
		# shellcheck disable=SC2046 # words
		set_row=$(summary "$csv") || {
			echo "$name: fewer than two readings"
			failed=1
			continue
		}
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
[ -n "$short" ] || {
	by_turns 'reloads that follow each other' 0 9 1
	by_turns 'a rest of 0.7 s behind each' 700 7 ''
	costs
}
[ -z "$short" ] || echo "a short run: the bars are meant for 100 of 100 MiB"
[ "$OUT" = "$tmp" ] || echo "CSV and charts are in $OUT"
exit "$failed"
