# svg.awk - the pieces that the charts of this folder are made of.

function svg_start(width, height, size) {
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" " \
	    "height=\"%d\" font-family=\"sans-serif\" font-size=\"%d\">\n" \
	    "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n", width,
	    height, size, width, height
}

function text(x, y, anchor, words, fill) {
	printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s>%s</text>\n",
	    x, y, anchor, fill == "" ? "" : " fill=\"" fill "\"", words
}

function path(shape, stroke, dashes) {
	printf "<path d=\"%s\" fill=\"none\" stroke=\"%s\"%s/>\n", shape,
	    stroke, dashes == "" ? "" : " stroke-dasharray=\"" dashes "\""
}

function circle(x, y, r, fill) {
	printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%g\" fill=\"%s\"/>\n", x,
	    y, r, fill
}
