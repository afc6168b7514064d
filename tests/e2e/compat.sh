#!/bin/sh
# compat.sh - the programs compat_*.c, compiled once, and MALLOC_CONF strings,
# under Debian's jemalloc 5.3.0 and under Strata. What they say has to be the
# same line by line, but for what compat_differences lists, each with its
# reason; a line of that list that no difference needs is a failure as well.

. "${0%/*}/lib.sh"

jemalloc=$(ls /usr/lib/*/libjemalloc.so.2 2>/dev/null | head -n 1)
list=$SRCDIR/tests/e2e/compat_differences
[ -n "$jemalloc" ] || { skip "libjemalloc2 is not installed"; finish; }

# with LIBRARY CONF PROGRAM [ARG]...: as the program sees which it runs on
with() {
	with_lib=$1 with_conf=$2
	shift 2
	case $with_lib in
	jemalloc) COMPAT_LIBRARY=5.3.0 MALLOC_CONF=$with_conf \
		LD_PRELOAD=$jemalloc "$@" ;;
	strata) COMPAT_LIBRARY=0. MALLOC_CONF=$with_conf \
		LD_PRELOAD=$LIB "$@" ;;
	esac
}

# compare TITLE CASE: CASE.jemalloc with CASE.strata; lines of the list that
# begin with "CASE: " apply ("CA*: " to several cases, each of which has to
# need them), * in them stands for anything
compare() {
	sed 's/^<jemalloc>/<library>/' "$2.jemalloc" >expected
	sed 's/^<strata>/<library>/' "$2.strata" >found
	if awk -v suite="$2" '
	function name_of(line) { return substr(line, 1, index(line, ": ") - 1) }
	function listed(name,   i) {
		for (i = 1; i <= n; i++)
			if (name ~ pattern[i]) { used[i] = 1; return 1 }
		return 0
	}
	FILENAME == ARGV[1] {
		case = name_of($0)
		text = substr($0, length(case) + 3)
		if (case != suite && !(sub(/\*$/, "", case) &&
		    index(suite, case) == 1))
			next
		sub(/ +-- .*/, "", text)
		shown[++n] = text
		gsub(/[].[()+?{}|^$\\\/"]/, "\\\\&", text)
		gsub(/\*/, ".*", text)
		pattern[n] = "^" text "$"
		next
	}
	{
		name = name_of($0)
		if (FILENAME == ARGV[2]) {
			if (name in old) print "comes twice: " name
			old[name] = $0; order[++lines] = name
		} else {
			if (name in new) print "comes twice: " name
			new[name] = $0
			if (!(name in old)) order[++lines] = name
		}
	}
	END {
		for (i = 1; i <= lines; i++) {
			name = order[i]
			if (old[name] == new[name]) { same++; continue }
			if (listed(name)) { allowed++; continue }
			print "jemalloc  " (name in old ? old[name] : name)
			print "strata    " (name in new ? new[name] : name)
			wrong++
		}
		for (i = 1; i <= n; i++)
			if (!used[i]) { print "stale: " shown[i]; wrong++ }
		printf "%d lines the same, %d differences listed\n", \
		    same, allowed >"summary"
		exit wrong > 0 || same == 0
	}' "$list" expected found >differs; then
		ok "$1: $(cat summary)"
	else
		fail "$1: $(cat summary)" "$(cat differs)"
	fi
}

# program TITLE CASE CONF PROGRAM [ARG]...
program() {
	title=$1 case=$2 conf=$3
	shift 3
	for lib in jemalloc strata; do
		mkdir "$case.$lib.d"
		(cd "$case.$lib.d" && with $lib "$conf" "$PROG/$1") \
			>"$case.$lib" 2>"$case.$lib.err" ||
			echo "status of $lib: $? $(cat "$case.$lib.err")" \
			>>"$case.$lib"
	done
	compare "$title" "$case"
}

# --- MALLOC_CONF -------------------------------------------------------------

# said LIBRARY CONF: messages and values. jemalloc reads all texts twice and
# tells twice of what is malformed.
said() {
	with "$1" "$2" "$PROG/compat_conf" 2>&1 | uniq
}

# option_values OPTIONS VALUE...: all the options with each of the values,
# an option a line
option_values() {
	options=$1
	shift
	conf=
	for option in $options; do conf=$conf,$option:?; done
	for lib in jemalloc strata; do
		said $lib "${conf#,}" | grep '^opt\.' >defaults.$lib
	done
	for value; do
		conf=
		for option in $options; do conf=$conf,$option:$value; done
		for lib in jemalloc strata; do
			said $lib "${conf#,}" | awk -v value="$value" '
			FILENAME != "-" {	# what refused ones keep
				key = substr($1, 5, length($1) - 5)
				kept[key] = substr($0, length($1) + 2)
				next
			}
			/^opt\./ {
				key = substr($1, 5, length($1) - 5)
				is = $0
				sub(/^[^:]*: /, "", is)
				if (said[key] == "")
					print key "=" value ": " is
				else
					print key "=" value ": " said[key] \
					    (is == kept[key] ? "" : ", " is)
				next
			}
			{
				text = $0
				if (split($0, part, ": ") > 2) {
					key = part[3]
					sub(/:.*/, "", key)
					said[key] = part[2]
				} else {
					sub(/^<[a-z]*>: /, "")
					print "any=" value ": " $0
				}
			}' defaults.$lib - >>conf_values.$lib
		done
	done
}

option_values "narenas narenas_ratio mutex_max_spin max_background_threads \
dirty_decay_ms muzzy_decay_ms lg_extent_max_active_fit oversize_threshold \
tcache_max lg_tcache_max tcache_nslots_small_min tcache_nslots_small_max \
tcache_nslots_large lg_tcache_nslots_mul tcache_gc_incr_bytes \
tcache_gc_delay_bytes lg_tcache_flush_small_div lg_tcache_flush_large_div \
lg_san_uaf_align san_guard_small san_guard_large hpa_slab_max_alloc \
hpa_hugification_threshold hpa_hugification_threshold_ratio \
hpa_hugify_delay_ms hpa_min_purge_interval_ms hpa_dirty_mult \
hpa_sec_nshards hpa_sec_max_alloc hpa_sec_max_bytes \
hpa_sec_bytes_after_flush hpa_sec_batch_fill_extra lg_prof_sample \
lg_prof_interval prof_recent_alloc_max" \
	"" x -3 -2 -1 0 1 2 8 16 17 23 24 63 64 1023 1024 2048 2049 4093 4096 \
	65535 65536 2147483648 4294967295 4294967296 18446744072000 \
	18446744072001 8070450532247928832 8070450532247928833 \
	9223372036854775807 9223372036854775808 18446744073709551615 \
	18446744073709551616 0x10 0X1f 0x 010 08 1k +1 " 1" "1 " - -0 00 -0x1 \
	1.5 .5 5. . 1e3 65535.9 65536.0
option_values "junk zero_realloc dss thp metadata_thp percpu_arena \
prof_time_resolution" \
	"" x true false alloc free abort tru disabled primary secondary \
	default always never auto percpu phycpu high alwaysx Default
option_values "abort retain trust_madvise zero tcache background_thread \
experimental_infallible_new prof_active prof_thread_active_init prof_accum \
prof_leak_error prof_stats prof_sys_thread_name confirm_conf" \
	"" x 1 yes TRUE truee tru false
option_values "retain trust_madvise zero tcache background_thread \
experimental_infallible_new prof_active prof_thread_active_init prof_accum \
prof_stats prof_sys_thread_name" true
option_values "prof_prefix" "" abc /a/b a:b
option_values "stats_print_opts stats_interval_opts" "" J Jxyz gmdablxeh JJgg \
	aaQ
option_values "stats_interval" "" x -1 -2 18446744073709551615 \
	9223372036854775808 100000000000
compare "values of options" conf_values

while IFS= read -r conf; do
	for lib in jemalloc strata; do
		{
			printf '"%s" is: ' "$conf" | tr : ';'
			said $lib "$conf" | sed 's/^<[a-z]*>/<library>/' |
				tr '\n' '|'
			echo
		} | sed 's/^\("[^"]*"\) is;/\1:/' >>conf_texts.$lib
	done
done <<'CONF'
zero
zero:
:true
:
,
zero:true,
zero:true,,tcache:false
,zero:true
zero :true
 zero:true
zero::true
zero:true:false
zero=true
zero:true;junk:true
zero:true, junk:true
z-z:1
zero:true,x
zero:true,x,
zero:tr
zero:trueX
nonsense:1
ZERO:true
zero:true,zero:false
zero:x,zero:true
junk:free,junk:alloc
narenas:default
narenas:defaul
narenas:5,narenas:0
lg_chunk:5
experimental_nonsense:1
bin_shards:
bin_shards:1-2
bin_shards:1-128:2|1-2-3
bin_shards:100-50:2
bin_shards:1-128:0
bin_shards:1-128:64
bin_shards:1-128:65
bin_shards:0-99999999:4
bin_shards:+1-128:4
bin_shards:1-128:4|
bin_shards:1-128:4||1-2:3
bin_shards:1-128:-1
bin_shards:0x10-0x80:4
bin_shards:1-128:4|129-256:8|257-512:16
slab_sizes:
slab_sizes:x
slab_sizes:17-100:1|128-128:2
slab_sizes:17-100:1|x
slab_sizes:17-100:1|
slab_sizes:17-100
slab_sizes:100-17:1
slab_sizes:1-4096:0
slab_sizes:1-4096:99999
slab_sizes:1-4096:-1
slab_sizes:1:2:3
slab_sizes:1-2:3:4
slab_sizes:|1-2:3
slab_sizes:0x10-0x20:2
confirm_conf:true
confirm_conf:true,zero:true,nope:1,zero:x,dirty_decay_ms:-5
zero:true,confirm_conf:true
confirm_conf:x
confirm_conf:true,confirm_conf:false,zero:true
confirm_conf:true,narenas:3,junk:alloc,stats_print_opts:J,tcache_max:99999999
confirm_conf:true,slab_sizes:17-100:1,bin_shards:1-64:2,narenas:default
abort_conf:true,nope:1
abort_conf:true,experimental_nope:1
abort_conf:true,zero:true
abort_conf:true,zero:true,
abort_conf:true,dirty_decay_ms:-5
abort_conf:true,slab_sizes:x
nope:1,abort_conf:true
utrace:true
xmalloc:true
xmalloc:x
cache_oblivious:true
cache_oblivious:x
tcache_ncached_max:1-2:3
prof_bt_max:10
log:x
hpa:x
hpa:false
prof:x
prof_leak:x
prof_final:x
prof_gdump:x
prof_log:x
stats_print:x
stats_print:false
prof:false,prof_leak:true,lg_prof_sample:40
prof:false,prof_leak_error:true,lg_prof_sample:40
prof_leak_error:true,prof_leak:false,lg_prof_sample:40
CONF
compare "texts of MALLOC_CONF" conf_texts

# --- the programs ------------------------------------------------------------

program "mallctl names" ctl "" compat_ctl
program "mallctl names while profiling" ctl_prof prof:true compat_ctl
program "sizes, alignment, limits" alloc "" compat_alloc
program "arenas and caches" arena "" compat_arena
program "a thread's own figures" thread "" compat_thread
# prof_format is unknown to jemalloc, which writes no other.
program "profiling" prof \
	prof:true,lg_prof_sample:0,prof_prefix:p,prof_format:heap_v2 compat_prof
program "operator new" new "" compat_new
program "operator new that may not fail" new_infallible \
	experimental_infallible_new:true compat_new
program "sections of malloc_stats_print" stats "" compat_stats

# compare_known TITLE CASE: what only CASE.strata.all has is Strata's own
compare_known() {
	awk -F ': ' 'NR == FNR { wanted[$1] = 1; next } $1 in wanted' \
		"$2.jemalloc" "$2.strata.all" >"$2.strata"
	compare "$1" "$2"
}

with jemalloc "" "$PROG/compat_stats" options | sort -u >options.jemalloc
with strata "" "$PROG/compat_stats" options | sort -u >options.strata.all
compare_known "options in the text of malloc_stats_print" options

# --- the JSON: what jemalloc has is there, as the same type ------------------

# json LIBRARY CONF LETTERS: each path once, indices as #, with its type
json() {
	with "$1" "$2" "$PROG/compat_stats" "$3" | jq -r --arg letters "$3" '
		[paths(type != "object" and type != "array") as $p |
		($p | map(if type == "number" then "#" else . end) |
		join(" ")) + ": " + (getpath($p) | type)] |
		unique[] | $letters + " " + .'
}

# compare_json TITLE CASE CONF LETTERS...
compare_json() {
	title=$1 case=$2 conf=$3
	shift 3
	for letters; do
		json jemalloc "$conf" "$letters" >>"$case.jemalloc"
		json strata "$conf" "$letters" >>"$case.strata.all"
	done
	compare_known "$title" "$case"
}

compare_json "keys of the JSON" json "" J Jg Jm Jd Ja Jb Jl Jx Je Jma \
	Jgmdablxeh
compare_json "keys of the JSON while profiling" json_prof prof:true J
program "extent hooks" hooks "" compat_hooks
program "extent hooks that unmap" hooks_unmap retain:false compat_hooks
finish
