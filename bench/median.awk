# median.awk - for the other .awk files: medians of rounds, the ranks of their
# 95 % limits, and what becomes of a bar.

# Sorts x[1..n], by insertion: n is a number of rounds.
function sort(x, n, i, j, t) {
	for (i = 2; i <= n; i++) {
		t = x[i]
		for (j = i - 1; j > 0 && x[j] > t; j--)
			x[j + 1] = x[j]
		x[j + 1] = t
	}
}

# Of x[1..n], sorted.
function median(x, n) {
	return (x[int((n + 1) / 2)] + x[int(n / 2) + 1]) / 2
}

# The rank, from 1, of the lower limit: as lower_rank of paired.c.
function lower_rank(n, p, sum, k) {
	p = sum = 0.5 ^ n
	for (k = 0; sum <= 0.025 && k < int(n / 2);) {
		k++
		p *= (n - k + 1) / k
		sum += p
	}
	return k == 0 ? 1 : k
}

# At most ("": no bar); open where the bar lies within the limits.
function verdict(low, high, most) {
	return most == "" ? "" : high <= most ? "met" : \
	    low > most ? "missed" : "open"
}
