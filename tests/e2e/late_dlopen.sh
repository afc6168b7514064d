#!/bin/sh
# late_dlopen.sh - libstrata arrives after the program has begun: opened by
# Python's ctypes; and plugins that bind past it, opened with RTLD_DEEPBIND,
# exchange blocks with the program. (Both exchanges crash under jemalloc.)

. "${0%/*}/lib.sh"
python=/usr/bin/python3

# It is done when that thread, which is half a second about it, has ended.
closes='
import _ctypes, ctypes, os, sys, time
lib = ctypes.CDLL(sys.argv[1])
pool = ctypes.c_uint()
assert lib.strata_pool_create(0, ctypes.byref(pool)) == 0
tasks = 1
while tasks < 2:
    assert lib.strata_pool_rotate(pool, None) == 0
    tasks = len(os.listdir("/proc/self/task"))
assert tasks == 2
_ctypes.dlclose(lib._handle)
while len(os.listdir("/proc/self/task")) > 1:
    time.sleep(0.02)
'

late() {
	MALLOC_CONF=$1 timeout -s KILL 60 $python \
		"$SRCDIR/tests/e2e/late_dlopen.py" "$LIB" "$2"
}

if [ -x $python ]; then
	check 'python3 opens libstrata: prof:false' late prof:false -
	check 'python3 opens libstrata: every allocation sampled' \
		late prof:true,lg_prof_sample:0 late.pb
	held=$(late prof:true,lg_prof_sample:0 late.pb | sed -n 's/held //p')
	check_eq '... its profile shows what it holds' "$held" \
		"$("$STRATA" top --no-symbols --format json late.pb |
		jq -r .total)"
	check 'python3 under Strata opens it again' under prof:true \
		timeout -s KILL 60 $python \
		"$SRCDIR/tests/e2e/late_dlopen.py" "$LIB" -
	check 'python3 closes it while the thread of a rotation is there' \
		timeout -s KILL 60 $python -c "$closes" "$LIB"
else
	skip 'python3 opens libstrata: no python3'
fi

for conf in prof:false prof:true,lg_prof_sample:0; do
	for mode in none taken given; do
		check "RTLD_DEEPBIND: blocks $mode, $conf" under $conf \
			timeout -s KILL 30 "$PROG/deepbind" \
			"$PROG/deepbind_plugin.so" $mode
	done
done
finish
