/*
 * modules_test.c - the list of modules against the loader's own, modules
 * that come and go, code that belongs to none, dl_iterate_phdr with and
 * without the guard, and a thread that holds the loader's lock.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "modules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_host.h"
#include "loader.h"
#include "maps.h"
#include "os.h"
#include "profmem.h"
#include "sections.h"
#include "util.h"

int st_dl_iterate_phdr(int (*)(struct dl_phdr_info *, size_t, void *),
    void *);
int st_dlclose(void *);

/* Any library that the test program itself does not need. */
static const char *const plugins[] = { "libz.so.1", "liblzma.so.5",
    "libexpat.so.1", "libmvec.so.1", "libanl.so.1", "libutil.so.1" };

static int
setup(void **state)
{
	os_init();
	profmem_boot(256 << 20, &fake_host);
	loader_boot(&fake_host);
	loader_start();
	loader_watch();
	assert_int_equal(modules_refresh(), 0);
	return 0;
}

static void
test_a_line_of_maps(void **state)
{
	struct maps_line line;

	assert_true(maps_parse("7f00a000-7f00b000 r-xp 0001f000 fd:1a 123456  "
	    "     /usr/lib/with space.so", &line));
	assert_int_equal(line.start, 0x7f00a000);
	assert_int_equal(line.end, 0x7f00b000);
	assert_true(line.readable && line.executable);
	assert_int_equal(line.offset, 0x1f000);
	assert_int_equal(line.dev, 0xfdull << 32 | 0x1a);
	assert_int_equal(line.inode, 123456);
	assert_string_equal(line.path, "/usr/lib/with space.so");
	assert_true(maps_parse("1000-2000 ---p 00000000 00:00 0 ", &line));
	assert_false(line.readable || line.executable);
	assert_int_equal(line.inode, 0);
	assert_string_equal(line.path, "");
	assert_false(maps_parse("", &line));
	assert_false(maps_parse("nonsense", &line));
	assert_false(maps_parse("1000-2000", &line));
	assert_false(maps_parse("1000-2000 r-x", &line));
}

struct count {
	size_t lines, bytes;
};

static void
count_line(const struct maps_line *line, void *arg)
{
	struct count *count = arg;

	assert_true(line->start < line->end);
	count->lines++;
	count->bytes += line->end - line->start;
}

static void
test_lines_are_whole_whatever_the_buffer(void **state)
{
	static char large[1 << 20];
	struct count a = { 0 }, b = { 0 };
	char small[300];

	assert_int_equal(maps_read(large, sizeof large, count_line, &a), 0);
	assert_int_equal(maps_read(small, sizeof small, count_line, &b), 0);
	assert_true(a.lines > 10);
	assert_int_equal(a.lines, b.lines);
	assert_int_equal(a.bytes, b.bytes);
}

static void
test_reading_what_is_not_there(void **state)
{
	uint64_t word = 42, copy = 0;
	void *hole = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
	    -1, 0);

	assert_true(modules_read((uintptr_t)&word, &copy, sizeof copy));
	assert_int_equal(copy, 42);
	assert_false(modules_read((uintptr_t)hole, &copy, sizeof copy));
	assert_false(modules_read(0, &copy, sizeof copy));
	assert_false(modules_read(UINTPTR_MAX - 8, &copy, sizeof copy));
	munmap(hole, 4096);
}

static int
compare_one(struct dl_phdr_info *info, size_t size, void *arg)
{
	uintptr_t code = 0;
	const struct module *module;
	struct module_segment segments[8];
	size_t *seen = arg, n;

	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD &&
		    (info->dlpi_phdr[i].p_flags & PF_X))
			code = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
	module = modules_at_pc(code);
	assert_non_null(module);
	assert_int_equal(module->base, info->dlpi_addr);
	assert_int_equal(module->phnum, info->dlpi_phnum);
	assert_memory_equal(module->phdrs, info->dlpi_phdr,
	    module->phnum * sizeof *module->phdrs);
	assert_int_equal(module->is_main, *seen == 0);
	if (!module->is_main && !module->is_vdso) {
		char *path = realpath(info->dlpi_name, NULL);

		assert_string_equal(module->path, path);
		free(path);
	}
	n = modules_segments(module, segments, ARRAY_LEN(segments));
	assert_true(n >= 1);
	assert_true(segments[0].start <= code && code < segments[0].end);
	++*seen;
	return 0;
}

static void
test_the_list_is_the_loaders(void **state)
{
	size_t seen = 0;

	dl_iterate_phdr(compare_one, &seen);
	assert_true(seen >= 3);
	assert_true(modules_at(0)->is_main);
	assert_true(modules_at_pc((uintptr_t)qsort)->build_id_len > 0);
	assert_null(modules_at_pc(0));
	assert_null(modules_at_pc((uintptr_t)&seen));
}

static int
count_calls(struct dl_phdr_info *info, size_t size, void *arg)
{
	assert_int_equal(size, sizeof *info);
	return ++*(int *)arg == 1000;
}

static int
stop_at_two(struct dl_phdr_info *info, size_t size, void *arg)
{
	return ++*(int *)arg == 2 ? 55 : 0;
}

static void
test_dl_iterate_phdr_with_and_without_the_guard(void **state)
{
	int real = 0, outside = 0, inside = 0, some = 0;

	dl_iterate_phdr(count_calls, &real);
	st_dl_iterate_phdr(count_calls, &outside);
	fake_host_guard_enter();
	st_dl_iterate_phdr(count_calls, &inside);
	assert_int_equal(st_dl_iterate_phdr(stop_at_two, &some), 55);
	fake_host_guard_leave();
	assert_int_equal(real, outside);
	assert_int_equal(real, inside);
	assert_int_equal(some, 2);
}

static volatile bool sleeping, awake;

static int
sleep_inside(struct dl_phdr_info *info, size_t size, void *arg)
{
	sleeping = true;
	while (!awake)
		sched_yield();
	return 1;
}

static void *
hold_loader_lock(void *arg)
{
	dl_iterate_phdr(sleep_inside, NULL);
	return NULL;
}

static void
test_a_sleeper_in_the_loader_delays_nobody(void **state)
{
	pthread_t thread;
	int calls = 0;

	sleeping = awake = false;
	pthread_create(&thread, NULL, hold_loader_lock, NULL);
	while (!sleeping)
		sched_yield();
	/* would hang if anything of it asked the loader */
	assert_int_equal(modules_refresh(), 0);
	assert_true(modules_known((uintptr_t)qsort));
	fake_host_guard_enter();
	st_dl_iterate_phdr(count_calls, &calls);
	fake_host_guard_leave();
	awake = true;
	pthread_join(thread, NULL);
	assert_true(calls >= 3);
}

static void *
open_plugin(const char **name, uintptr_t *base)
{
	struct link_map *map;
	void *handle;

	for (size_t i = 0; i < ARRAY_LEN(plugins); i++) {
		if (dlopen(plugins[i], RTLD_NOW | RTLD_NOLOAD) != NULL)
			continue;
		handle = dlopen(plugins[i], RTLD_NOW | RTLD_LOCAL);
		if (handle == NULL)
			continue;
		dlinfo(handle, RTLD_DI_LINKMAP, &map);
		*base = map->l_addr;
		*name = plugins[i];
		return handle;
	}
	fail_msg("no library to open");
	return NULL;
}

static const struct module *
find_based(uintptr_t base)
{
	for (size_t i = 0; i < modules_count(); i++)
		if (modules_at(i)->base == base && !modules_at(i)->gone)
			return modules_at(i);
	return NULL;
}

static void
test_a_module_that_goes_keeps_its_addresses(void **state)
{
	uint64_t reserved = modules_reserved_bytes();
	uint32_t epoch = modules_epoch();
	const struct module *module;
	struct module_segment code;
	uintptr_t base, again;
	const char *name;
	void *handle = open_plugin(&name, &base), *taken;

	modules_refresh();
	module = find_based(base);
	assert_non_null(module);
	assert_int_equal(modules_segments(module, &code, 1), 1);
	assert_true(modules_known(code.start));
	assert_int_equal(st_dlclose(handle), 0);
	assert_true(module->gone);
	assert_null(modules_at_pc(code.start));
	/* old stacks still name it */
	assert_ptr_equal(modules_find(code.start, epoch), module);
	assert_int_equal(modules_reserved_bytes(),
	    reserved + module->end - module->start);
	taken = mmap((void *)module->start, 4096, PROT_READ,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	assert_ptr_equal(taken, MAP_FAILED);
	assert_int_equal(modules_epoch(), epoch);
	handle = open_plugin(&name, &again);
	assert_int_not_equal(again, base);
	assert_int_equal(st_dlclose(handle), 0);
}

/* What libc closes by itself (gconv, NSS) does not pass our dlclose. */
static void
test_addresses_taken_meanwhile_raise_the_epoch(void **state)
{
	uint32_t epoch = modules_epoch();
	const struct module *module;
	uintptr_t base, again = 0;
	struct module_segment code;
	const char *name;
	void *handle = open_plugin(&name, &base), *squatter;

	modules_refresh();
	module = find_based(base);
	assert_non_null(module);
	modules_segments(module, &code, 1);
	assert_true(modules_verify(&code.start, 1));
	dlclose(handle);
	squatter = mmap((void *)module->start, 4096, PROT_READ,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	assert_ptr_equal(squatter, module->start);
	assert_false(modules_verify(&code.start, 1));
	assert_true(module->gone);
	assert_true(modules_epoch() > epoch);
	assert_ptr_equal(modules_find(code.start, epoch), module);
	assert_null(modules_find(code.start, modules_epoch()));
	munmap(squatter, 4096);
	handle = open_plugin(&name, &again);
	modules_refresh();
	assert_int_equal(find_based(again)->epoch, modules_epoch());
	assert_int_equal(st_dlclose(handle), 0);
}

static void *
close_here(void *handle)
{
	st_dlclose(handle);
	return NULL;
}

/* Whether its count of dlcloses is right, of the thread's own and others'. */
static int
count_in_child(unsigned own)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		fake_thread.closing = own;
		loader_fork_child(&fake_thread);
		_exit(loader_closing() != (own > 0));
	}
	waitpid(pid, &status, 0);
	return status;
}

/* It waits inside the real one, for a lock of the loader's. */
static void
test_a_child_has_no_dlclose_of_other_threads(void **state)
{
	pthread_t sleeper, closer;
	const char *name;
	uintptr_t base;
	void *handle = open_plugin(&name, &base);
	int outside, inside;

	sleeping = awake = false;
	pthread_create(&sleeper, NULL, hold_loader_lock, NULL);
	while (!sleeping)
		sched_yield();
	assert_false(loader_closing());
	pthread_create(&closer, NULL, close_here, handle);
	while (!loader_closing())
		sched_yield();
	outside = count_in_child(0);
	inside = count_in_child(1);
	awake = true;
	pthread_join(closer, NULL);
	pthread_join(sleeper, NULL);
	assert_int_equal(outside, 0);
	assert_int_equal(inside, 0);
	assert_false(loader_closing());
}

static void
test_code_of_no_module_is_known_once_seen(void **state)
{
	size_t count = modules_count();
	uintptr_t code = (uintptr_t)mmap(NULL, 8192, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_false(modules_listed(code));
	assert_true(modules_known(code));
	assert_true(modules_listed(code + 8191));
	assert_null(modules_at_pc(code));
	assert_int_equal(modules_count(), count);
	munmap((void *)code, 8192);
}

static void
test_a_file_mapped_to_be_read_is_no_module(void **state)
{
	size_t count = modules_count();
	FILE *f = fopen("/proc/self/exe", "r");
	void *data = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fileno(f), 0);

	assert_ptr_not_equal(data, MAP_FAILED);
	modules_refresh();
	assert_int_equal(modules_count(), count);
	munmap(data, 8192);
	fclose(f);
}

static void
test_sections_of_a_file(void **state)
{
	uintptr_t at, base = modules_at(0)->base;
	size_t size;

	assert_true(sections_find("/proc/self/exe", ".text", base, &at,
	    &size));
	assert_true((uintptr_t)setup - at < size);
	assert_false(sections_find("/proc/self/exe", ".nothing", base, &at,
	    &size));
	assert_false(sections_find("/proc/self/maps", ".text", base, &at,
	    &size));
	assert_false(sections_find("/nonexistent", ".text", base, &at,
	    &size));
}

/* The smallest file that is a module: a page of code, headers first. */
static int
smallest_module(void)
{
	struct {
		ElfW(Ehdr) header;
		ElfW(Phdr) load;
	} file = {
		.header = { .e_ident = ELFMAG, .e_type = ET_DYN,
		    .e_phoff = sizeof file.header, .e_phnum = 1,
		    .e_phentsize = sizeof file.load },
		.load = { .p_type = PT_LOAD, .p_flags = PF_R | PF_X,
		    .p_filesz = os_page_system, .p_memsz = os_page_system },
	};
	int fd = memfd_create("module", 0);

	assert_int_equal(ftruncate(fd, (off_t)os_page_system), 0);
	assert_int_equal(pwrite(fd, &file, sizeof file, 0), sizeof file);
	return fd;
}

/* The last test: the list stays full. */
static void
test_what_finds_no_room_takes_no_memory(void **state)
{
	size_t size = os_page_system;
	char *at = mmap(NULL, MODULES_MAX * size, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = smallest_module();
	uint64_t used;

	for (size_t i = 0; i < MODULES_MAX; i++)
		assert_ptr_not_equal(mmap(at + i * size, size, PROT_READ |
		    PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0), MAP_FAILED);
	for (int i = 0; i < 100 && modules_count() < MODULES_MAX; i++)
		modules_refresh();
	assert_int_equal(modules_count(), MODULES_MAX);
	used = profmem_used();
	assert_int_equal(modules_refresh(), 0);
	assert_int_equal(profmem_used(), used);
	munmap(at, MODULES_MAX * size);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line_of_maps),
		cmocka_unit_test(test_lines_are_whole_whatever_the_buffer),
		cmocka_unit_test(test_reading_what_is_not_there),
		cmocka_unit_test(test_the_list_is_the_loaders),
		cmocka_unit_test(
		    test_dl_iterate_phdr_with_and_without_the_guard),
		cmocka_unit_test(test_a_sleeper_in_the_loader_delays_nobody),
		cmocka_unit_test(test_a_module_that_goes_keeps_its_addresses),
		cmocka_unit_test(
		    test_addresses_taken_meanwhile_raise_the_epoch),
		cmocka_unit_test(test_a_child_has_no_dlclose_of_other_threads),
		cmocka_unit_test(test_code_of_no_module_is_known_once_seen),
		cmocka_unit_test(test_a_file_mapped_to_be_read_is_no_module),
		cmocka_unit_test(test_sections_of_a_file),
		cmocka_unit_test(test_what_finds_no_room_takes_no_memory),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
