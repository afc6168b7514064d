# ratios.awk - raw.csv of run.sh (paired.c) to table.csv: for each workload and
# allocator the medians of its runs, and the median of the ratio of Strata to
# it within a round with the 95 % limits of that median (see median.awk).

BEGIN {
	FS = ","
	nmeasures = split("wall cpu rss faults", measure, " ")
	printf "group,workload,allocator,rounds,wall_s,cpu_s,rss_mib,faults"
	for (m = 1; m <= nmeasures; m++)
		printf ",%s_ratio,%s_low,%s_high", measure[m], measure[m],
		    measure[m]
	print ""
}

# label,round,allocator,wall,cpu,rss,faults
{
	if (!($1 in rounds))
		label[++nlabels] = $1
	if (!($3 in known)) {
		known[$3] = 1
		allocator[++nallocators] = $3
	}
	if ($2 > rounds[$1])
		rounds[$1] = $2
	for (m = 1; m <= nmeasures; m++)
		figure[$1, $3, m, $2] = $(3 + m)
}

function row(l, a, n, m, r, k, x, y) {
	n = rounds[l]
	k = lower_rank(n)
	split(l, part, "/")
	printf "%s,%s,%s,%d", part[1], part[2], a, n
	for (m = 1; m <= nmeasures; m++) {
		for (r = 1; r <= n; r++)
			x[r] = figure[l, a, m, r]
		sort(x, n)
		printf ",%.6g", median(x, n)
	}
	for (m = 1; m <= nmeasures; m++) {
		for (r = 1; r <= n; r++) {
			y = figure[l, a, m, r]
			x[r] = y > 0 ? figure[l, "strata", m, r] / y : 1
		}
		sort(x, n)
		printf ",%.4f,%.4f,%.4f", median(x, n), x[k], x[n + 1 - k]
	}
	print ""
}

END {
	for (i = 1; i <= nlabels; i++)
		for (j = 1; j <= nallocators; j++)
			row(label[i], allocator[j])
}
