/*
 * heap.c - pairing heaps; see heap.h.
 */
#include "heap.h"

#include "util.h"

/* Joins two roots; both are without siblings. */
static struct heap_node *
link_two(struct heap_node *a, struct heap_node *b, heap_less *less)
{
	if (less(b, a)) {
		struct heap_node *swap = a;

		a = b;
		b = swap;
	}
	b->prev = a;
	b->next = a->child;
	if (b->next != NULL)
		b->next->prev = b;
	a->child = b;
	return a;
}

/*
 * The two passes of a pairing heap over a sibling list: joins neighbours from
 * left to right, then the results from right to left.
 */
static struct heap_node *
join_siblings(struct heap_node *first, heap_less *less)
{
	struct heap_node *pairs = NULL, *root = NULL;

	while (first != NULL) {
		struct heap_node *a = first, *b = a->next;

		first = b != NULL ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b != NULL) {
			b->next = b->prev = NULL;
			a = link_two(a, b, less);
		}
		a->next = pairs;	/* pushed: reverses the order */
		pairs = a;
	}
	while (pairs != NULL) {
		struct heap_node *a = pairs;

		pairs = a->next;
		a->next = NULL;
		root = root == NULL ? a : link_two(root, a, less);
	}
	return root;
}

void
heap_insert(struct heap *heap, struct heap_node *node, heap_less *less)
{
	*node = (struct heap_node){ NULL, NULL, NULL };
	heap->root = heap->root == NULL ? node :
	    link_two(heap->root, node, less);
}

static void
unlink_node(struct heap_node *node)
{
	if (node->prev->child == node)
		node->prev->child = node->next;
	else
		node->prev->next = node->next;
	if (node->next != NULL)
		node->next->prev = node->prev;
}

void
heap_remove(struct heap *heap, struct heap_node *node, heap_less *less)
{
	struct heap_node *rest;

	if (node == heap->root) {
		heap->root = join_siblings(node->child, less);
		return;
	}
	unlink_node(node);
	rest = join_siblings(node->child, less);
	if (rest != NULL)
		heap->root = link_two(heap->root, rest, less);
}

struct heap_node *
heap_pop(struct heap *heap, heap_less *less)
{
	struct heap_node *first = heap->root;

	if (first != NULL)
		heap_remove(heap, first, less);
	return first;
}

/* Pre-order, by the links alone: a heap may be as deep as it is large. */
struct heap_node *
heap_next(const struct heap *heap, const struct heap_node *node)
{
	if (node->child != NULL)
		return node->child;
	while (node != heap->root && node->next == NULL) {
		while (node->prev->child != node)
			node = node->prev;
		node = node->prev;
	}
	return node == heap->root ? NULL : node->next;
}

size_t
heap_check(const struct heap *heap, heap_less *less)
{
	const struct heap_node *node = heap->root;
	size_t count = 0;

	must(node == NULL || (node->prev == NULL && node->next == NULL));
	for (; node != NULL; node = heap_next(heap, node)) {
		count++;
		must(node->next == NULL || node->next->prev == node);
		if (node->child != NULL) {
			must(node->child->prev == node);
			must(!less(node->child, node));
		}
	}
	return count;
}
