/*
 * ctl_opt.c - mallctl opt.* and config.*: what was chosen at start-up; and
 * system.*: what the system is set to.
 *
 * opt.* has a leaf for each row of conf.c's table, but for those whose value
 * is a list of ranges (jemalloc has none for them either).
 */
#include <errno.h>
#include <string.h>

#include "arena.h"
#include "boot.h"
#include "conf.h"
#include "mallctl.h"
#include "options.h"
#include "os.h"
#include "util.h"

/* The index-th option that has a leaf, or NULL. */
static const struct conf_option *
ctl_opt_at(size_t index)
{
	const struct conf_option *option;

	for (option = conf_options; option->name != NULL; option++)
		if (option->type != CONF_RANGES && index-- == 0)
			return option;
	return NULL;
}

static const char *
ctl_opt_names(size_t index)
{
	const struct conf_option *option = ctl_opt_at(index);

	return option == NULL ? NULL : option->name;
}

static enum ctl_type
ctl_opt_type(const struct conf_option *option)
{
	switch (option->type) {
	case CONF_BOOL:
	case CONF_CHECKS:
		return CTL_BOOL;
	case CONF_UNSIGNED:
	case CONF_NARENAS:
		return CTL_UNSIGNED;
	case CONF_FXP:
		return CTL_FXP;
	case CONF_U64:
		return CTL_U64;
	case CONF_I64:
		return CTL_I64;
	case CONF_SIZE:
	case CONF_LG_SIZE:
	case CONF_LG_UNSIGNED:
		return CTL_SIZE;
	case CONF_SSIZE:
	case CONF_INT:
	case CONF_SIGNAL:
		return CTL_SSIZE;
	case CONF_WORD:
	case CONF_JUNK:
	case CONF_STRING:
	case CONF_LETTERS:
	case CONF_RANGES:
		return CTL_STRING;
	}
	return CTL_BRANCH;
}

/* The value of an option whose field has another type than its leaf. */
static bool
ctl_opt_converted(const struct conf_option *option, union ctl_value *out)
{
	switch (option->type) {
	case CONF_CHECKS:
		out->flag = opt.check_invalid_free && opt.check_double_free &&
		    opt.check_sized_free;
		return true;
	case CONF_NARENAS:
		out->number = boot() == 0 ? arenas_nauto : opt.narenas;
		return true;
	case CONF_LG_SIZE:
		out->size = lg_floor(*(size_t *)option->where | 1);
		return true;
	case CONF_LG_UNSIGNED:
		out->size = *(unsigned *)option->where;
		return true;
	case CONF_INT:
	case CONF_SIGNAL:
		out->ssize = *(int *)option->where;
		return true;
	case CONF_WORD:
	case CONF_JUNK:
		out->text = conf_word(option);
		return true;
	case CONF_STRING:
	case CONF_LETTERS:
		out->text = option->where != NULL ? option->where :
		    option->fixed;
		return true;
	default:
		return false;
	}
}

static void
ctl_opt_value(const struct conf_option *option, union ctl_value *out)
{
	memset(out, 0, sizeof *out);
	if (ctl_opt_converted(option, out))
		return;
	if (option->where == NULL)	/* what it would have been */
		(void)conf_value(option, option->fixed,
		    strlen(option->fixed), out);
	else
		memcpy(out, option->where,
		    ctl_type_size(ctl_opt_type(option)));
}

/* ctl_opt[] has one fixed child before the table. */
static const struct conf_option *
ctl_opt_of(const size_t *mib)
{
	return ctl_opt_at(mib[1] - 1);
}

static enum ctl_type
ctl_opt_types(const size_t *mib)
{
	return ctl_opt_type(ctl_opt_of(mib));
}

static int
ctl_opt_read(const struct ctl_call *call, union ctl_value *out)
{
	ctl_opt_value(ctl_opt_of(call->mib), out);
	return 0;
}

static int
ctl_source_read(const struct ctl_call *call, union ctl_value *out)
{
	out->text = conf_text((enum conf_source)call->node->arg);
	return 0;
}

#define SOURCE(name, source) \
	{ name, .type = CTL_STRING, .read = ctl_source_read, .arg = source }

static const struct ctl_node ctl_opt_malloc_conf[] = {
	SOURCE("global_var", CONF_SYMBOL),
	SOURCE("symlink", CONF_SYMLINK),
	SOURCE("env_var", CONF_ENV),
	SOURCE("global_var_2_conf_harder", CONF_HARDER),
	{ 0 }
};

const struct ctl_node ctl_opt[] = {
	{ "malloc_conf", .children = ctl_opt_malloc_conf, .marks = CTL_FLAT },
	{ .names = ctl_opt_names, .types = ctl_opt_types,
	    .type = CTL_STRING, .read = ctl_opt_read },
	{ 0 }
};

static int
ctl_config_read(const struct ctl_call *call, union ctl_value *out)
{
	out->flag = call->node->arg != 0;
	return 0;
}

#define CONFIG(name, value) \
	{ name, .type = CTL_BOOL, .read = ctl_config_read, .arg = value }

const struct ctl_node ctl_config[] = {
	CONFIG("cache_oblivious", true),
	CONFIG("debug", STRATA_DEBUG),
	CONFIG("fill", true),
	CONFIG("lazy_lock", false),
	{ "malloc_conf", .type = CTL_STRING, .read = ctl_source_read,
	    .arg = CONF_BUILD },
	CONFIG("opt_safety_checks", STRATA_DEBUG),
	CONFIG("prof", CONFIG_PROF),
	CONFIG("prof_frameptr", CONFIG_PROF),
	CONFIG("prof_libgcc", false),
	CONFIG("prof_libunwind", CONFIG_PROF),
	CONFIG("stats", true),
	CONFIG("utrace", false),
	CONFIG("xmalloc", true),
	{ 0 }
};

/* Of the moment: the system's may change while the process runs. */
static int
ctl_thp_mode_read(const struct ctl_call *call, union ctl_value *out)
{
	static const char *const names[] = {
		[OS_THP_ALWAYS] = "always", [OS_THP_MADVISE] = "madvise",
		[OS_THP_NEVER] = "never", [OS_THP_NONE] = "not supported",
	};

	out->text = names[os_thp_mode()];
	return 0;
}

const struct ctl_node ctl_system[] = {
	{ "thp_mode", .type = CTL_STRING, .read = ctl_thp_mode_read },
	{ 0 }
};
