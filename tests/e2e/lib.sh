# lib.sh - what the end-to-end suites share. A suite begins with
#
#     . "${0%/*}/lib.sh"
#
# gets SRCDIR and BUILD from the environment (see Makefile.in), works in its
# own empty folder $tmp, calls ok, fail, skip or check once for each test and
# ends with finish. What it starts in the background it names to own, so that
# nothing of it outlives the suite.

set -u
LC_ALL=C
export LC_ALL
unset MALLOC_CONF LD_PRELOAD DEBUGINFOD_URLS
suite=$(basename "$0" .sh)
SRCDIR=$(cd "${SRCDIR:-${0%/*}/../..}" && pwd) || exit 1
BUILD=$(cd "${BUILD:?the build folder}" && pwd) || exit 1
LIB=$BUILD/lib/libstrata.so.1
STRATA=$BUILD/bin/strata
PROG=$BUILD/obj/tests/e2e
passed=0 failed=0 skipped=0 owned=
tmp=$(mktemp -d "${TMPDIR:-/tmp}/$suite.XXXXXX") || exit 1
cd "$tmp" || exit 1
XDG_CACHE_HOME=$tmp/cache
export XDG_CACHE_HOME

cleanup() {
	for pid in $owned; do kill -KILL "$pid" 2>/dev/null; done
	cd / && rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

# own PID...: killed when the suite ends
own() { owned="$owned $*"; }

ok() {
	passed=$((passed + 1))
	echo "ok: $*"
}

# fail NAME [DETAIL]: detail is shown, for the reader of the log
fail() {
	failed=$((failed + 1))
	echo "FAILED: $1"
	shift
	[ $# -eq 0 ] || printf '%s\n' "$@" | sed 's/^/    /'
}

skip() {
	skipped=$((skipped + 1))
	echo "skipped: $*"
}

# check NAME COMMAND...: one test; what the command says is shown if it fails
check() {
	check_name=$1
	shift
	if "$@" >check.out 2>&1; then
		ok "$check_name"
	else
		fail "$check_name" "status $? of: $*" "$(tail -n 20 check.out)"
	fi
}

# check_eq NAME EXPECTED ACTUAL
check_eq() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		fail "$1" "expected: $2" "got:      $3"
	fi
}

# wait_for SECONDS COMMAND...: until the command is true; false if it never is
wait_for() {
	wait_end=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt $wait_end ] || return 1
		sleep 0.02
	done
}

# under CONF COMMAND...: runs it preloaded with MALLOC_CONF=CONF
under() {
	under_conf=$1
	shift
	env MALLOC_CONF="$under_conf" LD_PRELOAD="$LIB" "$@"
}

# holds EXPRESSION: whether awk finds it true, as holds "$a < 2 * $b"
holds() { awk "BEGIN { exit !($1) }"; }

# files PATTERN...: how many of the patterns' files exist
files() {
	files_n=0
	for files_f; do [ ! -e "$files_f" ] || files_n=$((files_n + 1)); done
	echo $files_n
}

finish() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ $failed -eq 0 ]
	exit
}
