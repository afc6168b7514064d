#!/bin/sh
# gcc.sh - the compiler driver, cc1, as and ld on Strata's own largest source:
# the object must be the same byte for byte.

. "${0%/*}/lib.sh"
. "$SRCDIR/tests/e2e/programs.sh"

source=$(ls -S "$SRCDIR"/src/*.c | head -n 1)
modes="off default fine"
flags="-std=gnu11 -O2 -g -w -I$BUILD -I$SRCDIR/include -I$SRCDIR/src
	-I$SRCDIR/prof"

# shellcheck disable=SC2086 # words
gcc $flags -c -o ref.o "$source" || fail "$source compiles without Strata"

# compile OUT: as one command, so that what it writes can be compared
cat >compile.sh <<END
gcc $(echo $flags) -c -o obj.o "$source" && cksum <obj.o &&
gcc $(echo $flags) -E "$source" | cksum
END

same "gcc -c" sh compile.sh
check "the object is the same as without Strata" cmp ref.o obj.o

cat >hello.cc <<'END'
#include <iostream>
#include <map>
#include <string>
int main() { std::map<std::string, int> m{{"a", 1}}; std::cout << m["a"]; }
END
modes=default
same "g++ and ld" sh -c 'g++ -O1 -o hello hello.cc && ./hello'
finish
