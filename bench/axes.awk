# axes.awk - for growth.sh: which points lie on which axis. most is set.

function on_axis(axis, samples, stacks) {
	return axis == "samples" ? stacks == 1000 : \
	    axis == "stacks" ? samples == most / 10 : samples == 10 * stacks
}

function size_on(axis, samples, stacks) {
	return axis == "stacks" ? stacks : samples
}

BEGIN { naxes = split("samples stacks both", axes, " ") }
