/*
 * compat_conf.c - what became of MALLOC_CONF: for each key in it, the value
 * of opt.<key>. The library's own messages have gone to stderr before.
 */
#include "compat.h"

/* Eight bytes may be a number or a text: these are texts. */
static bool
is_text(const char *key)
{
	static const char *const keys[] = { "dss", "thp", "metadata_thp",
	    "percpu_arena", "junk", "zero_realloc", "stats_print_opts",
	    "stats_interval_opts", "prof_prefix", "prof_time_resolution",
	    "log" };

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

static void
say_option(const char *key)
{
	union {
		bool flag;
		uint32_t u32;
		int64_t i64;
		const char *text;
	} value;
	size_t len;
	char name[128];

	snprintf(name, sizeof name, "opt.%s", key);
	len = sizeof value;
	if (is_text(key) && mallctl(name, &value, &len, NULL, 0) == 0)
		return say(name, "\"%s\"", value.text);
	len = sizeof value.flag;
	if (mallctl(name, &value, &len, NULL, 0) == 0)
		return say(name, "%s", value.flag ? "true" : "false");
	len = sizeof value.u32;
	if (mallctl(name, &value, &len, NULL, 0) == 0)
		return say(name, "%u", value.u32);
	len = sizeof value.i64;
	if (mallctl(name, &value, &len, NULL, 0) == 0)
		return say(name, "%lld", (long long)value.i64);
	say(name, "none");
}

int
main(void)
{
	const char *at = getenv("MALLOC_CONF");
	char key[100];

	compat_begin();
	while (at != NULL && *at != '\0') {
		size_t len = strcspn(at, ":,");

		if (at[len] == ':' && len > 0 && len < sizeof key) {
			memcpy(key, at, len);
			key[len] = '\0';
			say_option(key);
		}
		at += strcspn(at, ",");
		at += *at == ',';
	}
	return 0;
}
