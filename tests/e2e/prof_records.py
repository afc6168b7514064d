# prof_records.py - the lines of a program of prof_options.sh, or the log it
# wrote, reduced to what is the same under jemalloc: no addresses, no times,
# no own frames, of threads their names only.
#
#     prof_records.py recent FILE
#     prof_records.py log FILE USIZE...

import json
import sys


def trace(addresses):
    """Whether there are frames, all of them addresses."""
    return bool(addresses) and all(int(a, 16) > 4096 for a in addresses)


def recent(path):
    for line in open(path):
        top = json.loads(line)
        print(top["sample_interval"], top["recent_alloc_max"])
        for r in top["recent_alloc"]:
            text = "%d of %d by %s" % (r["size"], r["usize"],
                                       r["alloc_thread_name"])
            assert trace(r["alloc_trace"]) and r["alloc_time"] > 0
            if r["released"]:
                assert trace(r["dalloc_trace"])
                assert r["alloc_trace"] != r["dalloc_trace"]
                assert r["alloc_time"] <= r["dalloc_time"]
                text += " freed by %s" % r["dalloc_thread_name"]
            else:
                assert "dalloc_time" not in r
            print("   ", text)


def log(path, sizes):
    top = json.load(open(path))
    info = top["info"]
    print("1/2^%d" % info["lg_sample_rate"], info["prof_time_resolution"])
    names = [t["thr_name"] for t in top["threads"]]
    assert len({t["thr_uid"] for t in top["threads"]}) == len(names)
    traces = top["stack_traces"]
    for a in top["allocations"]:
        if a["usize"] not in sizes:
            continue
        assert a["alloc_timestamp"] <= a["free_timestamp"]
        assert trace(traces[a["alloc_trace"]])
        assert trace(traces[a["free_trace"]])
        assert a["alloc_trace"] != a["free_trace"]
        print("    %d by %s freed by %s" % (
            a["usize"], names[a["alloc_thread"]], names[a["free_thread"]]))


if sys.argv[1] == "recent":
    recent(sys.argv[2])
else:
    log(sys.argv[2], [int(s) for s in sys.argv[3:]])
