#!/bin/sh
# run.sh - Strata beside Debian's allocators and glibc: what `make bench` runs.
#
#     SRCDIR=... BUILD=... [ROUNDS=7] [SCALE=1000] [CONF=...] [OUT=DIR] \
#         [ALLOCATORS='glibc jemalloc mimalloc tcmalloc strata'] \
#         bench/run.sh [--quick] [NAME...]
#
# Every workload runs ROUNDS times under each allocator, interleaved
# (paired.c); what is printed is the ratio of Strata to each peer within a
# round: the median, and its 95 % confidence limits (with fewer than 6 rounds
# the smallest and the largest). Below 1 is less time or memory. The fast paths
# and some programs are run under callgrind besides, whose counts repeat to
# well under 1 %.
#
# What takes more than jemalloc's CPU time and 5 % is measured again, in three
# times as many rounds, which replace the first, and counted under callgrind as
# well: where the limits are wider than what is judged, counts decide.
#
# NAMEs select workloads; SCALE is in thousandths of the usual operations; CONF
# is Strata's MALLOC_CONF (prof:true: what a profiled program pays); --quick
# leaves out callgrind. Allocators and programs that are not installed are left
# out, and said. OUT (obj/bench/results) gets
#
#     raw.csv           each run's wall and CPU time, peak RSS, page faults
#     first.csv         the same of the rounds that were replaced
#     instructions.csv  callgrind's counts
#     table.csv         medians, ratios and their limits
#     table.txt         the same to read, and what became of the bars
#     table.svg         the same as a chart

. "${0%/*}/common.sh"
ROUNDS=${ROUNDS:-7}
SCALE=${SCALE:-1000}
CONF=${CONF:-}
ALLOCATORS=${ALLOCATORS:-glibc jemalloc mimalloc tcmalloc strata}
out "$BUILD/obj/bench/results"
cd "$tmp" || exit 1

quick=no
if [ "${1-}" = --quick ]; then
	quick=yes
	shift
fi
names=$*

# Each is preloaded, glibc too: programs that are linked with jemalloc (redis)
# would run with that otherwise.
path_of() {
	case $1 in
	glibc) echo libc.so.6 ;;
	jemalloc) echo "$jemalloc" ;;
	mimalloc) echo "$lib/libmimalloc.so.2.0" ;;
	tcmalloc) echo "$lib/libtcmalloc_minimal.so.4" ;;
	strata) echo "$strata" ;;
	esac
}

allocators=
for name in $ALLOCATORS; do
	path=$(path_of "$name")
	if [ "$name" = glibc ] || [ -e "$path" ]; then
		allocators="$allocators $name=$path"
	else
		echo "not installed, left out: $name ($path)"
	fi
done

variants=
for pair in $allocators; do
	[ "${pair%%=*}" != strata ] || pair=$pair${CONF:+=$CONF}
	variants="$variants -v $pair"
done

# row GROUP NAME COMMAND...: its runs are added to raw.csv
row() {
	row_label=$1/$2
	wanted "$2" || return 0
	shift 2
	if ! command -v "$1" >/dev/null; then
		echo "not installed, left out: $1"
		return 0
	fi
	printf '%s\n' "$@" >"commands/${row_label#*/}"
	rounds_of "$row_label" "$ROUNDS" "$@"
}

# rounds_of GROUP/NAME ROUNDS COMMAND...
rounds_of() {
	rounds_label=$1 rounds_count=$2
	shift 2
	echo "running $rounds_label" >&2
	# shellcheck disable=SC2086 # words
	"$paired" -n "$rounds_count" -o "$OUT/raw.csv" -l "$rounds_label" \
		$variants -- "$@" >/dev/null 2>row.err ||
		echo "$rounds_label failed: $(tail -n 1 row.err)"
}

# counted ALLOCATOR COMMAND...: its instructions
counted() {
	counted_pair=
	for pair in $allocators; do
		[ "${pair%%=*}" != "$1" ] || counted_pair=${pair#*=}
	done
	counted_conf=
	[ "$1" != strata ] || counted_conf=$CONF
	shift
	instructions "$counted_pair" "$counted_conf" "$@"
}

# The table of what raw.csv has so far
ratios() {
	awk -f "$SRCDIR/bench/median.awk" -f "$SRCDIR/bench/ratios.awk" \
		"$OUT/raw.csv"
}

mkdir commands
: >"$OUT/raw.csv"
: >"$OUT/first.csv"
: >"$OUT/instructions.csv"
for size in 16 64 256 1024; do
	row pairs pair-$size "$workload" pairs $size "$(n 20000000)"
done
row pairs pair-4096 "$workload" pairs 4096 "$(n 10000000)"
row pairs pair-32768 "$workload" pairs 32768 "$(n 5000000)"
row pairs pair-262144 "$workload" pairs 262144 "$(n 2000000)"
row batches batch-64 "$workload" batch 64 1000 "$(n 20000000)"
row batches batch-256 "$workload" batch 256 1000 "$(n 8000000)"
row batches batch-1024 "$workload" batch 1024 1000 "$(n 4000000)"
row batches batch-4096 "$workload" batch 4096 1000 "$(n 1000000)"
row batches fifo-32768 "$workload" fifo 32768 100 "$(n 10000000)"
row mixed mixed "$workload" mixed "$(n 5000000)"
row mixed lifetimes "$workload" lifetimes "$(n 5000000)"
row mixed tree "$workload" tree "$(n 3000)"
row threads prodcons-64 "$workload" prodcons 64 "$(n 4000000)"
row threads prodcons-1024 "$workload" prodcons 1024 "$(n 2000000)"
row threads handover "$workload" handover "$(n 3000000)"
row threads larson-2 "$workload" larson 2 "$(n 8000000)"
row threads larson-8 "$workload" larson 8 "$(n 8000000)"
row threads sharing-8 "$workload" sharing 8 "$(n 8000000)"
row threads crowd-4 "$workload" crowd 4 "$(n 10000000)"
row threads crowd-32 "$workload" crowd 32 "$(n 10000000)"
row large large-1 "$workload" large 1 1 "$(n 40000)"
row large large-8 "$workload" large 8 8 "$(n 1000)"
row large large-1-64 "$workload" large 1 64 "$(n 60)"
row large grow "$workload" grow "$(n 2000000)"
row large step "$workload" step "$(n 20000000)"
row large wave "$workload" wave "$(n 2000000)"
. "$SRCDIR/bench/programs.sh"
. "$SRCDIR/bench/again.sh"
[ $quick = yes ] || . "$SRCDIR/bench/instructions.sh"

ratios >"$OUT/table.csv" &&
	awk -v rounds="$ROUNDS" -v conf="$CONF" -f "$SRCDIR/bench/text.awk" \
		"$OUT/table.csv" "$OUT/instructions.csv" >"$OUT/table.txt" &&
	awk -f "$SRCDIR/bench/bars.awk" \
		"$OUT/table.csv" "$OUT/instructions.csv" >>"$OUT/table.txt" &&
	awk -f "$SRCDIR/bench/svg.awk" -f "$SRCDIR/bench/chart.awk" \
		"$OUT/table.csv" >"$OUT/table.svg" || exit 1
cat "$OUT/table.txt"
echo "the runs, the table as CSV and a chart are in $OUT"
