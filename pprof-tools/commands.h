/*
 * commands.h - the subcommands of `strata`, in the order of its help.
 * Each is defined in the file that bears its name.
 */
#ifndef STRATA_COMMANDS_H
#define STRATA_COMMANDS_H

#include "cli.h"

extern const struct cli_command cmd_run;
extern const struct cli_command cmd_ctl;
extern const struct cli_command cmd_stats;
extern const struct cli_command cmd_top;
extern const struct cli_command cmd_graph;
extern const struct cli_command cmd_flame;
extern const struct cli_command cmd_lifetimes;
extern const struct cli_command cmd_generations;
extern const struct cli_command cmd_diff;
extern const struct cli_command cmd_tune;
extern const struct cli_command cmd_merge;
extern const struct cli_command cmd_convert;

/* Ends with NULL. */
extern const struct cli_command *const commands[];

/* The command of that name, or NULL. */
const struct cli_command *command_find(const char *name);

#endif
