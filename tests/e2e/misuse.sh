#!/bin/sh
# misuse.sh - double frees, invalid frees and wrong sizes: one line that says
# what and where, then SIGABRT, when the checks are on; without them foreign
# addresses are left alone and the program goes on.

. "${0%/*}/lib.sh"

# caught HOW CONF PATTERN: dies of SIGABRT with one line that matches
caught() {
	(
		ulimit -c 0
		under "$2" timeout 20 "$PROG/misuse" "$1" >out 2>err
	) 2>/dev/null
	caught_status=$?
	caught_address=$(head -n 1 out)
	if [ $caught_status = 134 ] && [ "$(grep -c '^<strata>' err)" = 1 ] &&
		grep -q "^<strata>: $3" err &&
		grep -q "$caught_address" err; then
		ok "$1 is caught by $2"
	else
		fail "$1 is caught by $2" "status $caught_status" \
			"$(cat out err)"
	fi
}

all=safety_checks:true
none=safety_checks:false		# debug builds have them on
double='Double free detected'
invalid='Invalid deallocation detected'
caught double $all "$double.*(112-byte region of arena 0"
caught double_flushed $all "$double.*(112-byte region of arena 0"
caught double_large $all "$double.*(pages that are not in use"
caught double_thread $all "$double.*(112-byte region of arena"
caught double_cached_large $all "$double.*(40960-byte block of arena"
caught after_reset $all "$double.*(pages that are not in use"
caught after_reset_large $all "$double.*(pages that are not in use"
caught realloc_large $all "$double.*(pages that are not in use"
caught interior $all "$invalid.*(inside a 112-byte region of arena"
caught interior_large $all "$invalid"
caught size $all \
	'size mismatch detected (true size 112 vs input size 300)'
caught aligned_size $all 'size mismatch detected (true size 1024'
caught stack $all "$invalid.*(not memory of this allocator)"
caught nowhere $all "$invalid.*(not memory of this allocator)"
caught realloc $all "$double"

# Each check by itself, and only what it is for.
caught double check_double_free:true "$double"
caught interior check_invalid_free:true "$invalid"
caught size check_sized_free:true 'size mismatch'

# A sampled block's report tells where it was allocated.
under "$all,prof:true,lg_prof_sample:0,prof_prefix:" \
	timeout 20 "$PROG/misuse" size >out 2>err
check "the stack of a sampled block" \
	grep -q 'allocated at 0x[0-9a-f]* 0x[0-9a-f]*' err

# passes HOW CONF: nobody stops it
passes() {
	under "$2" timeout 20 "$PROG/misuse" "$1" >out 2>err
	check_eq "$1 passes with $2" 0 $?
}

passes right_sizes $all
check_eq "nothing is said of right sizes" "" "$(cat err)"
passes stack "$none"
check "a foreign address costs a line" \
	grep -q "^<strata>: free of .*no block of Strata's or glibc's" err
passes nowhere "$none"

# Blocks of libc's own malloc are no misuse: they go back to it.
for conf in $none $all $none,prof:true,lg_prof_sample:0,prof_prefix:; do
	under "$conf" timeout 60 "$PROG/foreign" >out 2>err
	case $conf in
	$all) # its fakes are caught
		check "blocks of libc's: $conf" grep -q "$invalid" err ;;
	*)
		check_eq "blocks of libc's: $conf" ok "$(cat out)" ;;
	esac
done
finish
