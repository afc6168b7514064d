/*
 * tcache_rest.h - what a thread that sleeps has in its cache goes back.
 *
 *   bottom ........ taken ........ base ........ head
 *     [ vacant      ][ idle blocks ][ for the owner's fast paths ]
 *
 * A thread that sleeps cannot give its cache back, and nobody else may touch
 * what its fast paths touch. But an idle block is taken into use by a slow
 * path, and those of an open cache claim it: under the claim, which no fast
 * path knows of, another thread takes idle blocks from the bottom up. The
 * owner's next slow path moves the others down. An owner opens its cache when
 * the program first rotates a pool; other programs' caches stay closed.
 */
#ifndef STRATA_TCACHE_REST_H
#define STRATA_TCACHE_REST_H

#include "tcache.h"

/* From now on owners open their caches at their next gc; for good. */
void tcache_rest_want(void);
extern _Atomic bool tcache_rest_wanted;

/*
 * A look, by the same thread as ever, which keeps the cache from ending: it is
 * marked if it has idle blocks and has not been used for rest_ns. Whether
 * another look may find something.
 */
bool tcache_rest(struct tcache *cache, uint64_t now, uint64_t rest_ns,
    bool *marked);

/* Marks it whether used or not; false: there is nothing to take. */
bool tcache_mark(struct tcache *cache);

/*
 * What is idle in a cache that was marked goes back to its arenas, which have
 * no hooks; how many blocks. None if the owner has claimed it since, and no
 * more once it wants to: so the cache may end meanwhile. The claim is kept till
 * the blocks are there: an owner that has flushed its cache may count on it.
 * By the thread that marks, without locks.
 */
size_t tcache_take(struct tcache *cache);

/*
 * Of the thread that forked: there is no taker. What one had in hand is lost
 * to the child.
 */
void tcache_fork_child(struct tcache *cache);

/* Whether it has not been used for rest_ns, as that thread has seen it. */
bool tcache_rests(struct tcache *cache, uint64_t now, uint64_t rest_ns);

/*
 * Gives the pages of its stacks back that a spike needed and no bin may use
 * now. Nobody is in its slow paths meanwhile.
 */
void tcache_trim(struct tcache *cache);

#endif
