#!/bin/sh
# bench_growth.sh - what `make bench-growth` runs, on a small grid; and its
# arithmetic, on quantities whose growth and verdicts are known.

. "${0%/*}/lib.sh"

results=$tmp/results
growth() {
	SRCDIR=$SRCDIR BUILD=$BUILD OUT=$results MOST=$most ROUNDS=2 \
		"$SRCDIR/bench/growth.sh" "$@"
}

# 1000 samples on 100 stacks: as many are written, with those of the threads.
MALLOC_CONF=prof:true,lg_prof_sample:0,prof_format:heap_v2
export MALLOC_CONF
check "the load runs" env LD_PRELOAD="$LIB" "$BUILD/obj/bench/growth" 1000 \
	100 "$tmp/growth" 2
unset MALLOC_CONF
check "figures of the dumps and of the waits" awk -F, \
	'!(NF == 16 && $1 == 1000 && $2 == 100 && $4 > 0 && $6 > 0 && $7 > 0 &&
	$15 >= $13) { exit 1 }' check.out
for half in 0:5:320 1:10:640; do
	file=growth.${half%%:*} counts="${half#*:}"
	counts="${counts%:*}: ${counts#*:}"
	check_eq "100 stacks in $file" 100 \
		"$(grep -A 1 '^@' "$file" | grep -c "^  t\*: $counts ")"
done

most=10000
check "it runs" growth
cp check.out printed
check_eq "nothing failed" "" "$(grep failed printed)"
check_eq "the points of the three axes" \
	"1000,100 1000,300 1000,1000 3000,300 3000,1000 10000,1000 " \
	"$(awk -F, '$1 == "strata" && !seen[$2, $3]++ { print $2 "," $3 }' \
		"$results/raw.csv" | tr '\n' ' ')"
check "each quantity at each point, twice" awk -F, '
	NR > 1 && $1 == "strata" { n[$4]++ }
	NR > 1 && ($5 != 2 || $6 <= 0 || $7 > $6 || $8 < $6) { exit 1 }
	END {
		for (what in n)
			if (n[what] != 6)
				exit 1
		if (length(n) != 14)
			exit 1
	}' "$results/table.csv"
check "larger where there is more: what dumps and views take" awk -F, '
	{ figure[$2 * $3, $4] = $6 }
	END {
		split("dump_mib profiler_mib rss_mib top_mib diff_mib", what, " ")
		for (i in what)
			if (figure[1e5, what[i]] >= figure[1e7, what[i]])
				exit 1
	}' "$results/table.csv"
check "the table is printed" grep -q '^ *10000 *1000 ' printed
check "so are the exponents" grep -q '^  diff_cpu_s .* exp\.' printed
check "the chart is XML" xmllint --noout "$results/growth.svg"
check_eq "a line for each quantity that is drawn, over each axis" 36 \
	"$(grep -c '<polyline' "$results/growth.svg")"

most=1000
if command -v valgrind >/dev/null; then
	check "it counts instructions" growth --count
	check "of dumps and of views, in place of times" awk -F, '
		$2 != 1000 || $3 != 100 || $6 < 1e6 { exit 1 }
		{ what = what $5 " " }
		END { exit what != \
		    "dump_instr top_instr graph_instr diff_instr " }' \
		"$results/raw.csv"
else
	skip "valgrind is not installed"
fi

# plant SECONDS US FORMULA...: two rounds; of a size x each formula's quantity
# is named by its place, and those at 100000 samples and stacks are given.
most=1000000
plant() {
	plant_s=$1 plant_us=$2
	shift 2
	program='{ samples = $1; stacks = $2 } { x = '$plant_x
	for formula; do
		program="$program; put(\"${formula%%=*}\", ${formula#*=})"
	done
	awk -v most=$most -f "$SRCDIR/bench/axes.awk" \
		-f "$SRCDIR/bench/points.awk" </dev/null >points
	for round in 1 2; do
		awk -v round=$round 'function put(what, y) {
			print "strata," $1 "," $2 "," round "," what "," y }
		'"$program }" points
		echo "strata,100000,100000,$round,dump_s,$plant_s"
		echo "strata,100000,100000,$round,wait_us,$plant_us"
		echo "jemalloc,100000,100000,$round,dump_s,9"
	done >"$results/raw.csv"
}
# is SECTION WHAT WHO: figure,verdict. A subtracted point bends a line a little.
is() {
	awk -F, -v section="$1" -v what="$2" -v who="$3" \
		'$1 == section && $2 == what && $3 == who {
		print (section ~ /^1/ ? $5 : sprintf("%.1f", $5)) "," $9 }' \
		"$results/bars.csv"
}

plant_x=samples
plant 0.1 1000 linear=x behind='1e9 + x' square='x * x' \
	hidden='1e11 + x * x' sorted='x * log(x)' flat=7 steep='x ^ 1.25' \
	uneven='x ^ (round == 1 ? 1.05 : 1.3)' root='sqrt(x)'
check "tables of planted figures" growth --table
cp check.out printed
check "are printed" grep -q '^  square .* missed ' printed
for row in linear=1.0,met behind=0.0,met square=2.0,missed \
	hidden=2.0,missed flat=0.0,met root=0.5,met; do
	check_eq "over samples: ${row%%=*}" "${row#*=}" \
		"$(is samples "${row%%=*}" strata)"
done
for row in sorted=met steep=missed uneven=open; do
	check_eq "over samples: ${row%%=*}" "${row#*=}" \
		"$(is samples "${row%%=*}" strata | cut -d, -f2)"
done
check_eq "both at once" "2.0,missed" "$(is both square strata)"
check_eq "what samples make does not grow with stacks" "0.0,met" \
	"$(is stacks square strata)"
large="100000 samples on 100000 stacks"
check_eq "a dump in 0.2 s is met" "0.1,met" "$(is "$large" dump_s strata)"
check_eq "a wait of 1 ms, too" "1000,met" "$(is "$large" wait_us strata)"
check_eq "a peer is told, not judged" "9," "$(is "$large" dump_s jemalloc)"

plant_x=stacks
plant 0.25 1001 square='x * x'
check "tables of other figures" growth --table
check_eq "over stacks: square" "2.0,missed" "$(is stacks square strata)"
check_eq "a dump in 0.25 s is missed" "0.25,missed" \
	"$(is "$large" dump_s strata)"
check_eq "a wait of 1001 us, too" "1001,missed" \
	"$(is "$large" wait_us strata)"
finish
