/*
 * reload-config.h - reload-server's configuration: its content and the
 * program's own count of live bytes.
 */
#ifndef RELOAD_CONFIG_H
#define RELOAD_CONFIG_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { GEO_TABLES = 6 };		/* a configuration's large blocks */

struct rules {
	atomic_uint holders;		/* the configuration and sessions */
	uint32_t bytes;			/* of the whole block */
	unsigned char program[];
};

struct route {
	uint32_t key_bytes;
	char *key;
	struct rules *rules;
};

struct config {
	unsigned number;		/* 1 = at start, then one a reload */
	size_t nroutes, capacity;
	struct route **routes;
	size_t table_bytes[GEO_TABLES];
	unsigned char *tables[GEO_TABLES];
};

/* What the program holds, by its own count; in bytes. */
extern atomic_size_t live_bytes;

_Noreturn void die(const char *what);

/* Adds a new block to live_bytes, or takes one out; returns the block. */
void *counted(void *block, size_t bytes);
void *uncounted(void *block, size_t bytes);

uint64_t random_next(uint64_t *state);

/*
 * A configuration of base_bytes to 1.28 times that; its content depends on
 * its number alone.
 */
struct config *config_build(unsigned number, size_t base_bytes);

/* Rules that a session holds stay behind: these are the strays. */
void config_free(struct config *config);

struct rules *rules_hold(struct rules *rules);
void rules_put(struct rules *rules);

#endif
