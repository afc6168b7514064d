# instructions.sh - callgrind's counts of the fast paths and of programs; a
# part of run.sh, after programs.sh made its inputs.
#
# A fast path runs at two counts, so that the start of the program drops out:
# what is printed is instructions for one malloc and its free, the loop around
# them included. Programs are counted whole, start and exit with them.

# path NAME COMMAND... with @ for the number of pairs
path() {
	path_name=$1
	wanted "$path_name" || return 0
	shift
	few=20000 many=120000
	echo "counting $path_name" >&2
	for pair in $allocators; do
		at_few= at_many=
		for count in $few $many; do
			# shellcheck disable=SC2046 # words
			at=$(counted "${pair%%=*}" $(echo "$*" |
				sed "s/@/$count/"))
			[ $count = $few ] && at_few=$at || at_many=$at
		done
		[ -n "$at_few" ] && [ -n "$at_many" ] || {
			echo "$path_name: no count under ${pair%%=*}"
			continue
		}
		awk "BEGIN { printf \"path,%s,%s,%.1f\n\", \"$path_name\",
		    \"${pair%%=*}\",
		    ($at_many - $at_few) / ($many - $few) }" \
			>>"$OUT/instructions.csv"
	done
}

# program NAME COMMAND...
program() {
	program_name=$1
	wanted "$program_name" || return 0
	shift
	command -v "$1" >/dev/null || return 0
	echo "counting $program_name" >&2
	for pair in $allocators; do
		at=$(counted "${pair%%=*}" "$@")
		[ -n "$at" ] || {
			echo "$program_name: no count under ${pair%%=*}"
			continue
		}
		echo "program,$program_name,${pair%%=*},$at" \
			>>"$OUT/instructions.csv"
	done
}

if command -v valgrind >/dev/null; then
	for size in 16 32 64 128 256 512 1024 32768; do
		path pair-$size "$workload" pairs $size @
	done
	path batch-64 "$workload" batch 64 1000 @
	path batch-1024 "$workload" batch 1024 1000 @
	source_make "$(n 10)"
	program gcc "$(gcc -print-prog-name=cc1)" -quiet -O2 -g -o cc1.s \
		source.c
	sql_make "$(n 20000)"
	program sqlite3 sqlite3 -batch -init work.sql :memory: .quit
	program perl perl work.pl "$(n 60000)"
	program python3 python3 "$SRCDIR/tests/e2e/python_work.py" 1
else
	echo "not installed, no instructions counted: valgrind"
fi
