/*
 * heap.h - pairing heaps with the node embedded.
 *
 *   root: the least; children: a list linked by next, whose first has prev
 *   pointing to the parent, the others to their left sibling
 *
 * Insertion is O(1), removal O(log n) amortised. Elements that compare equal
 * come out in any order: make the order total (by address).
 */
#ifndef STRATA_HEAP_H
#define STRATA_HEAP_H

#include <stdbool.h>
#include <stddef.h>

struct heap_node {
	struct heap_node *prev, *next, *child;
};

typedef bool heap_less(const struct heap_node *a, const struct heap_node *b);

struct heap {
	struct heap_node *root;		/* NULL = empty */
};

static inline struct heap_node *
heap_first(const struct heap *heap)
{
	return heap->root;
}

void heap_insert(struct heap *heap, struct heap_node *node, heap_less *less);
void heap_remove(struct heap *heap, struct heap_node *node, heap_less *less);
/* NULL if empty. */
struct heap_node *heap_pop(struct heap *heap, heap_less *less);

/*
 * Every element once, in no order: n = heap_first(h), then heap_next until
 * NULL. The heap must not change meanwhile.
 */
struct heap_node *heap_next(const struct heap *heap,
    const struct heap_node *node);

/* Walks the heap and aborts if it is damaged; returns the element count. */
size_t heap_check(const struct heap *heap, heap_less *less);

#endif
