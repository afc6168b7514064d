#!/bin/sh
# generations.sh - `strata generations` names what outlives its generation,
# and its bytes are the program's own count.

. "${0%/*}/lib.sh"

for lg in 0 12; do
	LD_PRELOAD=$LIB MALLOC_CONF=prof:true,lg_prof_sample:$lg \
		"$PROG/survivors" >truth.$lg 2>err.$lg ||
		fail "the program runs, lg_prof_sample:$lg" "$(cat err.$lg)"
	"$STRATA" generations -f json s.pb >out.$lg 2>&1
	check "the stray is first, lg_prof_sample:$lg" \
		jq -e '.sites[0].site == "stray_new"' out.$lg
	check "and its bytes are true, lg_prof_sample:$lg" \
		jq -e --argjson truth "$(cat truth.$lg)" '.sites[0] |
		(.stray_bytes - $truth | fabs) <=
		4 * .stray_bytes_error' out.$lg
	"$STRATA" generations --assert-no-growth s.pb >growth 2>&1
	check_eq "which is growth, lg_prof_sample:$lg" 1 $?
	check "of that site" grep -q '^stray_new grows' growth
	"$STRATA" generations --assert-no-growth --ignore stray_new s.pb \
		>growth 2>&1
	check_eq "all else is none, lg_prof_sample:$lg" 0 $?
	rm -f s.pb
done
finish
