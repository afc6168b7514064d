# growth_lines.awk - table.csv of growth.sh to rows of lines.awk: a panel for
# each axis and kind of quantity.

NR == 1 {
	split("dump_s dump_cpu_s dump_mib profiler_mib rss_mib wait_us " \
	    "top_cpu_s graph_cpu_s diff_cpu_s top_mib graph_mib diff_mib " \
	    "dump_instr top_instr graph_instr diff_instr", order, " ")
	split("a dump: s;a dump: s;a dump: MiB;a dump: MiB;a dump: MiB;" \
	    "wait: us;views: CPU s;views: CPU s;views: CPU s;" \
	    "views: peak MiB;views: peak MiB;views: peak MiB;instructions;" \
	    "instructions;instructions;instructions", kinds, ";")
	for (i in order)
		kind[order[i]] = kinds[i]
	next
}
$1 == "strata" && $4 in kind {
	for (a = 1; a <= naxes; a++)
		if (on_axis(axes[a], $2, $3))
			row[$4, a] = row[$4, a] sprintf("%s over %s,%s,%d,%g\n",
			    kind[$4], axes[a], $4, size_on(axes[a], $2, $3), $6)
}

END {
	for (i = 1; i in order; i++)
		for (a = 1; a <= naxes; a++)
			printf "%s", row[order[i], a]
}
