/*
 * containers_test.c - bitmaps, lists, pairing heaps, hash tables; each
 * against a plain array.
 */
#include "core.h"

#include "bitmap.h"
#include "hash.h"
#include "heap.h"
#include "list.h"

enum { N = 2000 };

static void
test_bitmap_finds_what_was_set(void **state)
{
	uint64_t words[16] = { 0 };
	bool model[1000] = { false };

	for (unsigned step = 0; step < 20000; step++) {
		size_t bit = core_below(1000), next = bit;

		model[bit] = core_below(2) == 0;
		if (model[bit])
			bitmap_set(words, bit);
		else
			bitmap_clear(words, bit);
		assert_int_equal(bitmap_get(words, bit), model[bit]);
		bit = next = core_below(1000);
		while (next < 1000 && !model[next])
			next++;
		assert_int_equal(bitmap_next(words, 1000, bit), next);
	}
}

static void
test_bitmap_fill_is_exact(void **state)
{
	for (size_t n = 1; n <= 600; n++) {
		uint64_t words[10];

		memset(words, 0x55, sizeof words);
		bitmap_fill(words, n);
		assert_int_equal(bitmap_count(words, n), n);
		assert_int_equal(bitmap_next(words, n, n - 1), n - 1);
	}
}

static void
test_list_keeps_its_order(void **state)
{
	struct list head = LIST_INITIALIZER(head), nodes[5], *node, *after;
	unsigned i = 1;

	for (unsigned k = 1; k < 5; k++)
		list_push_back(&head, &nodes[k]);
	list_push_front(&head, &nodes[0]);
	list_remove(&nodes[0]);
	list_for_each(node, &head)
		assert_ptr_equal(node, &nodes[i++]);
	assert_int_equal(i, 5);
	list_for_each_safe(node, after, &head)
		list_remove(node);
	assert_true(list_empty(&head));
}

struct element {
	struct heap_node node;
	struct hash_node hash;
	uint64_t key;
	bool in;
};

static struct element elements[N];

static bool
element_less(const struct heap_node *a, const struct heap_node *b)
{
	return container_of(a, struct element, node)->key <
	    container_of(b, struct element, node)->key;
}

static struct element *
least(void)
{
	struct element *best = NULL;

	for (unsigned i = 0; i < N; i++)
		if (elements[i].in &&
		    (best == NULL || elements[i].key < best->key))
			best = &elements[i];
	return best;
}

static void
test_heap_gives_the_least(void **state)
{
	struct heap heap = { NULL };
	size_t count = 0;

	memset(elements, 0, sizeof elements);
	for (unsigned step = 0; step < 8000; step++) {
		struct element *e = &elements[core_below(N)];

		if (e->in) {
			heap_remove(&heap, &e->node, element_less);
			count--;
		} else {
			/* distinct keys: the low bits are the index */
			e->key = core_below(100) << 32 |
			    (uint64_t)(e - elements);
			heap_insert(&heap, &e->node, element_less);
			count++;
		}
		e->in = !e->in;
		e = least();
		assert_ptr_equal(heap_first(&heap), e != NULL ? &e->node :
		    NULL);
		if (step % 100 == 0)
			assert_int_equal(heap_check(&heap, element_less),
			    count);
	}
	for (; count > 0; count--) {
		struct element *e = least();

		assert_ptr_equal(heap_pop(&heap, element_less), &e->node);
		e->in = false;
	}
	assert_null(heap_pop(&heap, element_less));
}

/* Descending insertion makes the heap as deep as it is large. */
static void
test_heap_walk_of_a_chain(void **state)
{
	struct heap heap = { NULL };
	size_t n = 0;

	for (unsigned i = 0; i < N; i++) {
		elements[i].key = N - i;
		heap_insert(&heap, &elements[i].node, element_less);
	}
	for (struct heap_node *at = heap_first(&heap); at != NULL;
	    at = heap_next(&heap, at))
		n++;
	assert_int_equal(n, N);
}

static bool
key_equal(const struct hash_node *node, const void *key)
{
	return container_of(node, struct element, hash)->key ==
	    *(const uint64_t *)key;
}

static size_t buckets_max, buckets_now;

static void *
buckets_alloc(size_t size)
{
	if (size > buckets_max)
		return NULL;
	buckets_now += size;
	return calloc(1, size);
}

static void
buckets_free(void *buckets, size_t size)
{
	buckets_now -= size;
	free(buckets);
}

static const struct hash_memory memory = { buckets_alloc, buckets_free };

static void
hash_churn(struct hash *table)
{
	size_t seen = 0;

	hash_init(table, &memory);
	memset(elements, 0, sizeof elements);
	for (unsigned i = 0; i < N; i++)
		elements[i].key = i * 4096;
	for (unsigned step = 0; step < 20000; step++) {
		struct element *e = &elements[core_below(N)];
		struct hash_node *found = hash_find(table,
		    hash_u64(e->key), key_equal, &e->key);

		assert_ptr_equal(found, e->in ? &e->hash : NULL);
		if (e->in)
			hash_remove(table, &e->hash);
		else
			assert_int_equal(hash_insert(table, &e->hash,
			    hash_u64(e->key)), 0);
		e->in = !e->in;
	}
	for (struct hash_node *n = hash_first(table); n != NULL;
	    n = hash_next(table, n), seen++)
		assert_true(container_of(n, struct element, hash)->in);
	assert_int_equal(seen, table->count);
	assert_int_equal(buckets_now,
	    table->nbuckets * sizeof *table->buckets);
	buckets_free(table->buckets, buckets_now);
}

static void
test_hash_holds_what_is_in(void **state)
{
	struct hash table;

	buckets_max = SIZE_MAX;
	hash_churn(&table);
	assert_true(table.nbuckets >= table.count);
}

static void
test_hash_goes_on_without_memory(void **state)
{
	struct element one, other;
	struct hash table;

	buckets_max = 512;
	hash_churn(&table);
	assert_int_equal(table.nbuckets, 64);
	assert_true(table.count > 2 * 64);
	buckets_max = 0;
	hash_init(&table, &memory);
	assert_int_equal(hash_insert(&table, &one.hash, 1), ENOMEM);
	/* there is some again */
	buckets_max = SIZE_MAX;
	assert_int_equal(hash_insert(&table, &other.hash, 1), 0);
	buckets_free(table.buckets, buckets_now);
}

/* A table that has been short of memory catches up. */
static void
test_hash_grows_late(void **state)
{
	struct hash table;

	buckets_max = 512;
	hash_init(&table, &memory);
	for (unsigned i = 0; i < N; i++) {
		if (i == N / 2)
			buckets_max = SIZE_MAX;
		hash_insert(&table, &elements[i].hash, hash_u64(i));
	}
	assert_true(table.nbuckets * 4 >= table.count);
	buckets_free(table.buckets, buckets_now);
}

static void
test_hash_spreads_page_addresses(void **state)
{
	unsigned buckets[256] = { 0 }, most = 0;

	for (uint64_t i = 0; i < 25600; i++)
		buckets[hash_u64(0x7f0000000000 + i * 4096) & 255]++;
	for (unsigned i = 0; i < 256; i++)
		most = buckets[i] > most ? buckets[i] : most;
	assert_in_range(most, 100, 160);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bitmap_finds_what_was_set),
		cmocka_unit_test(test_bitmap_fill_is_exact),
		cmocka_unit_test(test_list_keeps_its_order),
		cmocka_unit_test(test_heap_gives_the_least),
		cmocka_unit_test(test_heap_walk_of_a_chain),
		cmocka_unit_test(test_hash_holds_what_is_in),
		cmocka_unit_test(test_hash_goes_on_without_memory),
		cmocka_unit_test(test_hash_grows_late),
		cmocka_unit_test(test_hash_spreads_page_addresses),
	};

	core_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
