#!/bin/sh
# profcost.sh - what profiling at the default rate costs.
#
#     SRCDIR=... BUILD=... [PAIRS=100] bench/profcost.sh [--quick]
#
# Single-threaded programs: instructions counted by callgrind, which repeats
# to well under 1 %. Each program runs small and large, with prof:false and
# prof:true; start-up is in both sizes and drops out:
#
#     cost = (on_large - on_small) / (off_large - off_small) - 1
#
# Threaded programs: user + system time of interleaved runs, the median of
# the paired ratios and its 95 % confidence limits. Ends with status 1 if a
# program's cost is above the limit: 2 %, and 4 % for the upper confidence
# limit. The bare loops are shown, not judged: a program that does nothing
# but allocate shows the cost of a sample, not of profiling a program.

. "${0%/*}/common.sh"
PAIRS=${PAIRS:-100}
quick=${1:-}
cd "$tmp" || exit 1
over=0

# cost NAME LIMIT COMMAND... with @ for the size: SMALL and LARGE are set
cost() {
	name=$1 limit=$2
	shift 2
	figures=
	for size in $SMALL $LARGE; do
		command=$(echo "$*" | sed "s/@/$size/g")
		for conf in prof:false prof:true; do
			# shellcheck disable=SC2086 # words
			at=$(instructions "$strata" $conf $command)
			figures="$figures ${at:-0}"
		done
	done
	# shellcheck disable=SC2086 # small-off small-on large-off large-on
	set -- $figures
	awk -v name="$name" -v limit="$limit" -v a="$1" -v b="$2" -v c="$3" \
		-v d="$4" 'BEGIN {
		if (a == 0 || b == 0 || c <= a) {
			printf "%-24s no figures: %s %s %s %s\n", name, a, b,
			    c, d
			exit 1
		}
		cost = 100 * ((d - b) / (c - a) - 1)
		verdict = "ok, limit " limit " %"
		if (cost > limit) verdict = "OVER " limit " %"
		if (limit == "") verdict = "not judged"
		printf "%-24s %6.2f %%  %10.1f M  %8.2f M  %s\n", name, cost,
		    (c - a) / 1e6, (b - a) / 1e6, verdict
		exit (limit != "" && cost > limit)
	}' || over=$((over + 1))
}

# threaded NAME LIMIT COMMAND...
threaded() {
	name=$1 limit=$2
	shift 2
	"$paired" -n "$PAIRS" -v "off=$strata=prof:false" \
		-v "on=$strata=prof:true" -- "$@" >pairs || {
		over=$((over + 1))
		return
	}
	awk -v name="$name" -v limit="$limit" '$1 == "on" {
		upper = 100 * $4 - 100
		verdict = "ok, limit " limit " %"
		if (upper >= limit) verdict = "OVER " limit " %"
		if (limit == "") verdict = "not judged"
		printf "%-24s %6.2f %%  %6.2f %% to %.2f %%   %s\n", name,
		    100 * $2 - 100, 100 * $3 - 100, upper, verdict
		exit (limit != "" && upper >= limit)
	}' pairs || over=$((over + 1))
}

awk 'BEGIN { s = 1; for (i = 0; i < 300000; i++) {
	s = (s * 16807) % 2147483647; print s, i } }' >lines
cat >work.sql <<'END'
CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, n INT);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < @)
INSERT INTO t SELECT i, printf('row-%d', i * 7919 % 30011), i % 97 FROM c;
CREATE INDEX x ON t(name);
SELECT n, count(*), max(name) FROM t GROUP BY n ORDER BY 2 DESC LIMIT 5;
END
for n in 200 20000; do sed "s/@/$n/" work.sql >work-$n.sql; done
cat >work.pl <<'END'
my %h; my $n = shift;
for my $i (1 .. $n) { push @{ $h{$i * 7919 % 4099} }, "value $i" x ($i % 9) }
print join ',', map { scalar @{ $h{$_} } } (sort keys %h)[0 .. 9];
END

echo "callgrind instructions, profiling on against off, beyond start-up"
printf '%-24s %8s  %12s  %10s\n' program cost work 'start-up'
SMALL=200 LARGE=20000
cost sqlite3 2 sqlite3 -batch -init work-@.sql :memory: .quit
cost perl 2 perl work.pl @
if [ "$quick" != --quick ]; then
	SMALL=0 LARGE=1
	cost python3 2 python3 "$SRCDIR/tests/e2e/python_work.py" @
	SMALL=1000 LARGE=300000
	cost mixed "" "$workload" mixed @
	SMALL=1000 LARGE=1000000
	cost pair-64 "" "$workload" pairs 64 @
	cost pair-1024 "" "$workload" pairs 1024 @
	echo
	echo "threaded: user + system time, $PAIRS interleaved pairs"
	printf '%-24s %8s  %s\n' program median '95 % limits'
	git init -q repo
	cp "$SRCDIR"/*/*.[ch] repo/
	git -C repo add .
	git -C repo -c user.name=a -c user.email=a@b commit -q -m all
	threaded "sort --parallel=4" 4 sort --parallel=4 -S 256M -k 2,2 \
		lines
	threaded "xz -T2" 4 xz -T2 -1 --block-size=1MiB -kc lines
	threaded "git repack" 4 git -C repo -c pack.threads=2 repack -q -a -d \
		-f --window=250 --depth=250
	threaded "sharing, 2 threads" "" "$workload" sharing 2 8000000
fi
[ $over -eq 0 ]
