#!/bin/sh
# aarch64_long.sh - built for aarch64 by a cross compiler and run by qemu-user:
# the allocator's unit suites, the model and the refusals of memory with pages
# of 4, 16 and 64 KiB, and programs with the library preloaded.
#
# Debian's libraries for aarch64 are unpacked into the build folder; nothing is
# installed. Left out is what qemu-user cannot do: threads by raw clone,
# /proc/self/smaps, execve of itself, frames of its signal trampolines, threads
# of a fork's child: so none follows a rotation.

. "${0%/*}/lib.sh"
build=$BUILD/obj/aarch64 root=$BUILD/obj/aarch64/root
triple=aarch64-linux-gnu
packages='libunwind8 libunwind-dev libcmocka0 libcmocka-dev liblzma5
	liblzma-dev'

for tool in $triple-gcc qemu-aarch64 apt-get; do
	command -v $tool >/dev/null && continue
	skip "no $tool: ./configure --deps-long installs it"
	finish
done

# fetch: the packages, by an apt that knows of nothing but aarch64
fetch() {
	mkdir -p lists/partial archives/partial state "$root" || return
	: >state/status
	set -- -o APT::Architecture=arm64 -o APT::Architectures=arm64 \
		-o Dir::State::lists="$tmp/lists" \
		-o Dir::State::status="$tmp/state/status" \
		-o Dir::Cache="$tmp" -o Debug::NoLocking=1
	apt-get "$@" update && apt-get "$@" download $packages || return
	for deb in ./*.deb; do dpkg -x "$deb" "$root" || return; done
	: >"$root/complete"
}
if [ ! -e "$root/complete" ] && ! fetch >fetch.out 2>&1; then
	skip "aarch64's libraries cannot be had: $(tail -n 1 fetch.out)"
	finish
fi

suites='src/arena_test src/conf_test src/containers_test src/ctl_test
	src/decay_test src/ecache_test src/fmt_test src/malloc_test
	src/oblivious_test src/os_test src/oversize_test src/percpu_test
	src/public_test src/shards_test src/sizeclass_test src/stats_test
	src/tcache_test prof/cut_test prof/dump_test prof/leak_test
	prof/prof_test'
build() {
	cd "$build" && "$SRCDIR/configure" --disable-tools CC=$triple-gcc \
		CPPFLAGS="-idirafter $root/usr/include \
			-idirafter $root/usr/include/$triple" \
		LDFLAGS="-B$root/usr/lib/$triple -L$root/usr/lib/$triple \
			-Wl,-rpath-link,$root/usr/lib/$triple" &&
		make -s -j2 lib/libstrata.so.1 lib/libstrata.a \
			$(for s in $suites; do echo "obj/tests/$s"; done) \
			obj/tests/src/heap_model_test obj/tests/src/fault_test \
			obj/tests/e2e/edge_cases obj/tests/e2e/around_main
}
if ! (build) >build.out 2>&1; then
	fail 'it builds' "$(tail -n 20 build.out)"
	finish
fi
ok 'it builds'

# on CONF COMMAND...: under qemu with MALLOC_CONF=CONF
on() {
	on_conf=$1
	shift
	MALLOC_CONF=$on_conf timeout 900 qemu-aarch64 -L /usr/$triple \
		-E LD_LIBRARY_PATH="$root/usr/lib/$triple:$root/lib/$triple" "$@"
}

for suite in $suites; do
	check "$suite" on prof:false "$build/obj/tests/$suite"
done
fast=safety_checks:false,pool_rest_ms:-1
for conf in $fast $fast,debug_page_size:16384 $fast,debug_page_size:65536 \
	$fast,debug_page_size:65536,tcache:false,retain:false \
	$fast,muzzy_decay_ms:10,dirty_decay_ms:1,bin_shards:1-14336:4; do
	check "model: $conf" on "$conf" \
		"$build/obj/tests/src/heap_model_test" 3 200000 0
	check "model, memory refused: $conf" on "$conf" \
		"$build/obj/tests/src/heap_model_test" 2 50000 2
	check "memory refused at each call: $conf" on "$conf" \
		"$build/obj/tests/src/fault_test" all
	conf=${conf#"$fast"}
	check "edges of the public functions: $conf" on "prof:false$conf" \
		-E LD_PRELOAD="$build/lib/libstrata.so.1" \
		"$build/obj/tests/e2e/edge_cases"
	check "before and after main: $conf" on "prof:false$conf" \
		-E LD_PRELOAD="$build/lib/libstrata.so.1" \
		"$build/obj/tests/e2e/around_main" exit
done
finish
