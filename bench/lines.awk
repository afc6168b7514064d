# lines.awk - with svg.awk: rows of panel,series,x,y as line charts, up to three
# panels beside each other, in the order they come. -v linear=1: from 0 on;
# else both axes are logarithmic, and a dashed line through the first point of
# each series shows growth in proportion.

BEGIN {
	FS = ","
	ncolours = split("#1f77b4 #d62728 #2ca02c #9467bd #8c564b #e377c2 " \
	    "#ff7f0e #bcbd22 #17becf #888888 #000000", colour, " ")
	WIDE = 300; HIGH = 200			# of what is drawn
	LEFT = 60; RIGHT = 130; TOP = 40; BELOW = 40
}

NF == 4 && (linear || $3 > 0 && $4 > 0) {
	if (!($1 in panel)) {
		panel[$1] = ++npanels
		title[npanels] = $1
		x_min[npanels] = x_max[npanels] = $3
		y_min[npanels] = y_max[npanels] = $4
	}
	p = panel[$1]
	if (!((p, $2) in index_of)) {
		index_of[p, $2] = ++nseries[p]
		name[p, nseries[p]] = $2
	}
	s = index_of[p, $2]
	k = ++n[p, s]
	xs[p, s, k] = $3
	ys[p, s, k] = $4
	x_min[p] = $3 < x_min[p] ? $3 : x_min[p]
	x_max[p] = $3 > x_max[p] ? $3 : x_max[p]
	y_min[p] = $4 < y_min[p] ? $4 : y_min[p]
	y_max[p] = $4 > y_max[p] ? $4 : y_max[p]
}

function log10(x) { return log(x) / log(10) }
# Of a power of ten the exponent, whatever log lost of it.
function floor(x, i) { i = int(x + 1e-9); return i > x + 1e-9 ? i - 1 : i }

# Where a value lies between low and high, 0 to 1.
function share(x, low, high) {
	if (linear)
		return high > 0 ? x / high : 0
	return (log10(x) - log10(low)) / (log10(high) - log10(low))
}

function x_of(p, x) { return left + WIDE * share(x, x_min[p], x_max[p]) }
function y_of(p, y) { return top + HIGH * (1 - share(y, y_min[p], y_max[p])) }

# Powers of ten, in the middle of which nothing needs a label.
function widen(p) {
	y_min[p] = 10 ^ floor(log10(y_min[p]))
	y_max[p] = 10 ^ -floor(-log10(y_max[p]))
	x_min[p] = 10 ^ floor(log10(x_min[p]))
	x_max[p] = 10 ^ -floor(-log10(x_max[p]))
	if (y_max[p] == y_min[p])
		y_max[p] *= 10
	if (x_max[p] == x_min[p])
		x_max[p] *= 10
}

function tick_x(p, x) {
	path(sprintf("M%.1f %.1fv%d", x_of(p, x), top, HIGH), "#dddddd")
	text(x_of(p, x), top + HIGH + 14, "middle", sprintf("%.10g", x))
}

function tick_y(p, y) {
	path(sprintf("M%.1f %.1fh%d", left, y_of(p, y), WIDE), "#dddddd")
	text(left - 6, y_of(p, y) + 4, "end", sprintf("%.4g", y))
}

function axes_draw(p, i) {
	text(left, top - 10, "start", title[p])
	if (linear) {
		for (i = 0; i <= 4; i++)
			tick_y(p, y_max[p] * i / 4)
		tick_x(p, 0)
		tick_x(p, x_max[p])
		return
	}
	for (i = y_min[p]; i <= y_max[p] * 1.01; i *= 10)
		tick_y(p, i)
	for (i = x_min[p]; i <= x_max[p] * 1.01; i *= 10)
		tick_x(p, i)
}

# Proportional growth from the first point, to the edge.
function guide(p, s, fill, x, y, factor) {
	x = xs[p, s, 1]
	y = ys[p, s, 1]
	factor = x_max[p] / x
	factor = y_max[p] / y < factor ? y_max[p] / y : factor
	path(sprintf("M%.1f %.1fL%.1f %.1f", x_of(p, x), y_of(p, y),
	    x_of(p, x * factor), y_of(p, y * factor)), fill, "2 4")
}

function series(p, s, k, fill) {
	fill = colour[(s - 1) % ncolours + 1]
	printf "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"%s\" " \
	    "points=\"", fill
	for (k = 1; k <= n[p, s]; k++)
		printf "%.1f,%.1f ", x_of(p, xs[p, s, k]),
		    y_of(p, ys[p, s, k])
	print "\"/>"
	text(left + WIDE + 10, top + 15 * s, "start", name[p, s], fill)
	if (!linear)
		guide(p, s, fill)
}

END {
	columns = npanels < 3 ? npanels : 3
	cell_wide = LEFT + WIDE + RIGHT
	cell_high = TOP + HIGH + BELOW
	svg_start(cell_wide * columns, cell_high * int((npanels + 2) / 3), 11)
	for (p = 1; p <= npanels; p++) {
		left = (p - 1) % 3 * cell_wide + LEFT
		top = int((p - 1) / 3) * cell_high + TOP
		if (!linear)
			widen(p)
		axes_draw(p)
		for (s = 1; s <= nseries[p]; s++)
			series(p, s)
	}
	print "</svg>"
}
