# common.sh - how the scripts of this folder begin: . "${0%/*}/common.sh"
#
# SRCDIR and BUILD are taken from the environment. $tmp is an empty folder, in
# which they work and which goes when they end; OUT, if it is set, gets what
# they leave.

set -u
LC_ALL=C
export LC_ALL
unset LD_PRELOAD MALLOC_CONF
SRCDIR=$(cd "${SRCDIR:-${0%/*}/..}" && pwd) || exit 1
BUILD=$(cd "${BUILD:-.}" && pwd) || exit 1
PATH=/usr/sbin:/usr/bin:/sbin:/bin
PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 PERL_HASH_SEED=0
export PYTHONHASHSEED PYTHONDONTWRITEBYTECODE PERL_HASH_SEED
paired=$BUILD/obj/bench/paired
workload=$BUILD/obj/bench/workload
lib=/usr/lib/$(gcc -dumpmachine)
strata=$BUILD/lib/libstrata.so.1
jemalloc=$lib/libjemalloc.so.2
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

# out DIR: OUT, or else that
out() {
	OUT=${OUT:-$1}
	mkdir -p "$OUT" && OUT=$(cd "$OUT" && pwd) || exit 1
}

# have FILE-OR-COMMAND
have() { [ -e "$1" ] || command -v "$1" >/dev/null; }

# built FILE...: ends with 2 if one is not there
built() {
	for built_file; do
		[ -e "$built_file" ] || {
			echo "${0##*/}: not built:" \
				"make ${built_file#"$BUILD"/}" >&2
			exit 2
		}
	done
}

# n COUNT: so many operations at this SCALE, in thousandths
n() { echo $((($1 * ${SCALE:-1000} + 999) / 1000)); }

# wanted NAME: whether it is one of $names, or none is
wanted() {
	case " ${names-} " in
	"  " | *" $1 "*) ;;
	*) return 1 ;;
	esac
}

# instructions LIBRARY CONF COMMAND...: callgrind's count, of all or of what
# $counted_part, an option, picks; the sum, where that is several processes
instructions() {
	counted_lib=$1 counted_conf=$2
	shift 2
	LD_PRELOAD=$counted_lib MALLOC_CONF=$counted_conf \
		valgrind --tool=callgrind --callgrind-out-file=/dev/null \
		${counted_part-} "$@" \
		2>&1 >/dev/null </dev/null |
		awk '/Collected : [0-9]/ { sum += $4; n++ }
			END { if (n > 0) printf "%.0f\n", sum }'
}
