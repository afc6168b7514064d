#!/bin/sh
# bad_input.sh - what a user may get wrong and a disk may damage: malformed
# options get jemalloc's words, damaged profiles and statistics an exit status
# of 3, the file's name and a reason; nothing crashes, hangs or eats the memory.

. "${0%/*}/lib.sh"
many=${MUTANTS:-160}

# --- options -----------------------------------------------------------------

jemalloc=$(ldconfig -p | sed -n 's/.*libjemalloc\.so\.2 .*=> //p' | head -n 1)

# say CONF LIBRARY: what a program says under CONF; one line of each kind, as
# jemalloc reads the string twice and then repeats itself
say() {
	MALLOC_CONF="$1" LD_PRELOAD="$2" /bin/echo ran 2>&1 |
		sed 's/^<jemalloc>/<strata>/' | sort -u
}

for conf in nonsense prof narenas:x narenas:1, narenas:1,, unknown_option:1 \
	unknown: dirty_decay_ms:-2 dirty_decay_ms:x lg_prof_sample: \
	prof:maybe prof:TRUE , 'a b:c' 'narenas :1' tcache_max:abc junk:xyz \
	percpu_arena:foo slab_sizes:1-2 abort:1 stats_interval:abc dss:foo \
	zero_realloc:x narenas:0 prof:true,nonsense a:b,c:d \
	oversize_threshold:x metadata_thp:q background_thread:1; do
	said=$(say "$conf" "$LIB")
	if [ -n "$jemalloc" ]; then
		check_eq "MALLOC_CONF=$conf: jemalloc's words" \
			"$(say "$conf" "$jemalloc")" "$said"
	else
		check "MALLOC_CONF=$conf: one line, and the program runs" \
			holds "$(echo "$said" | grep -c '^<strata>: ') == 1 &&
			$(echo "$said" | grep -c '^ran') == 1"
	fi
done
for conf in prof_signal:none-such prof_signal:9 prof_signal:999 \
	prof_format:xml prof_interval_ms:x prof_interval_ms:288230376151711744 \
	prof_unwind:none prof_max_memory:lots prof_dump_max:-1 \
	lg_prof_interval:x; do
	said=$(say "prof:true,$conf" "$LIB")
	check "prof:true,$conf: one line, and the program runs" \
		holds "$(echo "$said" | grep -c '^<strata>: ') == 1 &&
		$(echo "$said" | grep -c '^ran') == 1"
done

# --- damaged profiles --------------------------------------------------------

# A small profile of each format, with everything in it.
conf=prof:true,lg_prof_sample:0,prof_format:both,prof_final:true
under $conf,prof_prefix:p "$PROG/around_main" exit >/dev/null
mv p.*.pb good.pb
mv p.*.heap good.heap
gzip -9n <good.pb >good.gz

# damaged FILE SUBCOMMAND...: 0 or 3, and with 3 the file's name; the limits
# are far above what a whole file needs
damaged() {
	damaged_file=$1
	shift
	(
		ulimit -v 2000000
		timeout -s KILL 20 "$STRATA" "$@" "$damaged_file"
	) >out 2>err
	damaged_status=$?
	case $damaged_status in
	0) return 0 ;;
	3) grep -q "$damaged_file" err && [ "$(wc -l <err)" -le 2 ] ;;
	*) false ;;
	esac
}

# all_damaged FORMAT COUNT SUBCOMMAND...: none of COUNT damaged files crashes
all_damaged() {
	all_format=$1 all_count=$2
	shift 2
	all_bad=0 all_refused=0 all_i=0
	while [ $all_i -lt "$all_count" ]; do
		all_i=$((all_i + 1))
		if ! damaged bad.$all_format.$all_i "$@"; then
			all_bad=$((all_bad + 1))
			echo "bad.$all_format.$all_i: $damaged_status"
			tail -n 2 err
		elif [ $damaged_status = 3 ]; then
			all_refused=$((all_refused + 1))
		fi
	done >all.out
	if [ $all_bad = 0 ]; then
		ok "$all_count damaged $all_format files: $1 ($all_refused" \
			"refused)"
	else
		fail "$all_count damaged $all_format files: $1" \
			"$all_bad went wrong" "$(head -n 20 all.out)"
	fi
}

for format in pb heap gz; do
	check "the whole $format file is fine" "$STRATA" top good.$format
	"$PROG/mutate" good.$format bad.$format "$many"
	all_damaged $format "$many" top --no-symbols
	check "... and damage is noticed" holds "$all_refused >= 20"
	for command in 'graph --no-symbols --format dot' lifetimes \
		'flame --no-symbols --format folded' merge \
		'convert --format csv' "diff good.$format" top; do
		# shellcheck disable=SC2086 # a command and its options
		all_damaged $format $((many / 10)) $command
	done
done

# --- damaged statistics ------------------------------------------------------

under stats_print:true,stats_print_opts:J perl -e 1 2>good.json
check "the whole json file is fine" "$STRATA" stats good.json
"$PROG/mutate" good.json bad.json "$many"
all_damaged json "$many" stats --bins --large --mutexes
check "... and damage is noticed" holds "$all_refused >= 20"
for format in json svg openmetrics; do
	all_damaged json $((many / 10)) stats --format $format
done
finish
