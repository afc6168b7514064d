/*
 * list.h - circular doubly linked lists with the node embedded.
 *
 *   head <-> node <-> node <-> head      empty: head.next == &head
 *
 * A node that was list_init'ed or removed points to itself.
 */
#ifndef STRATA_LIST_H
#define STRATA_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "util.h"

struct list {
	struct list *next, *prev;
};

#define LIST_INITIALIZER(name)	{ &(name), &(name) }

/* The element after head or node; NULL-free: test list_empty first. */
#define list_entry(node, type, member)	container_of(node, type, member)
#define list_first(head, type, member)	\
	list_entry((head)->next, type, member)

/* node must not be removed in the body; the _safe form allows it. */
#define list_for_each(node, head) \
	for ((node) = (head)->next; (node) != (head); (node) = (node)->next)
#define list_for_each_safe(node, after, head)				\
	for ((node) = (head)->next, (after) = (node)->next;		\
	    (node) != (head); (node) = (after), (after) = (node)->next)

static inline void
list_init(struct list *node)
{
	node->next = node->prev = node;
}

static inline bool
list_empty(const struct list *head)
{
	return head->next == head;
}

static inline void
list_insert_after(struct list *at, struct list *node)
{
	node->next = at->next;
	node->prev = at;
	at->next->prev = node;
	at->next = node;
}

static inline void
list_push_front(struct list *head, struct list *node)
{
	list_insert_after(head, node);
}

static inline void
list_push_back(struct list *head, struct list *node)
{
	list_insert_after(head->prev, node);
}

static inline void
list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->next = node->prev = node;
}

#endif
