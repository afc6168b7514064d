# text.awk - table.csv and instructions.csv of run.sh as text to read.

BEGIN { FS = "," }

function remember(list, name) {
	if (!((list, name) in seen)) {
		seen[list, name] = 1
		order[list, ++count[list]] = name
	}
}

FNR == 1 { file++ }
file == 1 && FNR == 1 { next }
file == 1 {
	remember("workload", $2)
	remember("group", $1)
	if ($3 != "strata")
		remember("peer", $3)
	group[$2] = $1
	rounds = $4 > rounds ? $4 : rounds
	for (i = 5; i <= NF; i++)
		value[$2, $3, i] = $i
	next
}
{
	remember($1, $2)
	remember("counted", $3)
	instructions[$2, $3, $1] = $4
}

# Of the ratios in this column, of one group or ("") of all: exp(mean log).
function geometric(peer, column, which, n, sum, i, w) {
	for (i = 1; i <= count["workload"]; i++) {
		w = order["workload", i]
		if (which != "" && group[w] != which)
			continue
		sum += log(value[w, peer, column])
		n++
	}
	return n == 0 ? 1 : exp(sum / n)
}

# Each group as much as any other, however many workloads it has.
function geometric_groups(peer, column, sum, i) {
	for (i = 1; i <= count["group"]; i++)
		sum += log(geometric(peer, column, order["group", i]))
	return exp(sum / count["group"])
}

# What a few very large or very small ratios do not move.
function middle(peer, column, x, n, i, j, t) {
	for (n = 1; n <= count["workload"]; n++) {
		t = value[order["workload", n], peer, column]
		for (j = n - 1; j > 0 && x[j] > t; j--)
			x[j + 1] = x[j]
		x[j + 1] = t
	}
	n--
	return (x[int((n + 1) / 2)] + x[int(n / 2) + 1]) / 2
}

function head(title, i) {
	printf "\n%s\n%-18s %10s", title, "workload", "strata"
	for (i = 1; i <= count["peer"]; i++)
		printf "  %-17s", order["peer", i]
	print ""
}

function means(name, column, which, i, peer, mean) {
	printf "%-29s", name
	for (i = 1; i <= count["peer"]; i++) {
		peer = order["peer", i]
		mean = which == "groups" ? geometric_groups(peer, column) : \
		    which == "middle" ? middle(peer, column) : \
		    geometric(peer, column, which)
		printf "  %5.2f            ", mean
	}
	print ""
}

function measure(title, column, figure, unit, i, j, w, p) {
	head(title)
	for (i = 1; i <= count["workload"]; i++) {
		w = order["workload", i]
		printf "%-18s %6.*f %-3s", w, (unit == "s" ? 3 : 1),
		    value[w, "strata", figure], unit
		for (j = 1; j <= count["peer"]; j++) {
			p = order["peer", j]
			printf "  %5.2f %5.2f-%-5.2f", value[w, p, column],
			    value[w, p, column + 1], value[w, p, column + 2]
		}
		print ""
	}
	for (i = 1; i <= count["group"]; i++)
		means("mean " order["group", i], column, order["group", i])
	means("mean of all", column, "")
	means("mean of the groups' means", column, "groups")
	means("median of all", column, "middle")
}

function faults(i, j, w) {
	head("page faults, each allocator's own")
	for (i = 1; i <= count["workload"]; i++) {
		w = order["workload", i]
		printf "%-18s %10d", w, value[w, "strata", 8]
		for (j = 1; j <= count["peer"]; j++)
			printf "  %10d       ", value[w, order["peer", j], 8]
		print ""
	}
}

function counts(kind, title, unit, digits, i, j, name, n, own) {
	printf "\n%s\n%-18s %8s", title, kind, "strata"
	for (j = 1; j <= count["peer"]; j++)
		printf "  %-17s", order["peer", j]
	print ""
	for (i = 1; i <= count[kind]; i++) {
		name = order[kind, i]
		own = instructions[name, "strata", kind]
		printf "%-18s %8.*f", name, digits, own / unit
		for (j = 1; j <= count["peer"]; j++) {
			n = instructions[name, order["peer", j], kind]
			if (n > 0)
				printf "  %9.*f x %5.3f", digits, n / unit,
				    own / n
			else
				printf "  %17s", "-"
		}
		print ""
	}
}

END {
	printf "Strata%s and its peers, %d interleaved rounds\n",
	    (conf == "" ? "" : " (" conf ")"), rounds
	print "ratio of Strata to each peer within a round: median and " \
	    (rounds < 6 ? "extremes" : "its 95 % limits")
	print "below 1: Strata takes less; means are geometric"
	measure("CPU time, user + system", 12, 6, "s")
	measure("wall time", 9, 5, "s")
	measure("peak RSS", 15, 7, "MiB")
	faults()
	if (count["whole"] > 0)
		counts("whole", "instructions (callgrind) where CPU time is " \
		    "above 1.05 of jemalloc's, millions", 1e6, 1)
	if (count["path"] > 0)
		counts("path", "instructions (callgrind) for a malloc and " \
		    "its free; Strata's share of each peer's", 1, 1)
	if (count["program"] > 0)
		counts("program", "instructions (callgrind) of whole programs, " \
		    "millions", 1e6, 1)
}
