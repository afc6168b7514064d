#!/bin/sh
# huge_pages.sh - what the kernel is told about huge pages, seen in a
# program's own smaps; and what of it the statistics show.

. "${0%/*}/lib.sh"

[ -r /sys/kernel/mm/transparent_hugepage/enabled ] || {
	skip 'the kernel has no huge pages'
	finish
}

# flags CONF: mappings with the flag hg, and with nh
flags() {
	under "$1" awk '/^VmFlags:/ {
		if (/ hg( |$)/) hg++
		if (/ nh( |$)/) nh++
	} END { print (hg > 0) + 0, (nh > 0) + 0 }' /proc/self/smaps
}

# metadata CONF: whether the statistics count huge pages of metadata
metadata() {
	under "$1,stats_print:true" /bin/true 2>&1 |
		awk '/n_thp/ { sub(/.*n_thp /, ""); print ($1 + 0 > 0) }'
}

check_eq 'by default nothing is said' '0 0' "$(flags narenas:1)"
check_eq 'thp:always' '1 0' "$(flags thp:always)"
check_eq 'thp:never' '0 1' "$(flags thp:never)"
check_eq 'metadata_thp:always' '1 0' "$(flags metadata_thp:always)"
check_eq 'metadata_thp:auto: not for little' '0 0' "$(flags metadata_thp:auto)"
check_eq 'metadata_thp:always is counted' 1 "$(metadata metadata_thp:always)"
check_eq 'metadata_thp:auto is not, for little' 0 \
	"$(metadata metadata_thp:auto)"
finish
