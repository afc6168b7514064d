#!/bin/sh
# profbars.sh - the profiler's cost against the bars the project has set
# itself, beside jemalloc's and heaptrack's: what `make bench-prof` runs.
#
#     SRCDIR=... BUILD=... [NOPROF=DIR] [ROUNDS=7] [SCALE=1000] [OUT=DIR] \
#         [NAMES='tree perl ...'] bench/profbars.sh [SECTION...]
#
#   off      instructions of the library, profiling off, to those of one that
#            was configured with --disable-prof (in NOPROF; built if not there)
#   rates    instructions beyond start-up with a sample every 512 KiB, 64 KiB,
#            4 KiB and byte, to those with profiling off, ours and jemalloc's
#   sampled  CPU time of a malloc and its free that are sampled, by depth
#   every    CPU time and peak RSS with every allocation recorded to the same
#            program without; heaptrack's to glibc's
#   memory   peak RSS at 512 KiB to that with profiling off
#
# Instructions are callgrind's. Times and RSS are of interleaved runs: the
# median, and its 95 % limits (fewer than 6 rounds: smallest and largest).
# A row is met, missed, or open where a bar lies within the limits; a row
# without a bar only tells. CPU time is that of all processes, so heaptrack's
# second one, which reads what the first writes, counts; wall time is in
# raw.csv besides. NAMES selects programs; SCALE is in thousandths of the usual
# operations. OUT (obj/bench/prof) gets raw.csv, bars.csv and bars.txt. Bars that
# are missed do not change the exit status: it measures.

. "${0%/*}/common.sh"
ROUNDS=${ROUNDS:-7}
SCALE=${SCALE:-1000}
NOPROF=${NOPROF:-$BUILD/obj/bench/noprof}
out "$BUILD/obj/bench/prof"
sampled=$BUILD/obj/bench/sampled
names=${NAMES-}
cd "$tmp" || exit 1
sections=${*:-off rates sampled every memory}
: >"$OUT/raw.csv"
echo section,what,who,unit,figure,low,high,bar,verdict >"$OUT/bars.csv"

# Of programs.sh only what makes the inputs: its rows are run.sh's.
row() { :; }
. "$SRCDIR/bench/programs.sh"

# bar SECTION WHAT WHO UNIT FIGURE LOW HIGH [MOST]
bar() {
	awk -v figure="$5" -v low="$6" -v high="$7" -v most="${8-}" \
		-v start="$1,$2,$3,$4" 'BEGIN {
		verdict = most == "" ? "" : high <= most ? "met" : \
		    low > most ? "missed" : "open"
		printf "%s,%.5g,%.5g,%.5g,%s,%s\n", start, figure, low, high,
		    most, verdict
	}' >>"$OUT/bars.csv"
}

# work LIBRARY CONF SMALL LARGE COMMAND... with @ for the size: to $work
work() {
	work_lib=$1 work_conf=$2 small=$3 large=$4
	shift 4
	work=
	for size in $small $large; do
		# shellcheck disable=SC2046 # words
		at=$(instructions "$work_lib" "$work_conf" \
			$(echo "$*" | sed "s/@/$size/g"))
		work=$((${at:-0} - ${work:-0}))
	done
}

# percent A B: how much more A is than B
percent() { awk "BEGIN { print ($2 > 0 ? 100 * ($1 / $2 - 1) : 0) }"; }

able() { have "$1" && wanted "$1"; }

# each_program FUNCTION: with a name, two sizes and a command with @ for them
each_program() {
	few=$(n 200) many=$(n 20000)
	for count in $few $many; do
		sql_make "$count"
		mv work.sql work-"$count".sql
	done
	perl_make
	! able sqlite3 || $1 sqlite3 "$few" "$many" \
		sqlite3 -batch -init work-@.sql :memory: .quit
	! able perl || $1 perl "$few" "$many" perl work.pl @
	! able python3 || $1 python3 0 1 \
		python3 "$SRCDIR/tests/e2e/python_work.py" @
	! wanted pair-64 || $1 pair-64 1000 "$(n 1000000)" "$workload" pairs 64 @
	! wanted mixed || $1 mixed 1000 "$(n 300000)" "$workload" mixed @
}

# --- off ------------------------------------------------------------------

noprof_build() {
	[ ! -e "$NOPROF/lib/libstrata.so.1" ] || return 0
	echo "building without the profiler in $NOPROF" >&2
	mkdir -p "$NOPROF" && (cd "$NOPROF" &&
		"$SRCDIR/configure" --disable-prof --disable-tools &&
		make lib/libstrata.so.1) >noprof.log 2>&1
}

off_program() {
	program_name=$1
	shift
	echo "off: $program_name" >&2
	work "$NOPROF/lib/libstrata.so.1" "" "$@"
	without=$work
	work "$strata" "" "$@"
	more=$(percent "$work" "$without")
	bar off "$program_name" strata % "$more" "$more" "$more" 0.3
}

section_off() {
	if noprof_build; then
		each_program off_program
	else
		echo "off: no build without the profiler:"
		tail -n 5 noprof.log
	fi
}

# --- rates ----------------------------------------------------------------

rates_program() {
	program_name=$1
	shift
	for who in strata jemalloc; do
		eval "lib=\$$who"
		have "$lib" || continue
		work "$lib" prof:false "$@"
		without=$work
		for lg in 19 16 12 0; do
			echo "rates: $program_name $who $lg" >&2
			work "$lib" prof:true,lg_prof_sample:$lg "$@"
			more=$(percent "$work" "$without")
			# a loop that only allocates is no program
			case $who.$lg.$program_name in
			*.pair-64 | *.mixed) most= ;;
			strata.19.*) most=0.5 ;;
			*) most= ;;
			esac
			bar rates "$program_name lg_prof_sample:$lg" $who % \
				"$more" "$more" "$more" $most
		done
	done
}

section_rates() { each_program rates_program; }

# --- one sample -----------------------------------------------------------

# spread: median, smallest and largest of standard input's numbers
spread() {
	sort -n | awk '{ x[NR] = $1 }
	END { print x[int((NR + 1) / 2)], x[1], x[NR] }'
}

section_sampled() {
	for depth in 5 10 30 100; do
		echo "sampled: $depth frames" >&2
		: >strata.ns
		: >jemalloc.ns
		for _ in $(seq "$ROUNDS"); do
			for who in strata jemalloc; do
				eval "lib=\$$who"
				have "$lib" || continue
				LD_PRELOAD=$lib \
				MALLOC_CONF=prof:true,lg_prof_sample:0 \
					"$sampled" $depth "$(n 300000)" \
					>>$who.ns
			done
		done
		# shellcheck disable=SC2046 # words
		bar sampled "malloc+free at $depth frames" strata ns \
			$(spread <strata.ns) $((500 + 15 * depth))
		# shellcheck disable=SC2046 # words
		[ ! -s jemalloc.ns ] ||
			bar sampled "malloc+free at $depth frames" jemalloc \
				ns $(spread <jemalloc.ns)
	done
}

# --- every allocation -----------------------------------------------------

# The variants are names, not libraries: the shell itself is not profiled.
cat >under <<END
#!/bin/sh
way=\$MALLOC_CONF
unset MALLOC_CONF LD_PRELOAD
case \$way in
strata*) LD_PRELOAD=$strata ;;
jemalloc*) LD_PRELOAD=$jemalloc ;;
heaptrack) exec heaptrack -o $tmp/heaptrack.out "\$@" ;;
glibc) exec "\$@" ;;
esac
case \$way in
*-on) MALLOC_CONF=prof:true,lg_prof_sample:0,prof_final:true
	MALLOC_CONF=\$MALLOC_CONF,prof_prefix:$tmp/\$way ;;
*-512) MALLOC_CONF=prof:true,lg_prof_sample:19 ;;
*-off) MALLOC_CONF=prof:false ;;
esac
export LD_PRELOAD MALLOC_CONF
exec "\$@"
END
chmod +x under

# runs LABEL 'WAYS' COMMAND...: every way ROUNDS times, to raw.csv
runs() {
	label=$1 runs_ways=$2
	shift 2
	wanted "${label#*/}" || return 0
	variants=
	for way in $runs_ways; do
		variants="$variants -v $way==$way"
	done
	echo "$label" >&2
	# shellcheck disable=SC2086 # words
	"$paired" -n "$ROUNDS" -o "$OUT/raw.csv" -l "$label" $variants -- \
		"$tmp/under" "$@" >/dev/null 2>runs.err ||
		echo "$label failed: $(tail -n 1 runs.err)"
}

ways=
! have "$jemalloc" || ways="jemalloc-off jemalloc-on jemalloc-512"
! have heaptrack || ways="$ways glibc heaptrack"

# Programs of a kind that one would trace; and loops, the worst there is.
section_every() {
	every_ways="strata-off strata-on $(echo "$ways" | sed s/jemalloc-512//)"
	sql_make "$(n 60000)"
	perl_make
	# heaptrack 1.4 ends with status 141 in the middle of it
	runs every/tree "${every_ways%glibc*}" "$workload" tree "$(n 200)"
	runs every/mixed "$every_ways" "$workload" mixed "$(n 1000000)"
	runs every/crowd-2 "$every_ways" "$workload" crowd 2 "$(n 1000000)"
	! have perl || runs every/perl "$every_ways" perl work.pl "$(n 200000)"
	! have sqlite3 || runs every/sqlite3 "$every_ways" \
		sqlite3 -batch -init work.sql :memory: .quit
	have heaptrack || echo "not installed, left out: heaptrack"
}

# --- memory ---------------------------------------------------------------

section_memory() {
	memory_ways="strata-off strata-512 $(echo "$ways" |
		sed 's/jemalloc-on//; s/glibc.*//')"
	perl_make
	sql_make "$(n 600000)"
	runs memory/true "$memory_ways" true
	! have perl || runs memory/perl "$memory_ways" perl work.pl 1000
	runs memory/crowd-16 "$memory_ways" "$workload" crowd 16 "$(n 100000)"
	! have perl || runs memory/perl-large "$memory_ways" \
		perl work.pl "$(n 700000)"
	! have sqlite3 || runs memory/sqlite3-large "$memory_ways" \
		sqlite3 -batch -init work.sql :memory: .quit
	runs memory/wave "$memory_ways" "$workload" wave "$(n 1000000)"
}

for section in $sections; do
	case $section in
	off | rates)
		if have valgrind; then
			section_$section
		else
			echo "not installed, left out: valgrind ($section)"
		fi ;;
	sampled | every | memory) section_$section ;;
	*) echo "no such section: $section"; exit 2 ;;
	esac
done
awk -f "$SRCDIR/bench/median.awk" -f "$SRCDIR/bench/profbars.awk" \
	"$OUT/raw.csv" >>"$OUT/bars.csv" &&
	awk -F, -f "$SRCDIR/bench/profbars_text.awk" "$OUT/bars.csv" \
		>"$OUT/bars.txt" || exit 1
cat "$OUT/bars.txt"
echo "the runs and the table as CSV are in $OUT"
