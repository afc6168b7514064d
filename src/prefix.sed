# prefix.sed - makes of strata.h the header that a build --with-prefix=st_
# installs: jemalloc's names get the prefix, and what of libc's family the
# library has is declared, since no header of libc's does. Names by which
# nothing can be linked stay out of it: a program may have its own mallocx.

s/\<(mallocx|rallocx|xallocx|sallocx|dallocx|sdallocx|nallocx)\>/st_\1/g
s/\<(mallctl|mallctlnametomib|mallctlbymib)\>/st_\1/g
s/\<(malloc_stats_print|malloc_usable_size|malloc_message)\>/st_\1/g
s/\<(malloc_conf|malloc_conf_2_conf_harder)\>/st_\1/g
/^size_t st_malloc_usable_size/a\
\
/*\
 * libc's family, beside the program's own. What is said of malloc\
 * below holds for st_malloc; operator new is never replaced.\
 */\
void *st_malloc(size_t size);\
void *st_calloc(size_t count, size_t size);\
void *st_realloc(void *ptr, size_t size);\
void st_free(void *ptr);\
void *st_reallocarray(void *ptr, size_t count, size_t size);\
void *st_aligned_alloc(size_t align, size_t size);\
int st_posix_memalign(void **out, size_t align, size_t size);\
void *st_memalign(size_t align, size_t size);\
void *st_valloc(size_t size);\
void *st_pvalloc(size_t size);\
void st_cfree(void *ptr);\
void st_free_sized(void *ptr, size_t size);\
void st_free_aligned_sized(void *ptr, size_t align, size_t size);
