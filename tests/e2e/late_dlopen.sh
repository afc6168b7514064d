#!/bin/sh
# late_dlopen.sh - libstrata arrives after the program has begun: opened by
# Python's ctypes; and plugins that bind past it, opened with RTLD_DEEPBIND,
# exchange blocks with the program. (Both exchanges crash under jemalloc.)

. "${0%/*}/lib.sh"
python=/usr/bin/python3

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
