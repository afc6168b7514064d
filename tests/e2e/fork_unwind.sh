#!/bin/sh
# fork_unwind.sh - 1,000 forks (or FORKS) against a thread that unwinds cold
# call sites, or that loads and unloads plugins; children sample at once, and
# dump.

. "${0%/*}/lib.sh"
conf=prof:true,lg_prof_sample:0,prof_prefix:$tmp/p
many=${FORKS:-1000}

# Far more than it takes; a hang is found by the program itself.
forks() { under "$conf" timeout -s KILL 1200 "$PROG/fork_unwind" "$@"; }

check 'many forks, each child samples' forks "$many" sites
check '200 forks, children dump' forks 200 sites dump
check '... each in a file of its own' \
	holds "$(ls p.*.m0.pb 2>/dev/null | sed 's/^p\.\([0-9]*\)\..*/\1/' |
		sort -u | wc -l) == 13"
whole=0
for file in p.*.pb; do
	if "$STRATA" top --cum "$file" | grep -q child_allocates; then
		whole=$((whole + 1))
	fi
done
check_eq "... that shows the child's own allocations" 13 $whole
rm -f p.*
check '150 forks against dlopen and dlclose, children dump' forks 150 loader \
	"$PROG/churn_a.so" "$PROG/churn_b.so" dump
# libunwind has a mutex of its own, and asks the loader.
conf=prof:true,lg_prof_sample:0,prof_unwind:unw_step,prof_prefix:$tmp/p
check 'many forks, stacks by libunwind' forks "$many" sites
check '150 forks against dlopen and dlclose, by libunwind' forks 150 loader \
	"$PROG/churn_a.so" "$PROG/churn_b.so" dump
conf=prof:true,lg_prof_sample:0,prof_unwind:fp,prof_prefix:$tmp/p
check '200 forks, stacks by frame pointers' forks 200 sites dump
finish
