#!/bin/sh
# bench.sh - what `make bench` runs, on tiny rounds; and its arithmetic, on
# figures whose ratios, limits and verdicts are known.

. "${0%/*}/lib.sh"

results=$tmp/results
bench() {
	SRCDIR=$SRCDIR BUILD=$BUILD OUT=$results ROUNDS=2 SCALE=1 \
		"$SRCDIR/bench/run.sh" "$@"
}
field() { cut -d, -f"$1" "$2" | sort -u | tr '\n' ' '; }

loads=$(sed -n 's/^	{ "\([a-z]*\)", [0-9], .*/\1/p' \
	"$SRCDIR/bench/workload.c")
check "there are loads" test -n "$loads"
for load in $loads; do
	grep -q "\"\$workload\" $load " "$SRCDIR/bench/run.sh" ||
		echo "$load"
done >unused
check_eq "every load is in the table" "" "$(cat unused)"

check "it runs" bench --quick pair-64 batch-64 larson-2 handover large-1 \
	tree sqlite3
cp check.out printed
check_eq "nothing failed" "" "$(grep -E 'failed|no count' printed)"
check_eq "each workload that was asked for" "batches/batch-64 large/large-1 \
mixed/tree pairs/pair-64 programs/sqlite3 threads/handover threads/larson-2 " \
	"$(field 1 "$results/raw.csv")"
check_eq "each allocator" "glibc jemalloc mimalloc strata tcmalloc " \
	"$(field 3 "$results/raw.csv")"
# In first.csv are two rounds of whatever seemed slower than jemalloc.
check "each round, and three times as many of what is run again" awk -F, '
	$3 == "strata" { rounds[FILENAME, $1]++; labels[$1] }
	END { for (l in labels) {
		again = ((ARGV[1], l) in rounds)
		if (again && rounds[ARGV[1], l] != 2 ||
		    rounds[ARGV[2], l] != (again ? 6 : 2))
			exit 1 } }' "$results/first.csv" "$results/raw.csv"
check "times, memory and page faults of every run" awk -F, \
	'!(NF == 7 && $4 > 0 && $5 >= 0 && $6 > 0.5 && $7 > 10) { exit 1 }' \
	"$results/raw.csv"
check "the table is printed" grep -q '^larson-2 .* s  ' printed
check "so are the bars" grep -q 'mean peak RSS against jemalloc' printed
check "the chart is XML" xmllint --noout "$results/table.svg"

ALLOCATORS="strata glibc"
export ALLOCATORS
check "instructions are counted" bench batch-64
unset ALLOCATORS
check "more than ten and fewer than a thousand a pair" awk -F, '
	$1 == "path" && $2 == "batch-64" && $4 > 10 && $4 < 1000 { n++ }
	END { exit n != 2 }' "$results/instructions.csv"

# Seven rounds: the limits are the smallest and the largest but none (the
# 2.5 % tail of seven coins is 1 of 128); of nine one of each end is beyond.
ratios() {
	awk -f "$SRCDIR/bench/median.awk" -f "$SRCDIR/bench/ratios.awk" "$@"
}
for ratio in 0.9 0.5 0.7 0.6 0.8 0.55 0.65 0.75 0.85; do
	round=$((${round:-0} + 1))
	echo "g/w,$round,jemalloc,2,1,8,100"
	echo "$ratio 8" | awk -v r=$round \
		'{ printf "g/w,%d,strata,%g,%g,%g,50\n", r, 2 * $1, $1, $2 }'
done >raw.csv
check_eq "the median of the ratios, and its limits" "0.7000,0.5500,0.8500" \
	"$(ratios raw.csv | awk -F, '$3 == "jemalloc"' | cut -d, -f12-14)"
check_eq "of page faults" "0.5000,0.5000,0.5000" \
	"$(ratios raw.csv | awk -F, '$3 == "jemalloc"' | cut -d, -f18-20)"

# table WORKLOAD CPU LOW HIGH RSS MIB: rows as ratios.awk has them
table() {
	for allocator in jemalloc mimalloc tcmalloc strata; do
		echo "g,$1,$allocator,9,1,1,$6,1,$2,$2,$2,$2,$3,$4,$5,$5,$5,1,1,1"
	done
}
{ ratios /dev/null; table a 0.5 0.4 0.6 0.9 10; table b 0.8 0.7 0.9 1.2 9; } \
	>table.csv
{
	echo path,pair-16,strata,20
	echo path,pair-16,jemalloc,21
	echo path,pair-16,tcmalloc,20
	echo program,perl,strata,96000000
	echo program,perl,jemalloc,100000000
} >instructions.csv
bars() {
	awk -f "$SRCDIR/bench/bars.awk" table.csv instructions.csv
}
bars >bars.out
has() { check "$1: $2" grep -q "^  $1  *$2" bars.out; }
has met 'mean CPU time against jemalloc 0.632'
has met 'worst CPU time against jemalloc 0.80 (b)'
has missed 'mean peak RSS against jemalloc 1.039'
has met 'mean peak RSS of the 1 that take 10 MiB or more 0.900'
has missed 'worst peak RSS against jemalloc 1.20 (b)'
has met "instructions of pair-16: 20.0, jemalloc's 21.0"
has missed "instructions of pair-16: 20.0, tcmalloc's 20.0"
has missed "instructions of perl: 96.0 million, jemalloc's 100.0"
table c 1.2 0.9 1.5 1 9 >>table.csv
bars >bars.out
has open 'worst CPU time against jemalloc 1.20 (c)'
printf '%s\n' whole,c,strata,105 whole,c,jemalloc,100 >>instructions.csv
bars >bars.out
has met 'worst CPU time against jemalloc 1.20 (c)'
check "what was counted is said" \
	grep -q '^  *c 1.20 (0.90-1.50); instructions 1.050' bars.out
sed -i 's/strata,105$/strata,106/' instructions.csv
bars >bars.out
has open 'worst CPU time against jemalloc 1.20 (c)'
sed -i 's/strata,106$/strata,90/' instructions.csv
table d 1.1 1.06 1.2 1 9 >>table.csv
bars >bars.out
has missed 'worst CPU time against jemalloc 1.20 (c)'
finish
