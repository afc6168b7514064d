# programs.sh - how a suite runs programs that nobody here wrote: once without
# Strata, then under it in several modes, comparing what they print and
# holding each profile against the exact figures in its own header. Sourced
# after lib.sh.
#
#   mode      MALLOC_CONF                        the profile's sum must be
#   off       prof:false                         (none is written)
#   default   prof:true                          within 4 expected errors
#   fine      prof:true,lg_prof_sample:12        within 4 printed errors
#   exact     prof:true,lg_prof_sample:0         the exact live bytes

PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
modes=${MODES:-off default fine exact}
profiles=$tmp/profiles			# dumps of the last run
nprofiles=8				# how many of a run's dumps are read

# conf_of MODE: the options of a mode, with a dump at exit
conf_of() {
	conf_final=prof:true,prof_final:true,prof_prefix:$profiles/p
	case $1 in
	off) echo prof:false ;;
	default) echo "$conf_final" ;;
	fine) echo "$conf_final,lg_prof_sample:12" ;;
	exact) echo "$conf_final,lg_prof_sample:0" ;;
	esac
}

# figures FILE: "estimate error exact period samples" of its live bytes; what
# was live before profiling and what was dropped counts as estimated
figures() {
	"$STRATA" top --no-symbols --format json "$1" >figures.json || return
	jq -r '.header | [.live_estimate + (.before_profiling // 0)
	    + (.bytes_dropped // 0), .live_error, .live_exact, .period,
	    .samples_live] | map(tostring) | join(" ")' figures.json
}

# sum_is_right MODE ESTIMATE ERROR EXACT PERIOD SAMPLES: true if it adds up.
# With few samples, as by default, the error is the larger of the printed one
# and the one expected beforehand, sqrt(period * exact): of none 0 is printed.
sum_is_right() {
	awk -v mode="$1" -v estimate="$2" -v error="$3" -v exact="$4" \
		-v period="$5" -v samples="$6" 'BEGIN {
		off = estimate - exact
		if (off < 0) off = -off
		if (mode == "exact") exit !(off == 0 && exact > 0)
		prior = sqrt(period * exact)
		if ((mode == "default" || samples < 20) && error < prior)
			error = prior
		exit !(off <= 4 * error && error > 0)
	}'
}

# profile_adds_up NAME MODE FILE: one test
profile_adds_up() {
	if ! adds=$(figures "$3" 2>figures.err); then
		fail "$1" "$(cat figures.err)"
		return
	fi
	# shellcheck disable=SC2086 # five words
	if sum_is_right "$2" $adds; then
		ok "$1: live bytes add up ($adds)"
	else
		fail "$1: live bytes add up" \
			"estimate error exact period samples: $adds"
	fi
}

# profiles_add_up NAME MODE: each of the largest dumps of the last run
profiles_add_up() {
	up_n=0
	for up_file in $(ls -S "$profiles" | head -n $nprofiles); do
		up_n=$((up_n + 1))
		profile_adds_up "$1 ($up_file)" "$2" "$profiles/$up_file"
	done
	[ $up_n -gt 0 ] || fail "$1: a profile is written at exit"
}

# run_as MODE COMMAND...: under Strata; leaves out, err, status
run_as() {
	run_conf=$(conf_of "$1")
	shift
	rm -rf "$profiles"
	mkdir "$profiles"
	under "$run_conf" "$@" >out 2>err </dev/null
	status=$?
}

# become CONF COMMAND...: as under, in the background: `become ... &` leaves
# the program's own PID in $!, not a shell's
become() {
	become_conf=$1
	shift
	exec env MALLOC_CONF="$become_conf" LD_PRELOAD="$LIB" "$@"
}

# same NAME COMMAND...: what it prints and returns is the same in all modes
same() {
	same_name=$1
	shift
	"$@" >ref.out 2>ref.err </dev/null
	same_status=$?
	for mode in $modes; do
		run_as "$mode" "$@"
		check_eq "$same_name, $mode: exit status" $same_status $status
		check "$same_name, $mode: output" cmp ref.out out
		check "$same_name, $mode: messages" diff ref.err err
		[ "$mode" = off ] || profiles_add_up "$same_name, $mode" "$mode"
	done
}
