# bars.awk - table.csv and instructions.csv of run.sh against the bars that the
# project has set itself: each met, missed or, where the machine's noise is
# wider than what is judged, open (the limits of the median lie on both sides);
# of CPU time counts then decide, where there are any (again.sh).

BEGIN { FS = ","; print "\nbars" }

FNR == 1 { file++ }
file == 1 && FNR == 1 { next }
file == 1 {
	if ($3 == "strata")
		workload[++nworkloads] = $2
	peers[$3] = 1
	wall[$2, $3] = $9
	cpu[$2, $3] = $12
	cpu_low[$2, $3] = $13
	cpu_high[$2, $3] = $14
	mib[$2, $3] = $7
	rss[$2, $3] = $15
	rss_low[$2, $3] = $16
	rss_high[$2, $3] = $17
	faults[$2, $3] = $18
	next
}
$1 == "whole" { whole[$2, $3] = $4; next }
{
	instructions[$2, $3] = $4
	kind[$2] = $1
	counted[$3] = 1
}

function verdict(met, text) {
	printf "  %-7s %s\n", met, text
}

# The ratio to the faster of two peers is the larger of the ratios.
function against(x, w, peer) {
	if (peer != "better")
		return x[w, peer]
	return x[w, "mimalloc"] > x[w, "tcmalloc"] ? x[w, "mimalloc"] : \
	    x[w, "tcmalloc"]
}

function geometric(x, peer, sum, i) {
	for (i = 1; i <= nworkloads; i++)
		sum += log(against(x, workload[i], peer))
	return exp(sum / nworkloads)
}

function mean_bar(what, x, peer, named, most, mean) {
	mean = geometric(x, peer)
	verdict(mean <= most ? "met" : "missed",
	    sprintf("mean %s against %s %.3f, at most %.2f", what, named,
	    mean, most))
}

# Whether a workload's instructions and page faults were counted (again.sh).
function is_counted(w) {
	return whole[w, "strata"] > 0 && whole[w, "jemalloc"] > 0
}

function instructions_ratio(w) {
	return whole[w, "strata"] / whole[w, "jemalloc"]
}

function counts_met(w, most) {
	return is_counted(w) && instructions_ratio(w) <= most && \
	    faults[w, "jemalloc"] <= most
}

# Each workload above the bar is named. Where the bar lies within its limits
# counts decide, if it is a bar of time and they are there.
function worst_bar(what, x, low, high, most, timed, i, w, above, missed, open,
    worst) {
	worst = workload[1]
	for (i = 1; i <= nworkloads; i++) {
		w = workload[i]
		if (x[w, "jemalloc"] > x[worst, "jemalloc"])
			worst = w
		if (x[w, "jemalloc"] <= most)
			continue
		if (low[w, "jemalloc"] > most)
			missed = 1
		else if (!timed || !counts_met(w, most))
			open = 1
		above = above sprintf("\n            %s %.2f (%.2f-%.2f)", w,
		    x[w, "jemalloc"], low[w, "jemalloc"], high[w, "jemalloc"])
		if (timed && is_counted(w))
			above = above sprintf("; instructions %.3f, page " \
			    "faults %.2f", instructions_ratio(w),
			    faults[w, "jemalloc"])
	}
	verdict(missed ? "missed" : open ? "open" : "met",
	    sprintf("worst %s against jemalloc %.2f (%s), at most %.2f%s",
	    what, x[worst, "jemalloc"], worst, most,
	    above == "" ? "" : "; above:" above))
}

# What an allocator takes at its start is most of what a small program has.
function large_bar(most, sum, i, w, n) {
	for (i = 1; i <= nworkloads; i++) {
		w = workload[i]
		if (mib[w, "jemalloc"] < 10)
			continue
		sum += log(rss[w, "jemalloc"])
		n++
	}
	if (n > 0)
		verdict(exp(sum / n) <= most ? "met" : "missed",
		    sprintf("mean peak RSS of the %d that take 10 MiB or " \
		    "more %.3f, at most %.2f", n, exp(sum / n), most))
}

# Fewer than (strict) or no more than the peer takes, times share.
function count_bar(name, peer, share, strict, own, other) {
	if (!((name, "strata") in instructions) ||
	    !((name, peer) in instructions))
		return
	own = instructions[name, "strata"]
	other = instructions[name, peer]
	verdict(own < share * other || !strict && own == share * other ? \
	    "met" : "missed",
	    sprintf("instructions of %s: %.1f%s, %s's %.1f: %.3f%s", name,
	    kind[name] == "path" ? own : own / 1e6,
	    kind[name] == "path" ? "" : " million", peer,
	    kind[name] == "path" ? other : other / 1e6, own / other,
	    share < 1 ? sprintf(", at most %.2f", share) : ""))
}

END {
	if ("jemalloc" in peers && nworkloads > 0) {
		mean_bar("CPU time", cpu, "jemalloc", "jemalloc", 0.70)
		mean_bar("wall time", wall, "jemalloc", "jemalloc", 0.70)
	}
	if ("mimalloc" in peers && "tcmalloc" in peers && nworkloads > 0) {
		mean_bar("CPU time", cpu, "better",
		    "the better of mimalloc and tcmalloc", 0.90)
		mean_bar("wall time", wall, "better",
		    "the better of mimalloc and tcmalloc", 0.90)
	}
	if ("jemalloc" in peers && nworkloads > 0) {
		worst_bar("CPU time", cpu, cpu_low, cpu_high, 1.05, 1)
		mean_bar("peak RSS", rss, "jemalloc", "jemalloc", 0.95)
		large_bar(0.95)
		worst_bar("peak RSS", rss, rss_low, rss_high, 1.15, 0)
	}
	for (size = 16; size <= 1024; size *= 2) {
		count_bar("pair-" size, "jemalloc", 1, 1)
		count_bar("pair-" size, "mimalloc", 1, 1)
		count_bar("pair-" size, "tcmalloc", 1, 1)
	}
	count_bar("pair-32768", "tcmalloc", 1, 0)
	count_bar("batch-64", "tcmalloc", 1, 0)
	split("python3 gcc sqlite3 perl", program, " ")
	for (i = 1; i <= 4; i++)
		count_bar(program[i], "jemalloc", 0.95, 0)
	print "  what profiling costs, and its bars: bench/profcost.sh"
}
