#!/bin/sh
# dlchurn.sh - plugins come and go while every allocation is sampled: nothing
# crashes, and what they left behind is shown under their names, exactly.

. "${0%/*}/lib.sh"
a=$PROG/churn_a.so b=$PROG/churn_b.so c=$PROG/churn_c.so

# folded FILE: bytes by stack, one a line
folded() { "$STRATA" flame --format folded "$1"; }

# truth_is_shown NAME: what the program printed is what its profile says
truth_is_shown() {
	folded churn.pb >folded
	while read -r _ site _ bytes; do
		shown=$(awk -v site="$site" '
			$0 ~ site { n += $NF } END { print n + 0 }' folded)
		check_eq "$1: $site" "$bytes" "$shown"
	done <truth
}

# churn NAME CONF ROUNDS THREADS PLUGIN...
churn() {
	churn_name=$1 churn_conf=$2 churn_rounds=$3 churn_threads=$4
	shift 4
	rm -f churn.pb
	if under "$churn_conf" timeout -s KILL 60 "$PROG/dlchurn" \
		"$churn_rounds" "$churn_threads" churn.pb "$@" >truth 2>err; then
		ok "$churn_name"
		truth_is_shown "$churn_name"
	else
		fail "$churn_name" "status $?" "$(tail -n 5 err)"
	fi
}

all=prof:true,lg_prof_sample:0
churn 'one thread' $all 600 1 "$a" "$b" "$c"
churn 'twins that may take the same place' $all 600 1 "$a" "$b"
churn 'four threads' $all 200 4 "$a" "$b" "$c"
churn 'four threads, twins' $all 200 4 "$b" "$a"
churn 'stacks by frame pointers' $all,prof_unwind:fp 200 2 "$a" "$b" "$c"
churn 'stacks by libunwind' $all,prof_unwind:unw_step 200 4 "$a" "$b" "$c"
churn 'frees unwound too' $all,prof_free_stacks:true 200 2 "$a" "$b" "$c"
check 'profiling off' under prof:false timeout -s KILL 60 "$PROG/dlchurn" \
	600 4 - "$a" "$b" "$c"
check 'sampling at times' under prof:true,lg_prof_sample:12 \
	timeout -s KILL 60 "$PROG/dlchurn" 600 4 churn.pb "$a" "$b" "$c"
finish
