/*
 * reload-pool.c - a scope of strata_pool_*, if there are any; see
 * reload-pool.h.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <strata/strata.h>

#include "reload-pool.h"

/* NULL under another malloc. */
#pragma weak mallctl
#pragma weak strata_pool_create
#pragma weak strata_pool_enter
#pragma weak strata_pool_leave
#pragma weak strata_pool_rotate

static unsigned pool;
static bool created;

bool
reload_pool_create(unsigned narenas)
{
	int error;

	if (strata_pool_create == NULL) {
		printf("no pool: this malloc has none\n");
		return false;
	}
	error = strata_pool_create(narenas, &pool);
	if (error != 0)
		printf("no pool: %s\n", strerror(error));
	created = error == 0;
	return created;
}

bool
reload_pool_rotate(void)
{
	return created && strata_pool_rotate(pool, NULL) == 0;
}

void
reload_pool_enter(void)
{
	if (created)
		strata_pool_enter(pool);
}

void
reload_pool_leave(void)
{
	if (created)
		strata_pool_leave(pool);
}

/* Of the statistics; they are numbers of 4 or 8 bytes. */
static uint64_t
figure(const char *name)
{
	union { uint32_t u32; uint64_t u64; } value = { 0 };
	size_t size = sizeof value.u64;
	char path[64];

	snprintf(path, sizeof path, "pool.%u.stats.%s", pool, name);
	if (mallctl(path, &value, &size, NULL, 0) == 0)
		return value.u64;
	size = sizeof value.u32;
	return mallctl(path, &value, &size, NULL, 0) == 0 ? value.u32 : 0;
}

void
reload_pool_print(void)
{
	uint64_t epoch = 1;

	if (!created)
		return;
	mallctl("epoch", NULL, NULL, &epoch, sizeof epoch);
	printf("pool: %ju rotations, %ju of %ju arenas, %ju bytes in %ju of "
	    "pages, %ju in retired arenas\n",
	    (uintmax_t)figure("rotations"), (uintmax_t)figure("narenas"),
	    (uintmax_t)figure("narenas_max"), (uintmax_t)figure("allocated"),
	    (uintmax_t)figure("active"), (uintmax_t)figure("survivors"));
}
