#!/bin/sh
# run.sh - Strata beside Debian's allocators and glibc: what `make bench` runs.
#
#     SRCDIR=... BUILD=... [ROUNDS=5] [MEASURE=cpu|wall|rss] \
#         bench/run.sh [NAME...]
#
# Each cell is the median over ROUNDS of the ratio to glibc in the same round
# (below 1: less), with the 95 % confidence limits of that median; with fewer
# than 6 rounds these are the smallest and the largest ratio. NAMEs select
# workloads. Allocators that are not installed are left out, and said.

set -u
LC_ALL=C
export LC_ALL
unset LD_PRELOAD MALLOC_CONF
SRCDIR=$(cd "${SRCDIR:-.}" && pwd)
BUILD=$(cd "${BUILD:-.}" && pwd)
ROUNDS=${ROUNDS:-5}
MEASURE=${MEASURE:-cpu}
PATH=/usr/sbin:/usr/bin:/sbin:/bin
paired=$BUILD/obj/bench/paired
workload=$BUILD/obj/bench/workload
lib=/usr/lib/$(gcc -dumpmachine)
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

names=$*
variants="-v glibc="
header=glibc
for pair in jemalloc=$lib/libjemalloc.so.2 mimalloc=$lib/libmimalloc.so.2.0 \
	tcmalloc=$lib/libtcmalloc_minimal.so.4 \
	strata=$BUILD/lib/libstrata.so.1; do
	if [ -e "${pair#*=}" ]; then
		variants="$variants -v $pair"
		header="$header ${pair%%=*}"
	else
		echo "not installed, left out: ${pair#*=}"
	fi
done
variants="$variants -v strata+prof=$BUILD/lib/libstrata.so.1=prof:true"
header="$header strata+prof"

# row NAME COMMAND...: one line of the table
row() {
	row_name=$1
	shift
	case " $names " in
	"  " | *" $row_name "*) ;;
	*) return ;;
	esac
	# shellcheck disable=SC2086 # words
	if ! "$paired" -n "$ROUNDS" -m "$MEASURE" $variants -- "$@" \
		>"$tmp/row" 2>"$tmp/err"; then
		printf '%-16s failed: %s\n' "$row_name" "$(tail -n 1 "$tmp/err")"
		return
	fi
	awk -v name="$row_name" 'NR == 1 { printf "%-16s %7.2f", name, $5 }
	NR > 1 { printf "  %5.2f %4.2f-%-5.2f", $2, $3, $4 }
	END { print "" }' "$tmp/row"
}

case $MEASURE in
cpu) unit='s user+sys' ;;
wall) unit='s elapsed' ;;
rss) unit='MiB peak' ;;
*) echo "run.sh: MEASURE is cpu, wall or rss" >&2; exit 2 ;;
esac
echo "$ROUNDS interleaved rounds; glibc in $unit, the others relative to it:" \
	"median, 95 % limits"
# shellcheck disable=SC2086 # words
set -- $header
printf '%-16s %7s' workload "$1"
shift
printf '  %-16s' "$@"
echo

row pair-16 "$workload" pairs 16 20000000
row pair-64 "$workload" pairs 64 20000000
row pair-1024 "$workload" pairs 1024 20000000
row pair-4096 "$workload" pairs 4096 10000000
row pair-32768 "$workload" pairs 32768 5000000
row pair-262144 "$workload" pairs 262144 500000
row batch-64 "$workload" batch 64 1000 20000000
row batch-1024 "$workload" batch 1024 1000 4000000
row batch-4096 "$workload" batch 4096 1000 1000000
row fifo-32768 "$workload" fifo 32768 100 1000000
row mixed "$workload" mixed 5000000
row larson-2 "$workload" larson 2 8000000
row larson-8 "$workload" larson 8 8000000
row prodcons-64 "$workload" prodcons 64 4000000
row grow "$workload" grow 1000000
row step "$workload" step 3000000
row big "$workload" big 200
row python3 python3 "$SRCDIR/tests/e2e/python_work.py" 1
row python3-malloc env PYTHONMALLOC=malloc python3 \
	"$SRCDIR/tests/e2e/python_work.py" 1
cp "$SRCDIR/bench/workload.c" "$tmp/source.c"
row gcc gcc -O2 -g -c -o "$tmp/source.o" "$tmp/source.c"
