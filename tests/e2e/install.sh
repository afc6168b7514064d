#!/bin/sh
# install.sh - what is installed can be used: header, pkg-config file, both
# libraries, command and manuals; uninstall leaves nothing; the sources build
# in another folder, from the distribution if there is one. Built with a prefix
# the library and its header have it.

. "${0%/*}/lib.sh"

dest=$tmp/dest
make_in() { env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -C "$@"; }

check "make install" make_in "$BUILD" install DESTDIR="$dest" \
	JEMALLOC_HEADER=yes
pc=$(find "$dest" -name strata.pc)
PKG_CONFIG_SYSROOT_DIR=$dest PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_PATH
libdir=$(dirname "$(find "$dest" -name libstrata.a)")
for installed in strata strata.1 strata.3 strata.conf.5 strata.h \
	libstrata.so libstrata.so.1 libstrata.a; do
	check "$installed is installed" \
		test -s "$(find "$dest" ! -type d -name $installed)"
done
check_eq "the build folder is not in what is installed" "" \
	"$(grep -l "$BUILD" "$pc" "$dest"/usr/local/share/man/*/* 2>/dev/null)"

cat >uses.c <<'END'
#include <strata/strata.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int
main(void)
{
	const char *version = NULL;
	size_t size = sizeof version, n;
	char *block = (char *)mallocx(1000,
	    MALLOCX_ALIGN(256) | MALLOCX_ZERO);

	if (mallctl("version", &version, &size, NULL, 0) != 0)
		return 1;
	n = sallocx(block, 0);
	block = (char *)realloc(block, 100000);
	memset(block, 1, 100000);
	dallocx(block, 0);
	printf("%s %s %d\n", strata_version(), version, n >= 1000);
	return strcmp(strata_version(), STRATA_VERSION) != 0;
}
END
flags="-Wall -Wextra -Werror -pedantic"
# shellcheck disable=SC2086,SC2046 # words
check "compile and link against the shared library" \
	cc $flags -o uses uses.c $(pkg-config --cflags --libs strata)
check "the program needs libstrata.so.1" sh -c \
	"readelf -d uses | grep -q 'NEEDED.*libstrata.so.1'"
check "it runs" env LD_LIBRARY_PATH="$libdir" ./uses
# shellcheck disable=SC2086,SC2046
check "compile and link statically" cc $flags -static -o uses-static uses.c \
	$(pkg-config --cflags --static --libs strata)
check "the static program needs nothing" sh -c \
	"! readelf -d uses-static | grep -q NEEDED"
check "it runs" ./uses-static
version=$(./uses-static)
check_eq "both have one version" "$version" \
	"$(LD_LIBRARY_PATH=$libdir ./uses)"

cp uses.c prog.c
sed -n 's/\\-/-/g; s/^\.I \(cc .*prog\.c\)/\1/p' \
	"$dest"/usr/local/share/man/man3/strata.3 >linking
check_eq "the manual has two lines to link by" 2 "$(wc -l <linking)"
check "they compile a program that includes the header" sh -e linking

{ echo '#include <jemalloc/jemalloc.h>'; sed 1d uses.c; } >je.c
# shellcheck disable=SC2086,SC2046
check "a program for jemalloc's header compiles" \
	cc $flags -o je je.c $(pkg-config --cflags --libs strata)
cp uses.c uses.cc
# shellcheck disable=SC2086,SC2046
check "the header is C++, too" \
	c++ $flags -o uses-cc uses.cc $(pkg-config --cflags --libs strata)
check "it runs" env LD_LIBRARY_PATH="$libdir" ./uses-cc

check "strata run finds the installed library" \
	"$(find "$dest" -path '*bin/strata')" run --no-prof true
check "make uninstall" make_in "$BUILD" uninstall DESTDIR="$dest" \
	JEMALLOC_HEADER=yes
check_eq "uninstall leaves nothing" "" "$(find "$dest" ! -type d)"

# A copy, as a build in the source's own folder would be found first.
mkdir source out
if git -C "$SRCDIR" rev-parse --verify -q HEAD >/dev/null 2>&1; then
	check "make dist" make_in "$BUILD" dist
	check "it unpacks" tar -xzf "$BUILD"/strata-*.tar.gz -C source \
		--strip-components=1
	rm -f "$BUILD"/strata-*.tar.gz
else
	skip "make dist: not a git checkout"
	skip "it unpacks"
	for part in configure Makefile.in include src prof pprof-tools \
		docs examples bench tests; do
		cp -r "$SRCDIR/$part" source/
	done
fi
cd out || exit 1
check "configure in another folder" ../source/configure CFLAGS=-O0
check "make there" make_in . lib/libstrata.so.1
check "what it made works" env LD_PRELOAD="$tmp/out/lib/libstrata.so.1" true
check_eq "nothing was written into the sources" "" \
	"$(find ../source \( -name '*.o' -o -name config.h \))"

# --- with the prefix st_ -----------------------------------------------------

mkdir ../prefixed && cd ../prefixed || exit 1
check "configure with the prefix st_" ../source/configure CFLAGS=-O0 \
	--prefix="$tmp/st" --with-prefix=st_ --enable-jemalloc-header \
	--disable-prof --disable-tools
check "make install of it" make_in . install
PKG_CONFIG_PATH=$tmp/st/lib/pkgconfig
unset PKG_CONFIG_SYSROOT_DIR
cat >uses.c <<'END'
#include <jemalloc/jemalloc.h>
#include <stdlib.h>
static const char mallocx[] = "the program's own";
int
main(void)
{
	const char *version = NULL;
	size_t size = sizeof version;
	char *own = (char *)malloc(100);
	char *block = (char *)st_realloc(st_malloc(10), 1000);

	if (block == NULL || st_malloc_usable_size(block) < 1000 ||
	    st_malloc_usable_size(own) != 0 || mallocx[0] != 't')
		return 1;
	st_free(block);
	st_dallocx(st_mallocx(1000, MALLOCX_ZERO), 0);
	free(own);
	return st_mallctl("version", &version, &size, NULL, 0);
}
END
# shellcheck disable=SC2086,SC2046
check "a program of st_ names compiles and links" \
	cc $flags -o uses uses.c $(pkg-config --cflags --libs strata)
check "it runs" env LD_LIBRARY_PATH="$tmp/st/lib" ./uses
cp uses.c uses.cc
# shellcheck disable=SC2086,SC2046
check "the header is C++, too" \
	c++ $flags -o uses-cc uses.cc $(pkg-config --cflags --libs strata)
# shellcheck disable=SC2086,SC2046
check "it links statically" cc $flags -static -o uses-static uses.c \
	$(pkg-config --cflags --static --libs strata)
check "it runs" ./uses-static
# Those of C++ and of libc's inner names are nobody's to call.
nm -D --defined-only "$tmp/st/lib/libstrata.so.1" |
	sed -n 's/.* \(st_[a-z].*\)/\1/p' | grep -v '^st_dl' |
	while read -r name; do
		grep -q "[ *]$name[(;)]" "$tmp/st/include/strata/strata.h" ||
			echo "$name"
	done >undeclared
check_eq "the header declares all of them" "" "$(cat undeclared)"
STRATA_LIBRARY=$tmp/st/lib/libstrata.so.1 "$STRATA" run true 2>err
check_eq "strata run does not preload it" 3 $?
check "and says why" grep -q 'with-prefix=st_' err
finish
