/*
 * merge.c - `strata merge`: several profiles as one profile.proto.
 *
 * Rows with the same stack and labels are added; mappings are matched by
 * build id (else by file) and offset, so that processes which loaded the same
 * program at other addresses fall together.
 */
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "view.h"
#include "write_pprof.h"

static int
run(const struct cli_args *args)
{
	struct view view;
	FILE *out;
	int status = view_load(args, &view);

	if (status != EXIT_FINE)
		return status;
	status = cli_output_binary(args, &out);
	if (status == EXIT_FINE) {
		/* A failed write is reported when the output is closed. */
		write_pprof(view.model, out, true);
		status = cli_output_close(args, out);
	}
	view_free(&view);
	return status;
}

const struct cli_command cmd_merge = {
	.name = "merge",
	.operands = "FILE...",
	.summary = "add several profiles up, in pprof's format",
	.about = "Adds up the rows of all files that have the same stack and "
	    "labels. Addresses stay addresses; strata convert gives them "
	    "names.",
	.groups = CLI_OUTPUT,
	.min_operands = 1,
	.run = run,
};
