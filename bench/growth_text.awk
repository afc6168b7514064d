# growth_text.awk - table.csv of growth.sh to read: each axis, first what
# dumps, then what the views take.

NR == 1 { next }
$1 == "strata" {
	if (!($4 in known)) {
		known[$4] = 1
		quantity[++nquantities] = $4
	}
	if (!(($2, $3) in seen)) {
		seen[$2, $3] = 1
		samples[++npoints] = $2
		stacks[npoints] = $3
	}
	figure[$2, $3, $4] = $6
	rounds = $5
}

function is_view(what) { return what ~ /^(top|graph|diff)_/ }

function title(what) {
	sub(/_cpu_s$/, "_cpu s", what)
	sub(/_(s|us|mib)$/, " &", what)
	sub(/ _/, " ", what)
	sub(/mib$/, "MiB", what)
	gsub(/_/, " ", what)
	return what
}

function part(axis, views, q, i) {
	printf "\n%8s %8s", "samples", "stacks"
	for (q = 1; q <= nquantities; q++)
		if (is_view(quantity[q]) == views)
			printf " %15s", title(quantity[q])
	print ""
	for (i = 1; i <= npoints; i++) {
		if (!on_axis(axis, samples[i], stacks[i]))
			continue
		printf "%8d %8d", samples[i], stacks[i]
		for (q = 1; q <= nquantities; q++)
			if (is_view(quantity[q]) == views)
				printf " %15.4g", figure[samples[i], stacks[i],
				    quantity[q]]
		print ""
	}
}

END {
	printf "growth with live samples and stacks: medians of %d rounds\n",
	    rounds
	for (a = 1; a <= naxes; a++) {
		print "\n" axes[a]
		part(axes[a], 0)
		part(axes[a], 1)
	}
	print "\nexponents: beyond the smallest point, of sizes from a fortieth " \
	    "of the largest on\n"
}
