#!/bin/sh
# tsan_long.sh - the suites with threads under ThreadSanitizer: what two
# threads touch is ordered by a lock or an atomic, or is marked as a guess
# (RACY in util.h). Our locks are plain atomics to it, so it knows them.

. "${0%/*}/lib.sh"

echo 'int main(void) { return 0; }' >probe.c
if ! cc -fsanitize=thread -o probe probe.c || ! ./probe; then
	skip 'no ThreadSanitizer here'
	finish
fi
if ! make -C "$BUILD" -s -j2 tsan >make.out 2>&1; then
	fail 'it builds' "$(tail -n 20 make.out)"
	finish
fi
# Its tables want addresses that randomisation may have given away.
fixed=
setarch -R true 2>/dev/null && fixed='setarch -R'
# A fork with threads is what some suites are about.
export TSAN_OPTIONS=halt_on_error=1:history_size=4:die_after_fork=0
for program in "$BUILD"/obj/tsan/tests/*/*_test; do
	check "${program##*/}" $fixed timeout 3600 "$program"
done
# Its children rotate: they could have no thread for a pool's rest. Without the
# profiler, which needs its worker to stay within bounds: a task of its own.
for conf in prof:false tcache:false percpu_arena:percpu retain:false; do
	check "pools, $conf" env MALLOC_CONF="$conf,pool_rest_ms:-1" $fixed \
		timeout 3600 "$BUILD/obj/tsan/tests/e2e/pool_soak" 100
done
finish
