#!/bin/sh
# demo.sh - `make demo` in small: it succeeds, its table is whole, its
# pictures are pictures, and it says when a step fails.

. "${0%/*}/lib.sh"

OUT=$tmp/demo
export OUT SRCDIR BUILD
check "the demo succeeds" env RELOADS=6 CONFIG_MIB=12 PAUSE=0 \
	BENCH='-n 4 -k 2 -m 2 -w 0 -q 20' "$SRCDIR/examples/demo.sh"
cp check.out demo.out 2>/dev/null
rows() { awk 'NF == 11 && $1 ~ /^[0-9]+$/' "$1" | wc -l; }
check_eq "RSS by reload, as it is, with a pool, strays moved out" 7 \
	"$(rows "$OUT/rss-by-reload.txt")"
for picture in callgraph flame lifetimes generations; do
	check "$picture.svg is XML" xmllint --noout "$OUT/$picture.svg"
done
check "callgraph.png is a PNG" sh -c \
	"head -c 4 '$OUT/callgraph.png' | grep -q PNG"
check "three profiles are left" test "$(files "$OUT"/*.pb)" -ge 3
for word in rules_compile reload standard lifetime; do
	check "it prints $word" grep -qi $word demo.out
done
check "it names what outlives a reload" sh -c \
	"sed -n '/^\\$ .* generations -n 3/,/^===/p' demo.out | grep 'stray.*rules_copy'"
check "it names what is old in the pool" sh -c \
	"sed -n '/^\$ .* top -n 1 --arena/,/^===/p' demo.out | grep '%.*audit_record'"
check_eq "it shows both pools' arenas, current and retired" "2 2" \
	"$(grep -c '^  current arena' demo.out) $(grep -c '^  retired arena' demo.out)"
check "a load beside other allocators, with and without a pool" sh -c \
	"grep '^strata  *[1-9]' '$OUT/bench.txt' &&
	grep '^strata-pool  *[1-9]' '$OUT/bench.txt'"
for chart in rss active; do
	check "a line for Strata's pool in the chart of $chart" \
		grep -q '>strata-pool-1</text>' "$OUT/bench/$chart-1.svg"
done
check_eq "no server is left" "" "$(pgrep -f "$BUILD/bin/reload-server")"

mkdir -p broken/bin
printf '#!/bin/sh\nexit 1\n' >broken/bin/strata
chmod +x broken/bin/strata
if BUILD=$tmp/broken OUT=$tmp/none "$SRCDIR/examples/demo.sh" >none.out 2>&1
then
	fail "a step that fails ends it" "$(cat none.out)"
else
	ok "a step that fails ends it"
fi
finish
