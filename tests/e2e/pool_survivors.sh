#!/bin/sh
# pool_survivors.sh - after 100 rotations of a pool `strata generations` names
# the site whose planted 1 % outlives its generation, and its bytes are the
# program's own count.

. "${0%/*}/lib.sh"

# rotations LG BYTES MODE SEED: the program, and what the command says of it
rotations() {
	rm -f s1.pb s2.pb
	under "prof:true,lg_prof_sample:$1,prof_seed:$4" \
		"$PROG/pool_survivors" "$2" "$3" >count &&
		"$STRATA" generations -f json s1.pb s2.pb >shown
}

# names SITE: first, as one that is never freed
names() {
	jq -e --arg site "$1" \
		'.sites[0] | .site == $site and .kind == "kept"' shown
}

# true_to_count: within four of the errors that it prints
true_to_count() {
	jq -e --slurpfile count count '.last_retired + 2 == .generation and
		.generation == $count[0].generation and (.sites[0] |
		(.stray_bytes - $count[0].bytes | fabs) <=
		4 * .stray_bytes_error)' shown
}

# Of each generation, to the byte.
true_by_generation() {
	jq -e --slurpfile count count '.last_retired as $last |
		.sites[0].generations |
		map(select(.generation <= $last) |
			{ (.generation | tostring): .bytes }) | add ==
		$count[0].planted' shown
}

# grow SITE...: these, and no others
grow() {
	"$STRATA" generations --assert-no-growth s1.pb s2.pb >growth
	echo $? >status
	sed -n 's/ grows by .*//p' growth >growing
	for site; do echo "$site"; done | cmp - growing
}

for run in "0 1048576 1" "12 1048576 1" "12 1048576 2" "12 1048576 3" \
	"19 25165824 1"; do
	set -- $run
	what="lg_prof_sample:$1, seed $3"
	check "100 rotations, $what" rotations "$1" "$2" kept "$3"
	check "the profile names the pool's generation, $what" \
		grep -aq "pools: [0-9]*:$(jq .generation count)" s2.pb
	check "the planted site is first, $what" names stray_new
	check "its bytes are true, $what" true_to_count
	[ "$1" != 0 ] || check "those of each generation too" true_by_generation
	check "it alone grows, $what" grow stray_new
	check_eq "and that is a failure, $what" 1 "$(cat status)"
done

check "planted elsewhere" rotations 12 1048576 elsewhere 1
check "that site is first" names elsewhere_new
check "not the other" test "$(names stray_new)" = false
check "freed in time" rotations 12 1048576 freed 1
check_eq "nothing is kept" 0 \
	"$(jq '[.sites[] | select(.kind == "kept")] | length' shown)"
check "the site is not first" test "$(names stray_new)" = false
check "nothing grows" grow
check_eq "and that is none" 0 "$(cat status)"
finish
