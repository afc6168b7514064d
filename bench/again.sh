# again.sh - what took longer than under jemalloc, in more rounds and counted; a
# part of run.sh, before the programs' inputs change.
#
# Of many workloads that are as fast as before some look slow in a few rounds.
# All that do are run again, not the worst alone, and the new rounds replace the
# old ones, whatever they say.

# above LIMIT: GROUP/NAME of those above it in CPU time
above() {
	ratios | awk -F, -v limit="$1" \
		'$3 == "jemalloc" && $12 > limit { print $1 "/" $2 }'
}

# each FUNCTION GROUP/NAME...: FUNCTION GROUP/NAME COMMAND...
each() {
	each_function=$1
	shift
	for each_label; do
		set -f
		IFS='
'
		# shellcheck disable=SC2046 # lines
		set -- $(cat "commands/${each_label#*/}")
		unset IFS
		set +f
		"$each_function" "$each_label" "$@"
	done
}

again() {
	again_label=$1
	shift
	grep "^$again_label," "$OUT/raw.csv" >>"$OUT/first.csv"
	grep -v "^$again_label," "$OUT/raw.csv" >raw.rest
	cp raw.rest "$OUT/raw.csv"
	rounds_of "$again_label" $((3 * ROUNDS)) "$@"
	# A workload must not leave the table by failing.
	grep -q "^$again_label," "$OUT/raw.csv" ||
		grep "^$again_label," "$OUT/first.csv" >>"$OUT/raw.csv"
}

# With its children: a script's are what it measures.
counted_whole() {
	whole_name=${1#*/}
	shift
	echo "counting $whole_name" >&2
	counted_part=--trace-children=yes
	for whole_allocator in strata jemalloc; do
		at=$(counted "$whole_allocator" "$@")
		[ -z "$at" ] ||
			echo "whole,$whole_name,$whole_allocator,$at" \
				>>"$OUT/instructions.csv"
	done
	counted_part=
}

# shellcheck disable=SC2046 # words
each again $(above 1.05)
if [ $quick = no ] && command -v valgrind >/dev/null; then
	# shellcheck disable=SC2046 # words
	each counted_whole $(above 1.05)
fi
