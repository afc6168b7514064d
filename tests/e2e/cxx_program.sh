#!/bin/sh
# cxx_program.sh - a C++ program of containers, exceptions, threads and every
# form of operator new; the site that keeps memory is named, demangled.

. "${0%/*}/lib.sh"
. "$SRCDIR/tests/e2e/programs.sh"

modes="off default fine"
same "C++" "$PROG/cxx_program"

# named: the function that keeps strings stands in the table
named() {
	"$STRATA" top --format csv "$profiles"/p.*.pb | grep -w keep
}
check "the keeper is named" named
modes=exact
same "C++" "$PROG/cxx_program"
finish
