#!/bin/sh
# command.sh - the strata command as a whole: every subcommand's formats,
# wrong use, bad input, pipes that close, disks that are full.

. "${0%/*}/lib.sh"

"$PROG/make_profile" server.pb || exit 1
gzip -c server.pb >server.pb.gz
: >empty

# status EXPECTED NAME COMMAND...: one test of an exit status; output in out,
# err
status() {
	status_expected=$1 status_name=$2
	shift 2
	"$@" >out 2>err
	status_got=$?
	if [ $status_got -eq "$status_expected" ]; then
		ok "$status_name"
	else
		fail "$status_name" "status $status_got of: $*" "$(cat err)"
	fi
}

# said NAME PATTERN: what the last command wrote to err matches
said() {
	if grep -q -e "$2" err; then
		ok "$1"
	else
		fail "$1" "no '$2' in:" "$(cat err)"
	fi
}

# --- help and wrong use ------------------------------------------------------
commands='run ctl top graph flame lifetimes diff merge convert'
status 0 "--version" "$STRATA" --version
check "--version names the version" grep -q '^strata [0-9.]*$' out
status 0 "--help" "$STRATA" --help
for c in $commands; do
	check "--help lists $c" grep -q "^  $c " out
done
for c in $commands; do
	status 0 "$c --help" "$STRATA" "$c" --help
	check "$c --help is its usage" grep -q "^Usage: strata $c " out
	"$STRATA" help "$c" >out2
	check "help $c is the same" cmp out out2
	status 2 "$c --no-such-option" "$STRATA" "$c" --no-such-option x
	said "$c points to its help" "Try 'strata $c --help'"
	status 2 "$c without operands" "$STRATA" "$c"
done
status 2 "no command" "$STRATA"
status 2 "an unknown command" "$STRATA" lifetime server.pb
said "suggests the one that was meant" "did you mean 'lifetimes'?"
status 2 "a misspelt option" "$STRATA" top --sampletype=x server.pb
said "suggests the one that was meant" "did you mean '--sample-type'?"
status 2 "an unknown format" "$STRATA" graph --format jpeg server.pb
said "lists the formats" "svg png dot pdf"
status 2 "an unknown sample type" "$STRATA" top -s nothing server.pb
said "lists the sample types" "inuse_space"
status 2 "a malformed expression" "$STRATA" top --focus '(' server.pb
status 2 "a malformed range" "$STRATA" top --size 'big' server.pb

# --- formats ----------------------------------------------------------------
for file in server.pb server.pb.gz; do
	status 0 "top $file" "$STRATA" top $file
	check "top $file names the sites" grep -q node_new out
	check "top $file prints nothing on stderr" test ! -s err
done
status 0 "top --format json" "$STRATA" top --format json server.pb
check "top's json is json" jq -e . out
status 0 "top --format csv" "$STRATA" top --format csv server.pb
status 0 "lifetimes" "$STRATA" lifetimes server.pb
check "lifetimes shows both" grep -q 'by lifetime.*by age' out
status 0 "lifetimes --format json" "$STRATA" lifetimes -f json server.pb
check "lifetimes' json is json" jq -e '.groups[0].freed.objects > 0' out
status 0 "lifetimes -o svg" "$STRATA" lifetimes server.pb -o life.svg
check "lifetimes' svg is well-formed" xmllint --noout life.svg
status 0 "graph -o svg" "$STRATA" graph server.pb -o graph.svg
check "graph's svg is well-formed" xmllint --noout graph.svg
check "graph's svg has text" grep -q '>node_new<' graph.svg
status 0 "graph -o png" "$STRATA" graph server.pb -o graph.png
check "graph's png is one" sh -c 'head -c 4 graph.png | grep -q PNG'
status 0 "graph --base" "$STRATA" graph --base server.pb -f dot server.pb
check "of a profile and itself has no node" sh -c '! grep -q N1 out'
status 3 "graph --base of a damaged file" \
	"$STRATA" graph --base empty server.pb
status 0 "graph to a pipe" sh -c '"$0" graph -f dot server.pb | dot -Tplain' \
	"$STRATA"
check "graph's dot is read by dot" grep -q '^node N1 ' out
status 0 "flame -o svg" "$STRATA" flame server.pb -o flame.svg
check "flame's svg is well-formed" xmllint --noout flame.svg
status 0 "flame --format folded" "$STRATA" flame -f folded server.pb
check "a folded line" grep -q '^main;serve;session_new [0-9]*$' out
status 0 "flame --format speedscope" "$STRATA" flame -f speedscope server.pb
check "speedscope's json is json" jq -e '.profiles[0].weights' out
status 0 "diff of a profile and itself" "$STRATA" diff server.pb server.pb
status 0 "merge" "$STRATA" merge server.pb server.pb.gz -o twice.pb
one=$("$STRATA" top -f json server.pb | jq .total)
two=$("$STRATA" top -f json twice.pb | jq .total)
check "merged twice is twice as much" holds "$two == 2 * $one && $one > 0"
for format in pb heap folded json csv; do
	status 0 "convert to $format" "$STRATA" convert server.pb -f $format
	check "convert to $format writes" test -s out
done
"$STRATA" convert server.pb -o again.pb
"$STRATA" top -f csv server.pb >top1
"$STRATA" top -f csv again.pb >top2
check "converted to pb it shows the same sites" cmp top1 top2
status 0 "standard input" sh -c '"$0" top - <server.pb' "$STRATA"
check "standard input is read" grep -q node_new out

# --- filters ----------------------------------------------------------------
"$STRATA" top --focus cache server.pb >out
check "--focus keeps what matches" grep -q entry_new out
check "--focus drops the rest" sh -c '! grep -q node_new out'
"$STRATA" top --ignore cache server.pb >out
check "--ignore drops what matches" sh -c '! grep -q entry_new out'
"$STRATA" top --arena 2 --format csv server.pb >out
check "--arena keeps its sites" grep -q node_new out
check "--arena drops the others" sh -c '! grep -q session_new out'
"$STRATA" top --size 2k- --format json server.pb >out
check "--size keeps its sizes" jq -e '.total == 364314' out
check "the header tells of the whole profile" \
	jq -e '.header.live_exact == 1850000' out

# --- bad input ----------------------------------------------------------------
size=$(wc -c <server.pb)
head -c $((size / 2)) server.pb >cut.pb
head -c 100 server.pb.gz >cut.gz
: >empty
head -c 4096 /dev/urandom >random
cp /bin/ls foreign
printf 'heap_v2/524288\n  t*: 1: x' >cut.heap
for bad in cut.pb cut.gz empty random foreign cut.heap nowhere.pb /tmp; do
	for c in top graph flame lifetimes merge convert; do
		status 3 "$c $bad" "$STRATA" $c "$bad"
		check "$c $bad: one line with the file's name" \
			sh -c 'grep -q -e "$0: offset [0-9]" \
			-e "$0: cannot be opened" err &&
			[ $(wc -l <err) -le 2 ]' "$bad"
	done
	status 3 "diff $bad" "$STRATA" diff server.pb "$bad"
done

# --- output -------------------------------------------------------------------
for c in top graph flame lifetimes merge convert; do
	status 3 "$c to a full disk" "$STRATA" $c server.pb -o /dev/full
	said "$c says that the disk is full" "/dev/full: No space left"
	status 3 "$c to a folder that is not there" \
		"$STRATA" $c server.pb -o nowhere/x
	said "$c names it" "nowhere/x: No such file"
done
"$STRATA" top server.pb >/dev/full 2>err
check_eq "a full standard output is reported" 3 $?
"$STRATA" tune --rules >/dev/full 2>err
check_eq "also of tune's rules" 3 $?
"$STRATA" help top >/dev/full 2>err
check_eq "also of help" 3 $?
(
	trap '' PIPE
	"$STRATA" convert -f json server.pb 2>err
	echo $? >code
) | head -c 10 >/dev/null
check_eq "a reader that went away is no error" "0" "$(cat code)"
check "and makes no noise" test ! -s err
"$STRATA" convert -f json server.pb 2>err | head -c 10 >/dev/null
check "nor with SIGPIPE at its default" test ! -s err

# --- colour -------------------------------------------------------------------
esc=$(printf '\033')
"$STRATA" top server.pb >out
check "no colour in a file" sh -c '! grep -q "$0" out' "$esc"
"$STRATA" top --color server.pb >out
check "colour where it is asked for" grep -q "$esc" out
script -qec "TERM=xterm $STRATA top server.pb" /dev/null >out 2>&1
check "colour on a terminal" grep -q "$esc\[1m" out
script -qec "TERM=xterm NO_COLOR=1 $STRATA top server.pb" /dev/null >out 2>&1
check "none with NO_COLOR" sh -c '! grep -q "$0\[1m" out' "$esc"
script -qec "TERM=dumb $STRATA top server.pb" /dev/null >out 2>&1
check "none on a dumb terminal" sh -c '! grep -q "$0\[1m" out' "$esc"

# --- run ----------------------------------------------------------------------
status 7 "run gives the program's status" "$STRATA" run sh -c 'exit 7'
status 127 "run of no program" "$STRATA" run no-such-program-here
status 126 "run of what is no program" "$STRATA" run ./server.pb
"$STRATA" run sh -c 'kill -TERM $$' 2>/dev/null
check_eq "a signal ends the program as without it" 143 $?
awk 'BEGIN { for (i = 0; i < 3000; i++) print i * 7919 % 3001 }' >numbers
status 0 "run writes a profile at exit" \
	"$STRATA" run -l 10 --final -p "$tmp/sort" --no-children sort numbers
sort numbers >sorted
check "the program's output is its own" cmp out sorted
profile=$(ls "$tmp"/sort.*.f*.pb)
status 0 "which top reads" "$STRATA" top "$profile"
check "with the header's facts" grep -q '^program .*sort numbers' out
status 0 "which graph draws" "$STRATA" graph "$profile" -o sort.svg
check "well-formed" xmllint --noout sort.svg
status 0 "which lifetimes shows" "$STRATA" lifetimes "$profile"
# bash: dash ends by _exit, which runs no exit handlers
status 0 "children run under it, too" "$STRATA" run --final -p "$tmp/with" \
	bash -c 'env | sort; :'
check "their environment has it" grep -q '^LD_PRELOAD=.*libstrata' out
check "each writes its profile" holds "$(files "$tmp"/with.*.pb) >= 3"
status 0 "children run without it on request" \
	"$STRATA" run --final -p "$tmp/without" --no-children \
	bash -c 'env | sort; :'
check "their environment has no trace of it" \
	sh -c '! grep -q -e libstrata -e STRATA_NO_CHILDREN out'
check_eq "only the program itself writes a profile" 1 \
	"$(files "$tmp"/without.*.pb)"

finish
