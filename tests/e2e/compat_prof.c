/*
 * compat_prof.c - prof.* and thread.prof.*, run with prof:true and a period
 * of one byte: switches, dumps and their file names, reset, exact profiles.
 */
#include <dirent.h>
#include <unistd.h>

#include "compat.h"

/* Files in this folder: their names with the process id as PID. */
static void
say_files(const char *when)
{
	struct dirent **list;
	char line[400], pid[20], *at;
	int n = scandir(".", &list, NULL, alphasort);

	snprintf(pid, sizeof pid, ".%d.", (int)getpid());
	snprintf(line, sizeof line, "%s", when);
	printf("%s: ", line);
	for (int i = 0; i < n; i++) {
		char *name = list[i]->d_name;

		if (name[0] == '.')
			continue;
		at = strstr(name, pid);
		if (at != NULL)
			printf("%.*s.PID.%s ", (int)(at - name), name,
			    at + strlen(pid));
		else
			printf("%s ", name);
		remove(name);
	}
	putchar('\n');
}

static int
dump(const char *name)
{
	return mallctl("prof.dump", NULL, NULL, name == NULL ? NULL :
	    (void *)&name, name == NULL ? 0 : sizeof name);
}

static void
check_switches(void)
{
	bool off = false, on = true, old;
	size_t len = sizeof old;

	say("active", "%d", ctl_bool("prof.active"));
	say("active off", "%s", error_name(mallctl("prof.active", &old, &len,
	    &off, sizeof off)));
	say("it was", "%d", old);
	say("active then", "%d", ctl_bool("prof.active"));
	ctl_write("prof.active", &on, sizeof on);
	say("thread active", "%d", ctl_bool("thread.prof.active"));
	say("thread off", "%s", error_name(ctl_write("thread.prof.active",
	    &off, sizeof off)));
	say("thread active then", "%d", ctl_bool("thread.prof.active"));
	ctl_write("thread.prof.active", &on, sizeof on);
	say("thread_active_init", "%d", ctl_bool("prof.thread_active_init"));
	say("thread_active_init off", "%s", error_name(ctl_write(
	    "prof.thread_active_init", &off, sizeof off)));
	say("thread_active_init then", "%d",
	    ctl_bool("prof.thread_active_init"));
	ctl_write("prof.thread_active_init", &on, sizeof on);
	say("gdump", "%d", ctl_bool("prof.gdump"));
	say("lg_sample", "%zu", ctl_size("prof.lg_sample"));
	say("interval", "%llu", (unsigned long long)ctl_u64("prof.interval"));
}

static void
check_names(void)
{
	static const char *const names[] = { "worker", "", "two words",
	    "tab\there", "line\nend" };
	const char *name;

	ctl_read("thread.prof.name", &name, sizeof name);
	say("name at first", "\"%s\"", name);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char line[40];
		int error = ctl_write("thread.prof.name", &names[i],
		    sizeof names[i]);

		ctl_read("thread.prof.name", &name, sizeof name);
		snprintf(line, sizeof line, "name %zu", i);
		say(line, "%s, is the one: %d", error_name(error),
		    strcmp(name, names[i]) == 0);
	}
	name = NULL;
	say("no name", "%s", error_name(ctl_write("thread.prof.name", &name,
	    sizeof name)));
}

static void
check_reset(void)
{
	size_t lg = 5;

	say("reset to 5", "%s", error_name(ctl_write("prof.reset", &lg,
	    sizeof lg)));
	say("lg_sample is", "%zu", ctl_size("prof.lg_sample"));
	say("reset", "%s", error_name(ctl_do("prof.reset")));
	say("lg_sample is still", "%zu", ctl_size("prof.lg_sample"));
	lg = 100;
	say("reset to 100", "%s", error_name(ctl_write("prof.reset", &lg,
	    sizeof lg)));
	say("lg_sample after 100", "%zu", ctl_size("prof.lg_sample"));
	lg = 0;
	say("reset to 0", "%s", error_name(ctl_write("prof.reset", &lg,
	    sizeof lg)));
}

static void
check_dumps(void)
{
	const char *prefix = "other";

	say("dump to a name", "%s", error_name(dump("given.heap")));
	say_files("files of a dump to a name");
	say("dump", "%s", error_name(dump(NULL)));
	say_files("files of a dump");
	say("dump again", "%s", error_name(dump(NULL)));
	say_files("files of a dump again");
	say("prefix", "%s", error_name(ctl_write("prof.prefix", &prefix,
	    sizeof prefix)));
	say("dump with a prefix", "%s", error_name(dump(NULL)));
	say_files("files of a dump with a prefix");
	say("dump to nowhere", "%s", error_name(dump("/nowhere/at/all")));
}

/* With a period of one byte every block is in the profile. */
static unsigned long
profile_objects(void)
{
	FILE *file;
	char line[200];
	unsigned long objects = 0;
	bool found = false;

	if (dump("exact.heap") != 0 || (file = fopen("exact.heap", "r")) ==
	    NULL)
		return 0;
	while (!found && fgets(line, sizeof line, file) != NULL)
		found = sscanf(line, " t*: %lu:", &objects) == 1;
	fclose(file);
	remove("exact.heap");
	return objects;
}

static void
check_exact(void)
{
	bool on = true, off = false;
	unsigned long before, after;
	void *p[100];

	before = profile_objects();
	for (unsigned i = 0; i < 100; i++)
		p[i] = malloc(1000);
	after = profile_objects();
	say("objects of 100 mallocs", "%lu", after - before);
	ctl_write("thread.prof.active", &off, sizeof off);
	for (unsigned i = 0; i < 100; i++)
		USE(malloc(1000));
	ctl_write("thread.prof.active", &on, sizeof on);
	say("objects of 100 in a thread that is off", "%lu",
	    profile_objects() - after);
	for (unsigned i = 0; i < 100; i++)
		free(p[i]);
	say_if("freed ones go", profile_objects() < after);
}

int
main(void)
{
	compat_begin();
	check_exact();
	check_switches();
	check_names();
	check_dumps();
	check_reset();
	return 0;
}
