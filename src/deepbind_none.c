/*
 * deepbind_none.c - in libstrata.a instead of deepbind.c: a static program
 * opens no modules, and must not be given a dlopen.
 */
#include "deepbind.h"

void
deepbind_boot(void)
{
}
