# exponents.awk - raw.csv of growth.sh to bars.csv: how each quantity grows over
# each axis, and what becomes of the bars.
#
# The exponent is the slope of a least squares line through the logarithms. A
# constant would flatten it, so the smallest point is subtracted from sizes and
# quantities, and only the sizes from a fortieth of the largest on are fitted
# (the largest four): what is seen is the growth of the growing part where it
# matters. What does not double over the whole axis is not so treated (of its
# growth little but noise is left): the slope of all its points is judged. Each
# round is fitted by itself; the figure is of the medians, the limits are of
# the rounds. The note says the slope of all points as they are, and how far
# the farthest of the points that count lies from its line.

# who,samples,stacks,round,quantity,value
$1 == "strata" {
	if (!($5 in known) && $5 !~ /^wait/) {
		known[$5] = 1
		quantity[++nquantities] = $5
	}
	value[$2, $3, $4, $5] = $6
	if ($4 > rounds)
		rounds = $4
	if (!(($2, $3) in point)) {
		point[$2, $3] = ++npoints
		samples[npoints] = $2
		stacks[npoints] = $3
	}
}
$2 == 100000 && $3 == 100000 { large[$1, $5, $4] = $6 }

# The points of an axis, smallest first: xs[1..n], and which they are.
function take_axis(axis, i, j) {
	n = 0
	for (i = 1; i <= npoints; i++) {
		if (!on_axis(axis, samples[i], stacks[i]))
			continue
		for (j = n++; j > 0 && xs[j] > size_on(axis, samples[i],
		    stacks[i]); j--) {
			xs[j + 1] = xs[j]
			at[j + 1] = at[j]
		}
		xs[j + 1] = size_on(axis, samples[i], stacks[i])
		at[j + 1] = i
	}
}

# Of a round, or (0) the median of the rounds.
function figure(p, what, round, r, x) {
	if (round > 0)
		return value[samples[p], stacks[p], round, what]
	for (r = 1; r <= rounds; r++)
		x[r] = value[samples[p], stacks[p], r, what]
	sort(x, rounds)
	return median(x, rounds)
}

# The slope through points first..n, x0 and y0 subtracted; the residual, as a
# factor, is set beside.
function slope(what, round, first, x0, y0, i, x, y, m, sx, sy, sxx, sxy, b,
    off) {
	for (i = first; i <= n; i++) {
		y[i] = figure(at[i], what, round) - y0
		if (y[i] <= 0)
			continue
		y[i] = log(y[i])
		x[i] = log(xs[i] - x0)
		m++
		sx += x[i]
		sy += y[i]
		sxx += x[i] * x[i]
		sxy += x[i] * y[i]
	}
	residual = 0
	if (m < 2)
		return 0
	b = (m * sxy - sx * sy) / (m * sxx - sx * sx)
	for (i = first; i <= n; i++) {
		if (!(i in x))
			continue
		off = y[i] - (sy - b * sx) / m - b * x[i]
		off = exp(off < 0 ? -off : off) - 1
		residual = off > residual ? off : residual
	}
	return b
}

# What grows, beyond the smallest point; else of all points.
function growth(what, round, first, i) {
	if (figure(at[n], what, 0) < 2 * figure(at[1], what, 0))
		return slope(what, round, 1, 0, 0)
	for (first = 2; xs[first] < xs[n] / 40;)
		first++
	return slope(what, round, first, xs[1], figure(at[1], what, round))
}

function judge(axis, what, r, x, k, e, note) {
	for (r = 1; r <= rounds; r++)
		x[r] = growth(what, r)
	sort(x, rounds)
	k = lower_rank(rounds)
	note = sprintf("all sizes %.2f", slope(what, 0, 1, 0, 0))
	e = growth(what, 0)
	printf "%s,%s,strata,exp.,%.2f,%.2f,%.2f,%.1f,%s,%s; within %.0f %%\n",
	    axis, what, e, x[k], x[rounds + 1 - k], 1.1,
	    verdict(x[k], x[rounds + 1 - k], 1.1), note, 100 * residual
}

# At 100000 samples of distinct stacks; what has no bar is told.
function at_large(who, what, unit, most, r, x, m, k) {
	for (r = 1; r <= rounds; r++)
		if ((who, what, r) in large)
			x[++m] = large[who, what, r]
	if (m == 0)
		return
	sort(x, m)
	k = lower_rank(m)
	printf "100000 samples on 100000 stacks,%s,%s,%s,%.4g,%.4g,%.4g,%s,%s,\n",
	    what, who, unit, median(x, m), x[k], x[m + 1 - k], most,
	    verdict(x[k], x[m + 1 - k], most)
}

END {
	print "section,what,who,unit,figure,low,high,bar,verdict,note"
	for (a = 1; a <= naxes; a++) {
		take_axis(axes[a])
		for (q = 1; q <= nquantities && n > 2; q++)
			judge(axes[a], quantity[q])
	}
	split("strata jemalloc", names, " ")
	for (i = 1; i <= 2; i++) {
		at_large(names[i], "dump_s", "s", i == 1 ? 0.2 : "")
		at_large(names[i], "wait_us", "us", i == 1 ? 1000 : "")
		at_large(names[i], "wait_moment_us", "us", "")
		at_large(names[i], "wait_most_us", "us", "")
		at_large(names[i], "dump_cpu_s", "s", "")
		at_large(names[i], "dump_mib", "MiB", "")
		at_large(names[i], "rss_mib", "MiB", "")
	}
}
