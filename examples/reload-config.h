/*
 * reload-config.h - reload-server's configuration: its content and the
 * program's own count of live bytes.
 */
#ifndef RELOAD_CONFIG_H
#define RELOAD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GEO_TABLES = 6 };		/* a configuration's large blocks */

struct rules {
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
	uint64_t random;		/* its content depends on number */
	size_t bytes, wanted;		/* built so far, and in the end */
	size_t nroutes, capacity;
	struct route **routes;
	size_t table_bytes[GEO_TABLES];
	unsigned char *tables[GEO_TABLES];
};

/* What the program holds, by its own count; in bytes. */
extern size_t live_bytes;

_Noreturn void die(const char *what);

/* Adds a new block to live_bytes, or takes one out; returns the block. */
void *counted(void *block, size_t bytes);
void *uncounted(void *block, size_t bytes);

uint64_t random_next(uint64_t *state);

/*
 * A configuration of base_bytes to 1.28 times that is built in slices, so
 * that requests are served meanwhile: config_begin, then config_build until
 * it returns true.
 */
struct config *config_begin(unsigned number, size_t base_bytes);
bool config_build(struct config *config, unsigned nroutes);
void config_free(struct config *config);

struct rules *rules_copy(const struct rules *rules);
void rules_free(struct rules *rules);

#endif
