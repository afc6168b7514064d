/*
 * utilization_test.c - mallctl experimental.utilization.* and pactivep, in
 * jemalloc's layouts.
 */
#include "core.h"

#include "mallctl.h"
#include "names.h"

struct slab_answer {
	size_t nfree, nregs, size;
};

struct answer {
	void *cur;
	struct slab_answer slab;
	size_t bin_nfree, bin_nregs;
};

static const char query[] = "experimental.utilization.query";
static const char batch[] = "experimental.utilization.batch_query";

static struct answer
ask(const void *ptr)
{
	struct answer out;
	size_t len = sizeof out;

	memset(&out, 0xee, sizeof out);
	assert_int_equal(mallctl(query, &out, &len, &ptr, sizeof ptr), 0);
	assert_int_equal(len, sizeof out);
	return out;
}

static bool
is_zero(const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((const char *)bytes)[i] != 0)
			return false;
	return true;
}

static void
test_fill_of_a_slab(void **state)
{
	unsigned arena, class = sc_index(100);
	size_t len = sizeof arena, nregs = sc_slabs[class].nregs;
	char *blocks[10];
	struct answer out;
	int flags;

	(void)state;
	assert_int_equal(mallctl("arenas.create", &arena, &len, NULL, 0), 0);
	flags = MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE;
	for (int i = 0; i < 10; i++)
		blocks[i] = mallocx(100, flags);
	out = ask(blocks[3]);
	assert_int_equal(out.slab.nregs, nregs);
	assert_int_equal(out.slab.nfree, nregs - 10);
	assert_int_equal(out.slab.size, sc_slabs[class].slab_size);
	assert_int_equal(out.bin_nregs, nregs);
	assert_int_equal(out.bin_nfree, nregs - 10);
	assert_true((char *)out.cur <= blocks[0]);
	assert_true((char *)out.cur + out.slab.size > blocks[9]);
	dallocx(blocks[3], flags);
	out = ask(blocks[4] + 50);		/* an interior address */
	assert_int_equal(out.slab.nfree, nregs - 9);
	assert_int_equal(out.bin_nfree, nregs - 9);
}

static void
test_large_block_is_one_region(void **state)
{
	char *ptr = malloc(100000);
	struct answer out = ask(ptr);

	(void)state;
	assert_int_equal(out.slab.nfree, 0);
	assert_int_equal(out.slab.nregs, 1);
	assert_true(out.slab.size >= malloc_usable_size(ptr));
	assert_true(out.slab.size < 2 * malloc_usable_size(ptr));
	assert_null(out.cur);
	assert_int_equal(out.bin_nfree + out.bin_nregs, 0);
	free(ptr);
	out = ask(ptr);
	assert_true(is_zero(&out, sizeof out) || out.slab.nregs == 1);
}

static void
test_foreign_address_gives_zeros(void **state)
{
	static char ours;
	const void *const foreign[] = {
		NULL, (void *)1, &ours, &state, (void *)(uintptr_t)-1,
		(void *)((uintptr_t)1 << 63), (void *)mallctl,
	};
	void *block = malloc(100);
	struct answer out;

	(void)state;
	for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
		out = ask(foreign[i]);
		assert_true(is_zero(&out, sizeof out));
	}
	/* no processor has it, but its low bits are a block's */
	out = ask((void *)((uintptr_t)block | (uintptr_t)1 << 62));
	assert_true(is_zero(&out, sizeof out));
	free(block);
}

static void
test_random_addresses_do_not_crash(void **state)
{
	char *near = malloc(100);

	(void)state;
	core_seed();
	for (int i = 0; i < 1000000; i++) {
		const void *ptr = i % 2 == 0 ? (void *)core_random() :
		    near - (1 << 27) + core_below(1 << 28);

		(void)ask(ptr);
	}
	free(near);
}

static void
test_batch_is_the_same_for_many(void **state)
{
	void *in[4] = { malloc(100), malloc(50000), NULL, &in };
	struct slab_answer out[4];
	size_t len = sizeof out;

	(void)state;
	memset(out, 0xee, sizeof out);
	assert_int_equal(mallctl(batch, out, &len, in, sizeof in), 0);
	for (int i = 0; i < 4; i++) {
		struct answer one = ask(in[i]);

		assert_memory_equal(&out[i], &one.slab, sizeof out[i]);
	}
	assert_true(out[0].nregs > 1);
	free(in[0]);
	free(in[1]);
}

static void
expect_invalid(const char *name, void *out, size_t len, void *in, size_t n)
{
	size_t given = len;

	assert_int_equal(mallctl(name, out, out == NULL ? NULL : &len, in, n),
	    EINVAL);
	assert_int_equal(len, given);
}

static void
test_sizes_must_fit(void **state)
{
	void *in[4] = { NULL };
	struct answer one;
	struct slab_answer out[4];

	(void)state;
	expect_invalid(query, &one, sizeof one - 1, in, 8);
	expect_invalid(query, &one, sizeof one + 8, in, 8);
	expect_invalid(query, &one, sizeof one, in, 4);
	expect_invalid(query, &one, sizeof one, NULL, 0);
	expect_invalid(query, NULL, 0, in, 8);
	expect_invalid(batch, out, sizeof out - 24, in, sizeof in);
	expect_invalid(batch, out, sizeof out, in, sizeof in - 1);
	expect_invalid(batch, out, 0, in, 0);
	expect_invalid(batch, NULL, 0, in, sizeof in);
}

static void
test_pages_in_use_without_mallctl(void **state)
{
	size_t *pages, len = sizeof pages, before, *none;
	uint64_t epoch = 1;
	void *block;

	(void)state;
	free(malloc(1));
	assert_int_equal(mallctl("experimental.arenas.0.pactivep", &pages,
	    &len, NULL, 0), 0);
	before = *pages;
	block = mallocx(100 * os_page, MALLOCX_ARENA(0) |
	    MALLOCX_TCACHE_NONE);
	assert_true(*pages >= before + 100);
	assert_int_equal(mallctl("epoch", NULL, NULL, &epoch, 8), 0);
	assert_int_equal(mallctl("stats.arenas.0.pactive", &before, &len,
	    NULL, 0), 0);
	assert_int_equal(*pages, before);
	free(block);
	assert_int_equal(mallctl("experimental.arenas.4096.pactivep", &none,
	    &len, NULL, 0), EFAULT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fill_of_a_slab),
		cmocka_unit_test(test_large_block_is_one_region),
		cmocka_unit_test(test_foreign_address_gives_zeros),
		cmocka_unit_test(test_random_addresses_do_not_crash),
		cmocka_unit_test(test_batch_is_the_same_for_many),
		cmocka_unit_test(test_sizes_must_fit),
		cmocka_unit_test(test_pages_in_use_without_mallctl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
