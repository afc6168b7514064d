# profbars_text.awk - bars.csv of profbars.sh and of growth.sh, which has notes
# besides, to read.

FNR == 1 {
	printf "%-44s %-10s %9s %-6s %-19s %8s\n", "what", "who", "figure", "",
	    "limits", "at most"
	next
}
$1 != section {
	section = $1
	print "\n" section
}
{
	limits = $6 == $7 ? "" : $6 " to " $7
	printf "  %-42s %-10s %9s %-6s %-19s %8s %-7s %s\n", $2, $3, $5, $4,
	    limits, $8, $9, $10
	if ($9 != "")
		count[$9]++
}
END {
	printf "\nbars: %d met, %d missed, %d open\n", count["met"],
	    count["missed"], count["open"]
}
