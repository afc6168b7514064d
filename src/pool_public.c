/*
 * pool_public.c - strata_pool_* and strata_generation_advance, by which the
 * default pool rotates: what programs call; see pool.h.
 */
#include <errno.h>
#include <stddef.h>

#include <strata/strata.h>

#include "boot.h"
#include "names.h"
#include "pool.h"

EXPORT int
strata_pool_create(unsigned narenas, unsigned *pool)
{
	if (pool == NULL)
		return EINVAL;
	return boot() != 0 ? ENOMEM : pool_create(narenas, pool);
}

EXPORT int
strata_pool_rotate(unsigned pool, uint64_t *generation)
{
	return pool_rotate(pool, generation);
}

EXPORT int
strata_pool_enter(unsigned pool)
{
	return pool_enter(pool);
}

EXPORT int
strata_pool_leave(unsigned pool)
{
	return pool_leave(pool);
}

EXPORT int
strata_pool_current(unsigned *pool)
{
	return pool == NULL ? EINVAL : pool_innermost(pool);
}

EXPORT int
strata_pool_destroy(unsigned pool)
{
	return pool_destroy(pool);
}

EXPORT uint64_t
strata_generation_advance(void)
{
	return pool_advance();
}
