# growth.awk - raw.csv of growth.sh to table.csv: the median of each quantity at
# each point, and its limits (see median.awk).

# who,samples,stacks,round,quantity,value
{
	key = $1 "," $2 "," $3 "," $5
	if (!(key in rounds))
		order[++nkeys] = key
	value[key, ++rounds[key]] = $6
}

END {
	print "who,samples,stacks,quantity,rounds,figure,low,high"
	for (i = 1; i <= nkeys; i++) {
		n = rounds[order[i]]
		k = lower_rank(n)
		for (r = 1; r <= n; r++)
			x[r] = value[order[i], r]
		sort(x, n)
		printf "%s,%d,%.6g,%.6g,%.6g\n", order[i], n, median(x, n),
		    x[k], x[n + 1 - k]
	}
}
