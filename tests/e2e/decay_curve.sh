#!/bin/sh
# decay_curve.sh [MS MIB LIMIT] - freed pages go as the configured curve says,
# over its whole length: by a background thread while the process sleeps, and
# without one while it makes a thousand calls a second (decay_curve.c). LIMIT
# is in percent of the spike: wide here, where eight processes share what
# processors there are and half the default decay; decay_curve_long.sh holds
# the default to a tenth. Where nothing comes by, it is 70 to 100.

. "${0%/*}/lib.sh"
ms=${1:-5000} mib=${2:-256} limit=${3:-25}

# follow MODE CONF: up to three tries, if the machine does not let it run
follow() {
	for try in 1 2 3; do
		under "dirty_decay_ms:$ms$2" timeout 100 \
			"$PROG/decay_curve" "$1" "$mib" "$limit" >"$1.out" 2>&1
		status=$?
		[ $status -eq 77 ] || break
	done
	echo $status >"$1.status"
}

follow idle ,background_thread:true & idle=$!
follow forked ,background_thread:true & forked=$!
follow switched '' & switched=$!
follow pairs '' & pairs=$!
follow mallocs '' & mallocs=$!
follow frees '' & frees=$!
follow fast '' & fast=$!
follow other '' & other=$!
wait $idle $forked $switched $pairs $mallocs $frees $fast $other
for mode in idle forked switched pairs mallocs frees fast other; do
	what="$mode: $(head -n 1 $mode.out)"
	case $(cat $mode.status) in
	0) ok "$what" ;;
	77) skip "$what" ;;
	*) fail "$what" ;;
	esac
done
finish
