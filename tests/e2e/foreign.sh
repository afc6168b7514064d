#!/bin/sh
# foreign.sh - profiles that are not ours: jemalloc's heap_v2, Go's
# profile.proto and Go's legacy text. Their own tools are the judges of what
# `strata top` makes of them, and of what `merge` and `convert` write.

. "${0%/*}/lib.sh"
. "$SRCDIR/tests/e2e/programs.sh"

PPROF_TMPDIR=$tmp GOCACHE=$tmp/go HOME=$tmp
export PPROF_TMPDIR GOCACHE HOME
jemalloc=$(ls /usr/lib/*/libjemalloc.so.2 2>/dev/null | head -n 1)

# near NAME EXPECTED ACTUAL SLACK
near() {
	if [ -n "$2" ] && [ -n "$3" ] &&
	    holds "$2 > 0 && $3 - $2 <= $4 && $2 - $3 <= $4"; then
		ok "$1: $3"
	else
		fail "$1" "the judge: $2" "strata: $3" "slack: $4"
	fi
}

# total TYPE FILE
total() {
	"$STRATA" top --no-symbols --sample-type "$1" --format json "$2" |
		jq -r .total
}

# raw_total TYPE FILE: the sum over the samples as go tool pprof lists them
raw_total() {
	go tool pprof -raw -symbolize=none "$2" 2>/dev/null | awk -v t="$1" '
	/^Locations/ { on = 0 }
	on == 1 { for (i = 1; i <= NF; i++) if (index($i, t "/")) c = i
	    on = 2; next }
	on == 2 && /^ *-?[0-9]+ .*:/ { sum += $c }
	/^Samples:/ { on = 1 }
	END { printf "%.0f\n", sum }'
}

jeprof_total() {
	jeprof --text --show_bytes "--$1" "$2" "$3" 2>jeprof.err |
		sed -n 's/^Total: *\([0-9.]*\).*/\1/p'
}

# --- jemalloc ---------------------------------------------------------------

python=$(command -v python3)
cat >work.py <<'END_PY'
import json
kept = [json.dumps({str(i): "x" * (i % 900)}) for i in range(20000)]
END_PY
for rate in 12 19; do
	rm -f j.*
	MALLOC_CONF=prof:true,prof_final:true,prof_prefix:$tmp/j,prof_accum:true
	MALLOC_CONF=$MALLOC_CONF,lg_prof_sample:$rate \
		LD_PRELOAD=$jemalloc "$python" work.py
	unset MALLOC_CONF
	heap=$(ls j.*.heap)
	# jeprof adds up what is not rounded, we round each stack.
	slack=$(($(grep -c '^@' "$heap") + 1))
	for type in inuse_space inuse_objects alloc_space alloc_objects; do
		judge=$(jeprof_total $type "$python" "$heap")
		near "jemalloc 2^$rate, $type" "$judge" \
			"$(total $type "$heap")" $slack
	done
	"$STRATA" convert --no-symbols --format heap -o c.heap "$heap"
	near "converted to heap, read by jeprof" "$(total inuse_space "$heap")" \
		"$(jeprof_total inuse_space "$python" c.heap)" $slack
	"$STRATA" convert --no-symbols -o c.pb.gz "$heap"
	check_eq "converted to pb, read by go tool pprof" \
		"$(total inuse_space "$heap")" "$(raw_total inuse_space c.pb.gz)"
done
check "the allocator's own frames are gone" sh -c \
	"! '$STRATA' top -n 0 --format csv '$heap' |
	grep -E 'libjemalloc|^\"(malloc|calloc)\"'"

# --- Go ---------------------------------------------------------------------

mkdir prog
cat >prog/main.go <<'END_GO'
package main

import (
	"os"
	"runtime"
	"runtime/pprof"
)

var kept [][]byte

func cache(n int) {
	for i := 0; i < n; i++ {
		kept = append(kept, make([]byte, 100+i%3000))
	}
}

func session(n int) {
	for i := 0; i < n; i++ {
		kept = append(kept, make([]byte, 64))
	}
}

func write(name string, debug int) {
	f, _ := os.Create(name)
	pprof.Lookup("heap").WriteTo(f, debug)
	f.Close()
}

func main() {
	runtime.MemProfileRate = 4096
	cache(10000)
	runtime.GC()
	write("go1.pb.gz", 0)
	session(100000)
	runtime.GC()
	write("go2.pb.gz", 0)
	write("go2.txt", 1)
	runtime.KeepAlive(kept)
}
END_GO
check "the Go program is built" sh -c \
	'cd prog && go mod init prog && go build -o ../goprog .'
check "the Go program runs" ./goprog

for type in alloc_objects alloc_space inuse_objects inuse_space; do
	check_eq "Go, $type" "$(raw_total $type go2.pb.gz)" \
		"$(total $type go2.pb.gz)"
done
# go tool pprof scales the text's stacks, and truncates each.
slack=$(($(grep -c '@ 0x' go2.txt) + 1))
near "Go's legacy text" "$(raw_total inuse_space go2.txt)" \
	"$(total inuse_space go2.txt)" $slack

# flat and cum of every function, as "function flat cum"
go tool pprof -top -unit=B -nodefraction=0 -nodecount=100000 \
	-sample_index=inuse_space go2.pb.gz 2>/dev/null |
	awk 'on { sub(/B$/, "", $1); sub(/B$/, "", $4); f = $6
	    for (i = 7; i <= NF; i++) if ($i != "(inline)") f = f " " $i
	    if ($1 + $4 > 0) print f, $1 + 0, $4 + 0 }
	    /flat%/ { on = 1 }' | sort >judge.txt
"$STRATA" top -n 0 --format json go2.pb.gz |
	jq -r '.sites[] | select(.flat + .cum > 0) |
	    "\(.site) \(.flat) \(.cum)"' | sort >ours.txt
check "Go's functions are many" test "$(wc -l <ours.txt)" -ge 5
check "flat and cum of each as go tool pprof has them" \
	diff judge.txt ours.txt
for filter in 'focus cache' 'ignore cache' 'hide runtime' \
    'show_from main\.'; do
	name=${filter% *} pattern=${filter#* }
	option=$(echo "$name" | tr _ -)
	judge=$(go tool pprof -top -unit=B -nodefraction=0 \
		"-$name=$pattern" -sample_index=inuse_space go2.pb.gz \
		2>/dev/null | sed -n 's/.*for \([0-9]*\)B.*/\1/p')
	check_eq "--$option=$pattern keeps what pprof keeps" "$judge" \
		"$("$STRATA" top "--$option=$pattern" --format json \
		go2.pb.gz | jq -r .total)"
done

"$STRATA" merge -o m.pb.gz go1.pb.gz go2.pb.gz
go tool pprof -proto -symbolize=none -output=g.pb.gz go1.pb.gz go2.pb.gz \
	2>/dev/null
check_eq "merged as go tool pprof merges" "$(raw_total inuse_space g.pb.gz)" \
	"$(raw_total inuse_space m.pb.gz)"
check_eq "diff: the site that grew" main.session "$("$STRATA" diff \
	--format json go1.pb.gz go2.pb.gz |
	jq -r '[.sites[] | select(.significance == "***")][0].site')"
finish
