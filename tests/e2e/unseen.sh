#!/bin/sh
# unseen.sh - what a program can see of itself is as it would be without
# Strata: open files, threads, signals, limits, environment of its children.

. "${0%/*}/lib.sh"
. "$SRCDIR/tests/e2e/programs.sh"

# The signal that asks for a profile is caught, which is documented; it is
# taken out of the set of caught ones.
cat >look.py <<'END'
import os, re, resource, signal
print("open files", sorted(fd for fd in map(int, os.listdir("/proc/self/fd"))
                           if os.path.exists("/proc/self/fd/%d" % fd)))
print("threads", len(os.listdir("/proc/self/task")))
status = dict(re.findall(r"^(Sig(?:Blk|Ign|Cgt)|NoNewPrivs|Seccomp):\s*(\S+)",
                         open("/proc/self/status").read(), re.M))
usr2 = 1 << (signal.SIGUSR2 - 1)
for name, value in sorted(status.items()):
    if name == "SigCgt":
        value = "%016x" % (int(value, 16) & ~usr2)
    print(name, value)
print("limits", [resource.getrlimit(getattr(resource, name))
                 for name in sorted(dir(resource)) if "RLIMIT" in name])
print("stack", signal.getsignal(signal.SIGUSR1), os.umask(0), os.getcwd())
print("environment", sorted(name for name in os.environ
                            if name not in ("LD_PRELOAD", "MALLOC_CONF")))
print("children", open("/proc/self/task/%d/children" % os.getpid()).read())
END

modes="off default exact"
same "seen from inside" python3 -I look.py
same "files open in a child" sh -c 'ls /proc/self/fd'
finish
