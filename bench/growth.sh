#!/bin/sh
# growth.sh - how dumps, the profiler's memory and the views grow with live
# samples and with stacks: what `make bench-growth` runs.
#
#     SRCDIR=... BUILD=... [ROUNDS=3] [MOST=1000000] [OUT=DIR] \
#         bench/growth.sh [--count | --table]
#
# The load is growth.c's, every allocation a sample. Three axes, two sizes in
# each power of ten (axes.awk):
#
#     samples   1,000 to MOST live samples on 1,000 stacks
#     stacks    100 to MOST / 10 stacks of MOST / 10 samples
#     both      1,000 to MOST samples on a tenth as many stacks
#
# At each point growth.c dumps while another thread allocates, and strata top,
# graph and diff (of a dump at half of the samples and one of all) read what
# it wrote: all points once in each of ROUNDS. Where as many samples lie on as
# many stacks, jemalloc, if it is installed, does the same work.
#
# Judged is the exponent of each quantity over each axis (exponents.awk): at
# most 1, and 0.1 beyond it, which is what n log n has over a thousandfold. And
# a dump of 100,000 samples of distinct stacks: 0.2 s, and 1 ms of waiting for
# all but one in a thousand calls. Times of views are CPU time. Bars that are
# missed do not change the exit status: it measures. --count, for a busy
# machine, counts instructions (callgrind) in place of times, once; those of
# dumps are of both. --table measures nothing and makes the tables again. OUT
# (obj/bench/growth-results) gets
#
#     raw.csv      who,samples,stacks,round,quantity,value
#     table.csv    the medians, and their limits
#     bars.csv     exponents and bars
#     table.txt    both to read
#     growth.svg   the medians over the axes, all logarithmic

. "${0%/*}/common.sh"
ROUNDS=${ROUNDS:-3}
MOST=${MOST:-1000000}
out "$BUILD/obj/bench/growth-results"
cd "$tmp" || exit 1
XDG_CACHE_HOME=$tmp/cache
export XDG_CACHE_HOME

# over PROGRAM...: awk with those files of this folder, on standard input
over() {
	over_files=
	for file; do over_files="$over_files -f $SRCDIR/bench/$file.awk"; done
	# shellcheck disable=SC2086 # words
	awk -F, -v most="$MOST" $over_files
}

# dumps WHO LIBRARY SAMPLES STACKS ROUND: leaves dump.0 and dump.1
dumps() {
	conf=prof:true,lg_prof_sample:0
	[ "$1" != strata ] || conf=$conf,prof_max_memory:4294967296
	env LD_PRELOAD="$2" MALLOC_CONF=$conf "$BUILD/obj/bench/growth" \
		"$3" "$4" dump >line 2>err || {
		echo "$1 $3 $4 failed: $(tail -n 1 err)"
		return 1
	}
	awk -F, -v key="$1,$3,$4,$5" '{
		print key ",dump_s," $4 / 1000
		print key ",dump_cpu_s," $5 / 1000
		print key ",dump_mib," $6 / 1048576
		if ($7 > 0)
			print key ",profiler_mib," $7 / 1048576
		print key ",rss_mib," $9 / 1048576
		print key ",wait_us," $13
		print key ",wait_moment_us," $14
		print key ",wait_most_us," $15
	}' line >line.csv
	[ $count_only = yes ] || cat line.csv >>raw.csv
}

# counted_dumps SAMPLES STACKS: what both took
counted_dumps() {
	counted_part=--toggle-collect=timed_dump
	count=$(instructions "$strata" \
		prof:true,lg_prof_sample:0,prof_max_memory:4294967296 \
		"$BUILD/obj/bench/growth" "$1" "$2" counted 1 0)
	counted_part=
	echo "strata,$1,$2,1,dump_instr,${count:-0}" >>raw.csv
}

# view NAME SAMPLES STACKS ROUND FILE...
view() {
	view_name=$1 view_key=strata,$2,$3,$4
	shift 4
	if [ $count_only = yes ]; then
		count=$(instructions "" "" "$BUILD/bin/strata" "$view_name" \
			"$@")
		echo "$view_key,${view_name}_instr,${count:-0}" >>raw.csv
		return
	fi
	: >view.csv
	"$paired" -n 1 -o view.csv -v strata -- "$BUILD/bin/strata" \
		"$view_name" "$@" >/dev/null 2>err ||
		echo "$view_name $view_key failed: $(tail -n 1 err)"
	awk -F, -v key="$view_key,$view_name" '{
		print key "_cpu_s," $5
		print key "_mib," $6 }' view.csv >>raw.csv
}

# point SAMPLES STACKS ROUND
point() {
	dumps strata "$strata" "$@" || return
	if [ $count_only = yes ]; then
		counted_dumps "$1" "$2"
	fi
	view top "$@" dump.1
	view graph "$@" dump.1
	view diff "$@" dump.0 dump.1
	rm -f dump.* counted.*
	[ $count_only = no ] && [ "$1" = "$2" ] && [ $((10 * $1)) = "$MOST" ] &&
		have "$jemalloc" && dumps jemalloc "$jemalloc" "$@"
	rm -f dump.*
}

measure() {
	# What the views read of the program they keep: not timed.
	dumps strata "$strata" 1000 100 0 &&
		"$BUILD/bin/strata" top dump.1 >/dev/null
	: >raw.csv
	over axes points </dev/null >points
	for round in $(seq "$ROUNDS"); do
		while read -r samples stacks; do
			echo "round $round: $samples samples, $stacks stacks" >&2
			point "$samples" "$stacks" "$round" </dev/null
		done <points
	done
	cp raw.csv "$OUT"
}

count_only=no
case ${1-} in
--count) ROUNDS=1 count_only=yes; measure ;;
--table) ;;
*) measure ;;
esac
over median growth <"$OUT/raw.csv" >"$OUT/table.csv" &&
	over median axes exponents <"$OUT/raw.csv" >"$OUT/bars.csv" &&
	over axes growth_text <"$OUT/table.csv" >"$OUT/table.txt" &&
	over profbars_text <"$OUT/bars.csv" >>"$OUT/table.txt" &&
	over axes growth_lines <"$OUT/table.csv" >lines.csv &&
	over svg lines <lines.csv >"$OUT/growth.svg" || exit 1
cat "$OUT/table.txt"
echo "the runs, the tables as CSV and a chart are in $OUT"
