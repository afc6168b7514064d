/*
 * conf_plugin.c - a program's own options, as a library that is preloaded
 * before the allocator: the first and the last word.
 */
const char *malloc_conf = "lg_extent_max_active_fit:3,mutex_max_spin:11,"
    "tcache_gc_incr_bytes:2048";
const char *malloc_conf_2_conf_harder = "lg_extent_max_active_fit:5";
