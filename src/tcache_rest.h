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
 * Gives some idle blocks of a class back to their arenas, which have no hooks;
 * how many. The claim is kept till they are there: an owner that has flushed
 * its cache may count on it. By one thread at a time, which keeps the cache
 * from ending.
 */
unsigned tcache_take(struct tcache *cache, unsigned sizeclass);

/*
 * A look, by the same thread as ever: what is idle goes back to its arenas if
 * the cache has not been used for rest_ns. Whether another look may find
 * something.
 */
bool tcache_rest(struct tcache *cache, uint64_t now, uint64_t rest_ns);

#endif
