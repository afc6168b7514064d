# points.awk - the samples and stacks that growth.sh measures: all that lie on
# an axis (axes.awk).

function wanted(samples, stacks, a) {
	for (a = 1; a <= naxes; a++)
		if (on_axis(axes[a], samples, stacks))
			return 1
	return 0
}

# In powers of ten 1 and 3.
function next_size(size) { return size ~ /^1/ ? 3 * size : size / 3 * 10 }

BEGIN {
	for (samples = 1000; samples <= most; samples = next_size(samples))
		for (stacks = 100; stacks <= samples && stacks <= most / 10;
		    stacks = next_size(stacks))
			if (wanted(samples, stacks))
				print samples, stacks
	exit
}
