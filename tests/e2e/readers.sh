#!/bin/sh
# readers.sh - readers that are not ours agree with `strata top`: jeprof on
# the text format, go tool pprof on the native one, all four sample types.

. "${0%/*}/lib.sh"
. "$SRCDIR/tests/e2e/programs.sh"

PPROF_TMPDIR=$tmp GOCACHE=$tmp/go HOME=$tmp
export PPROF_TMPDIR GOCACHE HOME

# near NAME EXPECTED ACTUAL SLACK: equal to within SLACK, which is rounding
near() {
	if awk -v e="$2" -v a="$3" -v slack="$4" 'BEGIN {
		exit !(e != "" && a != "" && e > 0 &&
		    a - e <= slack && e - a <= slack) }'; then
		ok "$1: $3"
	else
		fail "$1" "strata top: $2" "the reader: $3" "slack: $4"
	fi
}

# strata_total TYPE FILE
strata_total() {
	"$STRATA" top --no-symbols --sample-type "$1" --format json "$2" |
		jq -r .total
}

# stacks FILE: how many; each may be off by one half in an integer format
stacks() {
	grep -c '^@' "$1"
}

jeprof_total() {
	jeprof --text --show_bytes "--$1" "$2" "$3" 2>jeprof.err |
		sed -n 's/^Total: *\([0-9.]*\).*/\1/p'
}

pprof_total() {
	go tool pprof -top -unit=bytes -sample_index="$1" -symbolize=none \
		"$2" 2>pprof.err |
		sed -n 's/.* of \([0-9.]*\)\(B\)\{0,1\} total.*/\1/p'
}

# raw_total COLUMN FILE: the sum over the samples that pprof itself lists
raw_total() {
	go tool pprof -raw -symbolize=none "$2" 2>/dev/null | awk -v c="$1" '
	/^Locations/ { on = 0 }
	on && /^ *-?[0-9]+ .*:/ { sum += $c }
	/^Samples:/ { on = 1 }
	END { printf "%.0f\n", sum }'
}

# read_by_all NAME CONF PROGRAM ARGUMENT...
read_by_all() {
	name=$1 conf=$2
	shift 2
	rm -rf "$profiles"
	mkdir "$profiles"
	under "prof:true,prof_final:true,prof_accum:true,prof_prefix:$profiles/p,$conf" \
		"$@" >out 2>err
	native=$(ls "$profiles"/p.*.pb) heap=$(ls "$profiles"/p.*.heap)
	slack=$(($(stacks "$heap") + 1))
	column=1
	for type in alloc_objects alloc_space inuse_objects inuse_space; do
		total=$(strata_total $type "$native")
		near "$name, $type: heap_v2 read by strata" \
			"$total" "$(strata_total $type "$heap")" $slack
		# At rate 1, too, jeprof divides by 1 - exp(-mean size): for
		# 8-byte objects that is a part in 2980.
		near "$name, $type: jeprof" "$total" \
			"$(jeprof_total $type "$1" "$heap")" \
			$((slack + total / 2980))
		near "$name, $type: go tool pprof -raw" \
			"$total" "$(raw_total $column "$native")" $slack
		column=$((column + 1))
	done
	# -top rounds to two digits or so: a hundredth part
	total=$(strata_total inuse_space "$native")
	near "$name, inuse_space: go tool pprof -top" "$total" \
		"$(pprof_total inuse_space "$native")" $((total / 100))
}

check "jeprof is there" command -v jeprof
check "go tool pprof is there" go tool pprof -h

read_by_all "leak-hunt" prof_format:both,lg_prof_sample:12 \
	"$BUILD/bin/leak-hunt" --keep
types='alloc_objects/count alloc_space/bytes inuse_objects/count '
check "pprof knows the types" sh -c "go tool pprof -raw '$native' |
	grep -q '^${types}inuse_space/bytes'"
check "pprof knows the period" sh -c \
	"go tool pprof -raw '$native' | grep -q '^Period: 4096'"
# named NAME COMMAND...; go's pprof does not know of inlined functions
named() { named_=$1; shift; "$@" 2>/dev/null | grep -w "$named_"; }
check "pprof names the sites" named main go tool pprof -top "$native"
check "jeprof names the sites" named table_load \
	jeprof --text "$BUILD/bin/leak-hunt" "$heap"

read_by_all "every allocation" prof_format:both,lg_prof_sample:0 \
	"$PROG/cxx_program"
read_by_all "threads, default rate" prof_format:both \
	"$PROG/cxx_program"
finish
