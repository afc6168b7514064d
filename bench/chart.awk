# chart.awk - with svg.awk: table.csv of run.sh as SVG: a line for each
# workload, a dot for the ratio to each peer with its 95 % limits, on a
# logarithmic axis; CPU time at the left, peak RSS at the right. Dots left of
# the line at 1 are less. What is beyond an axis is drawn at its end.

BEGIN {
	FS = ","
	split("glibc jemalloc mimalloc tcmalloc", peer, " ")
	split("#888888 #d62728 #9467bd #2ca02c", colour, " ")
	ROW = 18
	TOP = 60
}

NR > 1 && $3 == "strata" { name[++n] = $2 }
NR > 1 {
	for (m = 0; m < 2; m++) {
		mid[$2, $3, m] = $(12 + 3 * m)
		low[$2, $3, m] = $(13 + 3 * m)
		high[$2, $3, m] = $(14 + 3 * m)
	}
}

# Where the ratio lies: from 2^-span to 2^span.
function x_of(ratio, m, y) {
	y = ratio > 0 ? log(ratio) / log(2) : -span[m]
	if (y < -span[m])
		y = -span[m]
	if (y > span[m])
		y = span[m]
	return left[m] + (y + span[m]) / (2 * span[m]) * width[m]
}

function axis(m, title, e, x) {
	text(left[m] + width[m] / 2, 20, "middle", title)
	for (e = -span[m]; e <= span[m]; e++) {
		x = x_of(2 ^ e, m)
		path(sprintf("M%.1f %dV%d", x, TOP - 10, TOP + ROW * n),
		    e == 0 ? "#000000" : "#dddddd")
		text(x, TOP - 14, "middle", \
		    e < 0 ? "1/" 2 ^ -e : 2 ^ e)
	}
}

function dots(m, i, p, y) {
	for (i = 1; i <= n; i++) {
		for (p = 1; p <= 4; p++) {
			if (!((name[i], peer[p], m) in mid))
				continue
			y = TOP + ROW * (i - 1) + 3 * p
			path(sprintf("M%.1f %dH%.1f",
			    x_of(low[name[i], peer[p], m], m), y,
			    x_of(high[name[i], peer[p], m], m)), colour[p])
			circle(x_of(mid[name[i], peer[p], m], m), y, 2.5,
			    colour[p])
		}
	}
}

END {
	height = TOP + ROW * n + 40
	left[0] = 140; width[0] = 400; span[0] = 5
	left[1] = 580; width[1] = 240; span[1] = 3
	svg_start(850, height, 11)
	axis(0, "CPU time of Strata over the peer's")
	axis(1, "peak RSS of Strata over the peer's")
	for (i = 1; i <= n; i++)
		text(130, TOP + ROW * (i - 1) + 11, "end", name[i])
	dots(0)
	dots(1)
	for (p = 1; p <= 4; p++) {
		circle(60 + 100 * p, height - 18, 3, colour[p])
		text(68 + 100 * p, height - 14, "start", peer[p])
	}
	print "</svg>"
}
