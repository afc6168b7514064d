#!/bin/sh
# pool_soak.sh - quick rotations of pools while threads do all they may: no
# block lost or handed out twice, nothing that grows with the rotations.

. "${0%/*}/lib.sh"

# With 10,000 rotations what is kept of each site needs more of it.
prof_memory=$((${POOL_SOAK_ROTATIONS:-500} > 1000 ? 64 << 20 : 32 << 20))

soak() {
	under "$1" timeout -s KILL 3000 "$PROG/pool_soak" \
		"${POOL_SOAK_ROTATIONS:-500}" "$2"
}

check 'without the profiler' soak prof:false 1
check 'with it, samples close together' soak \
	prof:true,lg_prof_sample:8,prof_max_memory:"$prof_memory" 2
check 'without caches' soak tcache:false 3
check 'an arena for each CPU, threads that purge' soak \
	percpu_arena:percpu,background_thread:true 4
check 'nothing retained' soak retain:false 5
finish
