#!/bin/sh
# static_exe.sh - a -static program linked with libstrata.a takes samples in
# its threads and its fork child, and dumps at exit, by mallctl, by signal.

. "${0%/*}/lib.sh"
program=$PROG/static_exe
small=$((4000 * 112)) large=$((8 * 1048576))

# site FILE FUNCTION: its live bytes
site() {
	"$STRATA" flame --format folded "$1" |
		awk -v s="$2" '$0 ~ s { n += $NF } END { print n + 0 }'
}

check_eq 'it is static' 0 \
	"$(readelf -l "$program" | grep -c INTERP)"
MALLOC_CONF=prof:true,lg_prof_sample:0,prof_final:true,prof_prefix:$tmp/s \
	timeout -s KILL 60 "$program" run >out 2>err
check_eq 'it runs' 0 $?
check_eq 'without a word' '' "$(cat err)"
child=$(sed -n 's/^pid //p' out)
final=$(ls s.*.f.pb)
check_eq 'dump at exit: small blocks' $small "$(site "$final" static_small)"
check_eq 'dump at exit: large blocks' $large "$(site "$final" static_large)"
check_eq "the child's dump: small blocks" $small \
	"$(site "s.$child.0.m0.pb" static_small)"

MALLOC_CONF=prof:true,lg_prof_sample:0,prof_prefix:$tmp/w \
	"$program" wait >wait.out 2>&1 &
pid=$!
own $pid
check 'it waits' wait_for 10 grep -q ready wait.out
file=$("$STRATA" ctl $pid dump)
check_eq 'ctl: small blocks' $small "$(site "$file" static_small)"
check 'it lives' kill -0 $pid
MALLOC_CONF=prof:false timeout -s KILL 60 "$program" run >out 2>err
check 'prof:false: prof.dump is refused, nothing crashes' \
	holds "$? == 1"
finish
