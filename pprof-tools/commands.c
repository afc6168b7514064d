/*
 * commands.c - the table of subcommands.
 */
#include "commands.h"

#include <string.h>

const struct cli_command *const commands[] = {
	&cmd_run,
	&cmd_ctl,
	&cmd_stats,
	&cmd_top,
	&cmd_graph,
	&cmd_flame,
	&cmd_lifetimes,
	&cmd_generations,
	&cmd_diff,
	&cmd_tune,
	&cmd_merge,
	&cmd_convert,
	NULL
};

const struct cli_command *
command_find(const char *name)
{
	for (size_t i = 0; commands[i] != NULL; i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	}
	return NULL;
}
