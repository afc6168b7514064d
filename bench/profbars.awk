# profbars.awk - raw.csv of profbars.sh (paired.c) to rows of its bars.csv. Each
# figure is taken within a round: the median, and its 95 % limits.
#
#   every/    slowdown = CPU time on / off; ours / heaptrack's is judged.
#             RSS: what recording adds to the peak, ours / jemalloc's, is.
#   memory/   on - off: in % from 100 MiB on, in KiB below.

BEGIN { FS = "," }

# label,round,way,wall,cpu,rss,faults
{
	if (!($1 in rounds))
		label[++nlabels] = $1
	if ($2 > rounds[$1])
		rounds[$1] = $2
	cpu[$1, $3, $2] = $5
	rss[$1, $3, $2] = $6
}

# The row of x[1..rounds] of label l.
function row(l, what, who, unit, x, most, n, k, low, high, part) {
	n = rounds[l]
	k = lower_rank(n)
	sort(x, n)
	low = x[k]
	high = x[n + 1 - k]
	split(l, part, "/")
	printf "%s,%s %s,%s,%s,%.5g,%.5g,%.5g,%s,%s\n", part[1], part[2], what,
	    who, unit, median(x, n), low, high, most, verdict(low, high, most)
}

function ratio(a, b) { return b > 0 ? a / b : 0 }

function slow(l, on, off, r) { return ratio(cpu[l, on, r], cpu[l, off, r]) }

function added(l, who, on, r) {
	return rss[l, who "-" on, r] - rss[l, who "-off", r]
}

function slowdown(l, who, on, off, r, x) {
	if (!((l, on, 1) in cpu))
		return
	for (r = 1; r <= rounds[l]; r++)
		x[r] = slow(l, on, off, r)
	row(l, "slowdown", who, "times", x)
}

function every(l, r, x) {
	slowdown(l, "strata", "strata-on", "strata-off")
	slowdown(l, "jemalloc", "jemalloc-on", "jemalloc-off")
	slowdown(l, "heaptrack", "heaptrack", "glibc")
	if ((l, "heaptrack", 1) in cpu) {
		for (r = 1; r <= rounds[l]; r++)
			x[r] = ratio(slow(l, "strata-on", "strata-off", r),
			    slow(l, "heaptrack", "glibc", r))
		row(l, "slowdown to heaptrack's", "strata", "ratio", x, 0.333)
		for (r = 1; r <= rounds[l]; r++)
			x[r] = ratio(cpu[l, "strata-on", r],
			    cpu[l, "heaptrack", r])
		row(l, "CPU time to heaptrack's", "strata", "ratio", x)
	}
	for (r = 1; r <= rounds[l]; r++)
		x[r] = added(l, "strata", "on", r)
	row(l, "added RSS", "strata", "MiB", x)
	if (!((l, "jemalloc-on", 1) in rss))
		return
	for (r = 1; r <= rounds[l]; r++)
		x[r] = added(l, "jemalloc", "on", r)
	row(l, "added RSS", "jemalloc", "MiB", x)
	for (r = 1; r <= rounds[l]; r++)
		x[r] = ratio(added(l, "strata", "on", r),
		    added(l, "jemalloc", "on", r))
	row(l, "added RSS to jemalloc's", "strata", "ratio", x, 0.5)
}

function memory(l, who, most, r, x, large) {
	if (!((l, who "-512", 1) in rss))
		return
	large = rss[l, "strata-off", 1] >= 100
	for (r = 1; r <= rounds[l]; r++)
		x[r] = large ? 100 * ratio(added(l, who, "512", r),
		    rss[l, who "-off", r]) : 1024 * added(l, who, "512", r)
	if (most)
		row(l, "added RSS", who, large ? "%" : "KiB", x,
		    large ? 1 : 512)
	else
		row(l, "added RSS", who, large ? "%" : "KiB", x)
}

END {
	for (i = 1; i <= nlabels; i++) {
		if (label[i] ~ /^every/)
			every(label[i])
		if (label[i] ~ /^memory/) {
			memory(label[i], "strata", 1)
			memory(label[i], "jemalloc", 0)
		}
	}
}
