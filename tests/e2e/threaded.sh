#!/bin/sh
# threaded.sh - programs that share out one job among threads: sort and xz.

. "${0%/*}/lib.sh"
. "$SRCDIR/tests/e2e/programs.sh"

awk 'BEGIN { s = 1; for (i = 0; i < 300000; i++) {
	s = (s * 16807) % 2147483647; print s, i } }' >lines

same "sort --parallel" sort --parallel=4 -S 64M -k 2,2 lines
modes="off default fine"
same "xz -T2" xz -T2 -1 --block-size=1MiB -c lines

xz -dc ref.out >back
check "what xz packed under Strata unpacks to the same" \
	sh -c 'xz -dc out | cmp - lines'
finish
