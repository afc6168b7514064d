#!/bin/sh
# option_forms.sh - the option forms that field notes and manuals quote, each
# seen by what it does, not by what opt.* says. Where it is installed jemalloc
# 5.3.0 does the same experiment first: it has to show the same.

. "${0%/*}/lib.sh"

jemalloc=$(ls /usr/lib/*/libjemalloc.so.2 2>/dev/null | head -n 1)
# jemalloc's sizes of caches; Strata's own are larger
small=tcache_nslots_small_min:20,tcache_nslots_small_max:200
small=$small,lg_tcache_nslots_mul:1

# experiment CONF RESULT WHAT...: what option_forms finds under both
experiment() {
	ex_conf=$1 ex_result=$2
	shift 2
	if [ -n "$jemalloc" ]; then
		check_eq "jemalloc, ${ex_conf:-no options}: $*" "$ex_result" \
			"$(COMPAT_LIBRARY=5.3.0 MALLOC_CONF=$ex_conf \
			LD_PRELOAD=$jemalloc "$PROG/option_forms" "$@" 2>&1)"
	fi
	check_eq "${ex_conf:-no options}: $*" "$ex_result" \
		"$(COMPAT_LIBRARY=0. under "$ex_conf" \
		"$PROG/option_forms" "$@" 2>&1)"
}

# Threads spread over the arenas there are; main is the 201st.
experiment narenas:1024 "fullest: 1 of 201" threads 200
experiment narenas:4 "fullest: 51 of 201" threads 200
experiment narenas:1 "fullest: 201 of 201" threads 200

experiment dirty_decay_ms:-1 "left: all" pages
experiment dirty_decay_ms:0 "left: none" pages

# (4096 / 32) << 1 is 256, cut to 200; a slab has 1 region of 4096, 8 of 512.
experiment $small "most: 200" cached 32
experiment $small,lg_tcache_nslots_mul:0 "most: 128" cached 32
experiment $small,lg_tcache_nslots_mul:-1 "most: 64" cached 32
experiment $small,tcache_nslots_small_max:50 "most: 50" cached 32
experiment $small,tcache_nslots_small_max:300 "most: 256" cached 32
experiment $small "most: 20" cached 4096
experiment $small,tcache_nslots_small_min:60 "most: 60" cached 4096
experiment $small,lg_tcache_nslots_mul:2 "most: 32" cached 512

experiment "slab_sizes:17-100:1|128-128:2" \
	"slab: 128 regions in 4096 bytes, said 4096" slab 32
experiment "slab_sizes:17-100:1|128-128:2" \
	"slab: 42 regions in 4032 bytes, said 4096" slab 96
experiment "slab_sizes:17-100:1|128-128:2" \
	"slab: 256 regions in 28672 bytes, said 28672" slab 112
experiment "slab_sizes:17-100:1|128-128:2" \
	"slab: 64 regions in 8192 bytes, said 8192" slab 128
experiment "" "slab: 32 regions in 4096 bytes, said 4096" slab 128
experiment slab_sizes:1-4096:0 \
	"slab: 51 regions in 4080 bytes, said 4096" slab 80

experiment "" "bound: its own" bind

# --- the other sources of options --------------------------------------------

# A library before ours plays the program that has options of its own.
sources() {
	COMPAT_LIBRARY=0. MALLOC_CONF=$1 \
		LD_PRELOAD=$PROG/conf_plugin.so:$LIB \
		"$PROG/option_forms" option "$2"
}
check_eq "malloc_conf counts" "mutex_max_spin: 11" "$(sources "" \
	mutex_max_spin)"
check_eq "MALLOC_CONF overrides it" "mutex_max_spin: 22" \
	"$(sources mutex_max_spin:22 mutex_max_spin)"
check_eq "malloc_conf_2_conf_harder overrides both" \
	"lg_extent_max_active_fit: 5" \
	"$(sources lg_extent_max_active_fit:4 lg_extent_max_active_fit)"

# A small root of its own, so that /etc is nobody else's.
mkdir -p root/etc root/tmp
for file in "$PROG/option_forms" "$LIB" \
	$(ldd "$PROG/option_forms" "$LIB" | grep -o '/[^ :)]*' | sort -u); do
	mkdir -p "root$(dirname "$file")"
	cp -L "$file" "root$file"
done
in_root() {
	COMPAT_LIBRARY=0. MALLOC_CONF=$1 LD_PRELOAD=$LIB \
		chroot "$tmp/root" "$PROG/option_forms" slab 128 2>&1
}
small_slab="slab: 32 regions in 4096 bytes, said 4096"
large_slab="slab: 64 regions in 8192 bytes, said 8192"
if [ "$(in_root "")" != "$small_slab" ]; then
	skip "options in /etc: no chroot here"
else
	for name in malloc.conf malloc_conf; do
		ln -s 'slab_sizes:128-128:2' root/etc/$name
		check_eq "/etc/$name counts" "$large_slab" "$(in_root "")"
		check_eq "MALLOC_CONF overrides /etc/$name" "$small_slab" \
			"$(in_root slab_sizes:128-128:1)"
		rm root/etc/$name
	done
	echo slab_sizes:128-128:2 >root/etc/malloc.conf
	check_eq "a file /etc/malloc.conf is none" "$small_slab" \
		"$(in_root "")"
fi

# --- statistics at exit --------------------------------------------------------

under stats_print:true perl -e 1 2>text
check "stats_print:true prints a report at exit" \
	grep -q '^--- End jemalloc statistics ---$' text
under stats_print:true,stats_print_opts:J perl -e 1 2>json
check "stats_print_opts:J prints JSON" jq -e .jemalloc.stats.allocated json
finish
