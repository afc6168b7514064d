/*
 * churn.h - what the plugins of dlchurn export. churn_a and churn_b have the
 * same layout under other names, so that an address taken for the wrong one
 * shows as a wrong name.
 */
#ifndef STRATA_TESTS_CHURN_H
#define STRATA_TESTS_CHURN_H

#include <stddef.h>

struct churn_plugin {
	const char *site;		/* function that makes kept blocks */
	size_t size;			/* of each */
	void *(*keep)(void);		/* the caller frees it, perhaps later */
	void (*work)(void);		/* allocates and frees by the way */
};

#ifdef __cplusplus
extern "C"
#endif
const struct churn_plugin *churn_plugin(void);

#endif
