#!/bin/sh
# phdr_sleeper.sh - while a thread sleeps with the loader's lock held, others
# allocate, start, fork and dump as if it did not.

. "${0%/*}/lib.sh"

steps() {
	under "$1" timeout -s KILL 30 "$PROG/phdr_sleeper" \
		malloc thread dump signal fork
}

check 'every allocation sampled' steps prof:true,lg_prof_sample:0
check_eq '... two profiles' 2 "$(files strata.*.pb)"
for file in strata.*.pb; do
	check "... $file is whole" "$STRATA" top "$file"
done
rm -f strata.*
check 'stacks by frame pointers' steps \
	prof:true,lg_prof_sample:0,prof_unwind:fp
rm -f strata.*
check 'stacks by libunwind' steps \
	prof:true,lg_prof_sample:0,prof_unwind:unw_step
rm -f strata.*
check 'text format, every free unwound too' steps \
	prof:true,lg_prof_sample:0,prof_free_stacks:true,prof_format:both
check 'profiling off' under prof:false timeout -s KILL 30 \
	"$PROG/phdr_sleeper" malloc thread fork
finish
