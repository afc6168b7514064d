#!/bin/sh
# generations.sh - `strata generations` names what outlives its generation,
# and its bytes are the program's own count.

. "${0%/*}/lib.sh"

# survive NAME GENERATIONS CONF: out is what the view says, in JSON
survive() {
	LD_PRELOAD=$LIB MALLOC_CONF=prof:true,$3 \
		"$PROG/survivors" "$2" >truth 2>err ||
		fail "$1: the program runs" "$(cat err)"
	read -r strays configurations <truth
	"$STRATA" generations -f json s.pb >out 2>&1
	check "$1: the stray is first" \
		jq -e '.sites[0].site == "stray_new"' out
	check "$1: and its bytes are true" \
		jq -e --argjson truth "$strays" '.sites[0] |
		(.stray_bytes - $truth | fabs) <=
		4 * .stray_bytes_error' out
	"$STRATA" generations --assert-no-growth s.pb >growth 2>&1
	check_eq "$1: which is growth" 1 $?
	check "$1: of that site" grep -q '^stray_new grows' growth
	"$STRATA" generations --assert-no-growth --ignore stray_new s.pb \
		>growth 2>&1
	check_eq "$1: all else is none" 0 $?
}

survive 'all sampled' 100 lg_prof_sample:0
survive 'few sampled' 100 lg_prof_sample:12

# No room for all generations: what they freed becomes one sum.
survive 'in 4 MiB' 1000 lg_prof_sample:0,prof_max_memory:4194304
check 'old generations are folded' jq -e '.folded_up_to > 0' out
check 'no sum has changed' jq -e --argjson truth "$configurations" \
	'.sites[] | select(.site == "config_new") |
	.retired_allocated == $truth' out
check 'each stray is of its generation' jq -e '[.sites[] |
	select(.site == "stray_new") | .generations[].bytes] |
	length == 1000 and all(. == 10240)' out
finish
