#!/bin/sh
# layers.sh - a file includes only its own layer and lower ones.
#
#   0 util os fmt names    1 lock base    2 containers    3a the allocator
#   3b prof/: 0 to 2 and its own    4 what joins both: of prof/ only prof.h
#   pprof-tools/: its own; of the rest only prof/ctlpage.h, in ctl.c

. "${0%/*}/lib.sh"

# layer FILE: its number; 3a and 3b may not see each other
layer() {
	case $1 in
	config.h) echo 0 ;;
	strata/strata.h) echo 0 ;;
	*/*) layer "${1##*/}" ;;
	util.* | os.* | fmt.* | names.h) echo 0 ;;
	lock.* | base.* | generation.*) echo 1 ;;
	list.h | bitmap.h | heap.* | hash.* | elfslot.*) echo 2 ;;
	options.* | sizeclass.* | extent.* | extent_store.* | pagemap.* | slab.* | bin.* | \
	    ecache.* | decay.* | pages.* | pages_*.* | dss.* | arena.* | arena_*.* | tcache.* | \
	    tcache_*.* | tcaches.* | batch.*)
		echo 3a ;;
	alloc.* | atfork.* | background.* | boot.* | conf.* | conf_table.* | \
	    mallctl.* | ctl_*.* | cxx.* | deepbind.* | deepbind_none.* | env.* | \
	    event.* | fast.* | foreign.* | fork.* | malloc.* | mallocx.* | \
	    message.* | misuse.* | narenas.* | pool.* | pool_*.* | \
	    stats.* | stats_*.* | thread.*)
		echo 4 ;;
	*) echo unknown ;;
	esac
}

# allowed FROM TO
allowed() {
	case $1-$2 in
	0-0 | 1-[01] | 2-[012] | 3a-[012] | 3a-3a) return 0 ;;
	3b-[012] | 3b-3b) return 0 ;;
	4-[012] | 4-3a | 4-4 | 4-prof.h) return 0 ;;
	esac
	return 1
}

# includes FILE: the headers in quotation marks, and the public one
includes() {
	sed -n 's/^#[[:space:]]*include[[:space:]]*"\(.*\)".*/\1/p
	    s/^#[[:space:]]*include[[:space:]]*<\(strata\/.*\)>.*/\1/p' "$1"
}

# check_file FILE LAYER: prints what it must not include
check_file() {
	for header in $(includes "$1"); do
		to=$(layer "$header")
		if [ -e "$SRCDIR/prof/$header" ]; then
			to=3b
			[ "$2" != 4 ] || [ "$header" != prof.h ] || to=prof.h
		fi
		allowed "$2" "$to" ||
			echo "$1 (layer $2) includes $header (layer $to)"
	done
}

for file in "$SRCDIR"/src/*.[ch]; do
	from=$(layer "$file")
	[ "$from" != unknown ] || echo "$file has no layer"
	check_file "$file" "$from"
done >src.out
check_eq "src/ obeys the layers" "" "$(cat src.out)"

for file in "$SRCDIR"/prof/*.[ch]; do check_file "$file" 3b; done >prof.out
check_eq "prof/ obeys the layers" "" "$(cat prof.out)"

for file in "$SRCDIR"/pprof-tools/*.[ch]; do
	for header in $(includes "$file"); do
		[ -e "$SRCDIR/pprof-tools/$header" ] && continue
		case ${file##*/}-$header in
		*-config.h | *-strata/strata.h) ;;
		ctl.c-*ctlpage.h | target.[ch]-*ctlpage.h) ;;
		*) echo "$file includes $header" ;;
		esac
	done
done >tools.out
check_eq "pprof-tools/ includes nothing of the library" "" "$(cat tools.out)"

# The test itself must be able to fail.
mkdir -p fake
printf '#include "arena.h"\n' >fake/list.h
printf '#include "stack.h"\n' >fake/arena.c
printf '#include "stack.h"\n#include "prof.h"\n' >fake/conf.c
check_eq "an upward include is noticed" 3 "$({
	check_file fake/list.h 2
	check_file fake/arena.c 3a
	check_file fake/conf.c 4; } | wc -l)"

# File names are unique in the tree, so that a name says which file it is.
check_eq "file names are unique" "" "$(cd "$SRCDIR" &&
	ls src prof pprof-tools | grep '\.[ch]$' | sort | uniq -d)"
finish
