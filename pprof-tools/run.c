/*
 * run.c - `strata run`: starts a program under libstrata.
 *
 *   LD_PRELOAD   libstrata.so.1, then what was there
 *   MALLOC_CONF  prof:true, then what was there, then the command's options:
 *                of a pair given twice the library takes the last
 *   STRATA_NO_CHILDREN=1 with --no-children: the library takes itself out of
 *                the environment of the program's children
 *
 * The command becomes the program (exec), so that signals, the terminal and
 * the exit status are the program's own.
 */
#include "run.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "commands.h"
#include "elf_file.h"
#include "library.h"
#include "xalloc.h"

enum { STATUS_NOT_EXECUTABLE = 126, STATUS_NOT_FOUND = 127 };	/* as sh */

static const struct cli_option options[] = {
	{ 'l', "lg-sample", "N", "sample every 2^N bytes on average [19]" },
	{ 'p', "prefix", "PATH",
	    "profiles are PATH.<pid>.<seq>.<trigger>.pb [strata]" },
	{ 'i', "interval", "TIME", "a profile every TIME: 30s, 5min" },
	{ 0, "interval-bytes", "SIZE",
	    "a profile every SIZE bytes allocated (a power of two)" },
	{ 0, "final", NULL, "a profile at exit" },
	{ 0, "leak", NULL, "a summary of what is not freed at exit" },
	{ 0, "leak-error", NULL, "the same, and exit status 1 if there is" },
	{ 0, "signal", "SIGNAL", "the one that asks for a profile [SIGUSR2]" },
	{ 'f', "format", "FORMAT",
	    "of the profiles: pprof (default), heap_v2 or both" },
	{ 'c', "conf", "K:V[,K:V...]", "more of MALLOC_CONF; may be repeated" },
	{ 0, "no-prof", NULL, "the allocator alone, without the profiler" },
	{ 0, "no-children", NULL, "programs it starts run without it" },
	{ 0, "library", "FILE",
	    "this libstrata.so.1 [STRATA_LIBRARY, or the one beside strata]" },
	{ 'n', "dry-run", NULL,
	    "show the environment and command, run nothing" },
	{ 0, NULL, NULL, NULL }
};

/* --- what kind of program it is -------------------------------------------*/

static bool
is_runnable(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    access(path, X_OK) == 0;
}

/* Looks name up as execvp does; path is PATH_MAX bytes. */
static enum run_obstacle
find_program(const char *name, char *path)
{
	const char *dirs = getenv("PATH");
	struct stat st;

	if (strchr(name, '/') != NULL) {
		snprintf(path, PATH_MAX, "%s", name);
		if (is_runnable(path))
			return RUN_LOADABLE;
		return stat(path, &st) == 0 ? RUN_NOT_EXECUTABLE :
		    RUN_NOT_FOUND;
	}
	if (dirs == NULL)
		dirs = "/bin:/usr/bin";
	for (;;) {
		size_t len = strcspn(dirs, ":");

		snprintf(path, PATH_MAX, "%.*s%s%s", (int)len, dirs,
		    len == 0 ? "" : "/", name);
		if (is_runnable(path))
			return RUN_LOADABLE;
		if (dirs[len] == '\0')
			break;
		dirs += len + 1;
	}
	snprintf(path, PATH_MAX, "%s", name);
	return RUN_NOT_FOUND;
}

/* Would the kernel start it with other rights than ours? */
static bool
gains_rights(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return false;
	if ((st.st_mode & S_ISUID) != 0 && st.st_uid != geteuid())
		return true;
	if ((st.st_mode & S_ISGID) != 0 && (st.st_mode & S_IXGRP) != 0 &&
	    st.st_gid != getegid())
		return true;
	return geteuid() != 0 &&
	    fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

/* The program's loader by its PT_INTERP; size bytes with the NUL. */
static enum run_obstacle
read_loader(int fd, const Elf64_Ehdr *header, char *loader, size_t size)
{
	for (unsigned i = 0; i < header->e_phnum; i++) {
		off_t at = (off_t)(header->e_phoff +
		    (Elf64_Off)i * header->e_phentsize);
		Elf64_Phdr segment;
		ssize_t n;

		if (pread(fd, &segment, sizeof segment, at) !=
		    (ssize_t)sizeof segment)
			return RUN_NOT_EXECUTABLE;
		if (segment.p_type != PT_INTERP)
			continue;
		if (segment.p_filesz < size)
			size = segment.p_filesz + 1;
		n = pread(fd, loader, size - 1, (off_t)segment.p_offset);
		if (n <= 0)
			return RUN_NOT_EXECUTABLE;
		loader[n] = '\0';
		return RUN_LOADABLE;
	}
	return RUN_STATIC;
}

static enum run_obstacle
inspect_elf(int fd)
{
	Elf64_Ehdr header;
	char loader[PATH_MAX];
	enum run_obstacle obstacle;

	if (pread(fd, &header, sizeof header, 0) != (ssize_t)sizeof header)
		return RUN_NOT_EXECUTABLE;
	if (header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    header.e_machine != ELF_MACHINE)
		return RUN_OTHER_LOADER;
	obstacle = read_loader(fd, &header, loader, sizeof loader);
	if (obstacle != RUN_LOADABLE)
		return obstacle;
	if (strstr(loader, "musl") != NULL)
		return RUN_OTHER_LOADER;
	return gains_rights(fd) ? RUN_SETUID : RUN_LOADABLE;
}

/* "#!/usr/bin/env python3" -> the program's name, of size bytes. */
static bool
script_interpreter(const char *line, char *name, size_t size)
{
	size_t len;

	line += 2 + strspn(line + 2, " \t");
	len = strcspn(line, " \t\r\n");
	if (len >= 4 && memcmp(line + len - 4, "/env", 4) == 0) {
		const char *rest = line + len + strspn(line + len, " \t");
		size_t n;

		if (strncmp(rest, "-S", 2) == 0)
			rest += 2 + strspn(rest + 2, " \t");
		n = strcspn(rest, " \t\r\n");
		if (n != 0 && *rest != '-') {
			line = rest;
			len = n;
		}
	}
	if (len == 0 || len >= size)
		return false;
	memcpy(name, line, len);
	name[len] = '\0';
	return true;
}

static enum run_obstacle
inspect(const char *name, char *path, int depth)
{
	enum run_obstacle obstacle;
	char start[256] = "", interpreter[256];
	ssize_t n;
	int fd;

	obstacle = find_program(name, path);
	if (obstacle != RUN_LOADABLE)
		return obstacle;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)			/* executable, not readable: fine */
		return RUN_LOADABLE;
	n = pread(fd, start, sizeof start - 1, 0);
	if (n >= SELFMAG && memcmp(start, ELFMAG, SELFMAG) == 0)
		obstacle = inspect_elf(fd);
	close(fd);
	/* The kernel follows four levels of scripts. */
	if (n >= 2 && memcmp(start, "#!", 2) == 0 && depth < 4 &&
	    script_interpreter(start, interpreter, sizeof interpreter))
		return inspect(interpreter, path, depth + 1);
	return obstacle;
}

enum run_obstacle
run_inspect(const char *name, char *path)
{
	return inspect(name, path, 0);
}

const char *
run_obstacle_text(enum run_obstacle obstacle)
{
	switch (obstacle) {
	case RUN_LOADABLE:
		break;
	case RUN_NOT_FOUND:
		return "no such program";
	case RUN_NOT_EXECUTABLE:
		return "not an executable program";
	case RUN_STATIC:
		return "is statically linked, so that nothing can be "
		    "preloaded; link it with libstrata.a, or if it is, start "
		    "it without 'strata run', with MALLOC_CONF=prof:true";
	case RUN_OTHER_LOADER:
		return "is for another machine or another C library than "
		    "libstrata, so that it cannot be preloaded";
	case RUN_SETUID:
		return "gains rights when it starts (setuid, setgid or file "
		    "capabilities), so that the loader ignores LD_PRELOAD; "
		    "run it as that user, or name libstrata in "
		    "/etc/ld.so.preload";
	}
	return "";
}

/* --- the environment ------------------------------------------------------*/

char *
run_preload(const char *library, const char *old)
{
	char *joined = xstrdup(library);

	while (old != NULL && *old != '\0') {
		size_t len = strcspn(old, ": ");
		char *longer;

		if (len != 0 && (len != strlen(library) ||
		    memcmp(old, library, len) != 0)) {
			longer = xasprintf("%s:%.*s", joined, (int)len, old);
			free(joined);
			joined = longer;
		}
		old += len;
		old += strspn(old, ": ");
	}
	return joined;
}

char *
run_join_conf(const char *const *parts, size_t nparts)
{
	char *joined = xstrdup("");

	for (size_t i = 0; i < nparts; i++) {
		char *longer;

		if (parts[i] == NULL || *parts[i] == '\0')
			continue;
		longer = xasprintf("%s%s%s", joined,
		    *joined == '\0' ? "" : ",", parts[i]);
		free(joined);
		joined = longer;
	}
	return joined;
}

/* Adds "key:value" to the list. */
struct conf {
	char *text;
};

static void
conf_add(struct conf *conf, const char *key, const char *value)
{
	char *pair = key == NULL ? xstrdup(value) :
	    xasprintf("%s:%s", key, value);
	const char *parts[2] = { conf->text, pair };
	char *joined = run_join_conf(parts, 2);

	free(conf->text);
	free(pair);
	conf->text = joined;
}

static void
conf_add_number(struct conf *conf, const char *key, double value)
{
	char text[32];

	snprintf(text, sizeof text, "%.0f", value);
	conf_add(conf, key, text);
}

/* All of s is a number, with no sign. */
static bool
is_number(const char *s, unsigned long *out)
{
	char *end;

	*out = strtoul(s, &end, 0);
	return *s >= '0' && *s <= '9' && *end == '\0';
}

/* What prof_signal takes: conf_signal in src/conf.c. */
static bool
is_signal(const char *text)
{
	static const char names[] = "none default HUP INT QUIT USR1 USR2 ALRM "
	    "TERM URG VTALRM PROF WINCH IO PWR";
	unsigned long n;

	/* Those between 31 and SIGRTMIN are the C library's own. */
	if (is_number(text, &n))
		return n <= (unsigned long)SIGRTMAX && n != SIGKILL &&
		    n != SIGSTOP && (n < 32 || n >= (unsigned long)SIGRTMIN);
	if (strncmp(text, "SIG", 3) == 0)
		text += 3;
	if (strncmp(text, "RTMIN+", 6) == 0)
		return is_number(text + 6, &n) &&
		    n <= (unsigned long)(SIGRTMAX - SIGRTMIN);
	return cli_word_in(names, text);
}

/* The options that are one pair each. */
static int
add_plain(const struct cli_args *args, struct conf *conf)
{
	static const struct {
		const char *option, *key;
		bool has_value;
	} pairs[] = {
		{ "final", "prof_final", false },
		{ "leak", "prof_leak", false },
		{ "leak-error", "prof_leak_error", false },
		{ "prefix", "prof_prefix", true },
		{ "signal", "prof_signal", true },
		{ "format", "prof_format", true },
	};

	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		const char *value = cli_value(args, pairs[i].option);

		if (value != NULL && strchr(value, ',') != NULL)
			return cli_usage_error(args,
			    "--%s: '%s' has a comma, which separates options "
			    "in MALLOC_CONF", pairs[i].option, value);
		if (value != NULL && *value == '\0' && pairs[i].has_value)
			return cli_usage_error(args, "--%s: its value is "
			    "empty", pairs[i].option);
		if (value != NULL)
			conf_add(conf, pairs[i].key,
			    pairs[i].has_value ? value : "true");
	}
	if (cli_flag(args, "signal") && !is_signal(cli_value(args, "signal")))
		return cli_usage_error(args, "--signal: '%s' is no signal that "
		    "can be taken (as USR1, RTMIN+3 or none)",
		    cli_value(args, "signal"));
	if (cli_flag(args, "leak-error"))
		conf_add(conf, "prof_leak", "true");
	return EXIT_FINE;
}

/* The options that are figures. */
static int
add_figures(const struct cli_args *args, struct conf *conf)
{
	double bytes = 0, interval = 0;
	long lg_sample = 0, lg = 0;
	int status;

	status = cli_number(args, "lg-sample", 0, 40, &lg_sample);
	if (status == EXIT_FINE)
		status = cli_duration(args, "interval", &interval);
	if (status == EXIT_FINE)
		status = cli_bytes(args, "interval-bytes", &bytes);
	if (status != EXIT_FINE)
		return status;
	if (cli_flag(args, "interval") && interval < 1e6)
		return cli_usage_error(args,
		    "--interval: the shortest is one millisecond");
	if (cli_flag(args, "interval-bytes") && bytes < 1)
		return cli_usage_error(args,
		    "--interval-bytes: the shortest is one byte");
	if (cli_flag(args, "lg-sample"))
		conf_add_number(conf, "lg_prof_sample", (double)lg_sample);
	if (cli_flag(args, "interval"))
		conf_add_number(conf, "prof_interval_ms", interval / 1e6);
	while (lg < 62 && (double)(INT64_C(1) << lg) < bytes)
		lg++;
	if (cli_flag(args, "interval-bytes"))
		conf_add_number(conf, "lg_prof_interval", (double)lg);
	return EXIT_FINE;
}

/* Without a profiler there is nothing that these could change. */
static int
check_no_prof(const struct cli_args *args)
{
	static const char *const names[] = { "lg-sample", "prefix",
	    "interval", "interval-bytes", "final", "leak", "leak-error",
	    "signal", "format" };

	if (!cli_flag(args, "no-prof"))
		return EXIT_FINE;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (cli_flag(args, names[i]))
			return cli_usage_error(args, "--%s is for the "
			    "profiler, which --no-prof leaves out", names[i]);
	}
	return EXIT_FINE;
}

static int
make_conf(const struct cli_args *args, struct conf *conf)
{
	const char *more;
	int status;

	conf_add(conf, "prof", "true");
	if (getenv("MALLOC_CONF") != NULL)
		conf_add(conf, NULL, getenv("MALLOC_CONF"));
	status = check_no_prof(args);
	if (status == EXIT_FINE)
		status = add_plain(args, conf);
	if (status == EXIT_FINE)
		status = add_figures(args, conf);
	for (size_t i = 0; (more = cli_next_value(args, "conf", &i)) != NULL;)
		conf_add(conf, NULL, more);
	if (cli_flag(args, "no-prof"))
		conf_add(conf, "prof", "false");
	return status;
}

/* --- running --------------------------------------------------------------*/

static int
refuse(const struct cli_args *args, const char *path,
    enum run_obstacle obstacle)
{
	cli_error(args, "%s %s%s", path,
	    obstacle <= RUN_NOT_EXECUTABLE ? "- " : "",
	    run_obstacle_text(obstacle));
	if (obstacle == RUN_NOT_FOUND)
		return STATUS_NOT_FOUND;
	return obstacle == RUN_NOT_EXECUTABLE ? STATUS_NOT_EXECUTABLE :
	    EXIT_INPUT;
}

static int
show(const struct cli_args *args)
{
	static const char *const names[] = { "LD_PRELOAD", "MALLOC_CONF",
	    "STRATA_NO_CHILDREN" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (getenv(names[i]) != NULL)
			printf("%s=%s ", names[i], getenv(names[i]));
	}
	for (size_t i = 0; i < args->noperands; i++)
		printf("%s%s", i == 0 ? "" : " ", args->operands[i]);
	putchar('\n');
	return cli_output_close(args, stdout);
}

static int
start(const struct cli_args *args, const char *library, const char *conf)
{
	char *preload = run_preload(library, getenv("LD_PRELOAD"));
	int error;

	setenv("LD_PRELOAD", preload, 1);
	free(preload);
	setenv("MALLOC_CONF", conf, 1);
	if (cli_flag(args, "no-children"))
		setenv("STRATA_NO_CHILDREN", "1", 1);
	if (cli_flag(args, "dry-run"))
		return show(args);
	fflush(NULL);
	execvp(args->operands[0], args->operands);
	error = errno;
	unsetenv("LD_PRELOAD");
	cli_error(args, "%s: %s", args->operands[0], strerror(error));
	return error == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE;
}

static int
run(const struct cli_args *args)
{
	struct conf conf = { xstrdup("") };
	char library[PATH_MAX], path[PATH_MAX];
	enum run_obstacle obstacle;
	int status;

	status = make_conf(args, &conf);
	if (status == EXIT_FINE)
		status = library_find(args, library);
	if (status == EXIT_FINE) {
		obstacle = run_inspect(args->operands[0], path);
		status = obstacle == RUN_LOADABLE ?
		    start(args, library, conf.text) :
		    refuse(args, path, obstacle);
	}
	free(conf.text);
	return status;
}

const struct cli_command cmd_run = {
	.name = "run",
	.operands = "PROGRAM [ARGUMENT...]",
	.min_operands = 1,
	.stop_at_operand = true,
	.summary = "start a program under Strata, profiling on",
	.about = "Preloads libstrata.so.1 and sets MALLOC_CONF; pairs already "
	    "in MALLOC_CONF\nstay, those of this command line win. Ask the "
	    "running program for profiles\nby 'strata ctl PID dump'. The exit "
	    "status is the program's; 127 and 126 if it\ncould not be found "
	    "or started, 3 if nothing can be preloaded into it.",
	.options = options,
	.formats = "pprof heap_v2 both",
	.run = run,
};
