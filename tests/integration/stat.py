#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Numbers of a Go runtime as parkwatch reads them, against what the program's own /metrics (client_golang) says.

    stat.py between BEFORE STAT AFTER [counters]   each of ours lies between two of theirs taken around it (equal ones:
                                                   is equal); STAT is the JSON of parkwatch stat
    stat.py families THEIRS OURS                   each go_ family of theirs is in ours, of the same type
    stat.py same BEFORE OURS AFTER LABELS          as between, for the daemon's page; LABELS pick the process

Prints what is not so, and how many were compared; exit status 1 if something is not so.
"""
import json
import re
import sys

# How each of theirs follows from the numbers of parkwatch stat; COUNTERS never fall while the process lives.
SUMS = {
    "go_goroutines": ["goroutines"],
    "go_threads": ["threads"],
    "go_memstats_alloc_bytes": ["heap_objects_bytes"],
    "go_memstats_alloc_bytes_total": ["alloc_bytes"],
    "go_memstats_buck_hash_sys_bytes": ["profile_buckets_bytes"],
    "go_memstats_frees_total": ["frees", "tiny_allocs"],
    "go_memstats_gc_sys_bytes": ["gc_sys_bytes"],
    "go_memstats_heap_alloc_bytes": ["heap_objects_bytes"],
    "go_memstats_heap_idle_bytes": ["heap_free_bytes", "heap_released_bytes"],
    "go_memstats_heap_inuse_bytes": ["heap_inuse_bytes"],
    "go_memstats_heap_objects": ["heap_objects"],
    "go_memstats_heap_released_bytes": ["heap_released_bytes"],
    "go_memstats_heap_sys_bytes": ["heap_inuse_bytes", "heap_free_bytes", "heap_released_bytes"],
    "go_memstats_mallocs_total": ["allocs", "tiny_allocs"],
    "go_memstats_mcache_inuse_bytes": ["mcache_inuse_bytes"],
    "go_memstats_mcache_sys_bytes": ["mcache_sys_bytes"],
    "go_memstats_mspan_inuse_bytes": ["mspan_inuse_bytes"],
    "go_memstats_mspan_sys_bytes": ["mspan_sys_bytes"],
    "go_memstats_next_gc_bytes": ["heap_goal_bytes"],
    "go_memstats_other_sys_bytes": ["other_sys_bytes"],
    "go_memstats_stack_inuse_bytes": ["stack_inuse_bytes"],
    "go_memstats_stack_sys_bytes": ["stack_inuse_bytes", "os_stack_bytes"],
    "go_memstats_sys_bytes": ["sys_bytes"],
    "go_gc_duration_seconds_count": ["gc_cycles"],
}
SECONDS = {"go_memstats_last_gc_time_seconds": "gc_last_unix_ns", "go_gc_duration_seconds_sum": "gc_pause_total_ns"}
COUNTERS = {"go_memstats_alloc_bytes_total", "go_memstats_frees_total", "go_memstats_mallocs_total",
            "go_gc_duration_seconds_count", "go_gc_duration_seconds_sum", "go_memstats_last_gc_time_seconds"}
QUANTILES = ["0", "0.25", "0.5", "0.75", "1"]
OWN_GOROUTINES = 8
ABSENT = {"go_memstats_lookups_total"}  # always 0; later clients have dropped it


def page(path, labels=""):
    """{name or name{le/quantile}: value}, {family: type} of a page of metrics."""
    values, types = {}, {}
    for line in open(path):
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            types[name] = kind
        match = re.match(r"(\w+)(?:\{(.*)\})? (\S+)$", line)
        if not match or line.startswith("#") or labels not in (match[2] or ""):
            continue
        own = ",".join(re.findall(r'(?:le|quantile)="[^"]*"', match[2] or ""))
        values[match[1] + ("{%s}" % own if own else "")] = float(match[3])
    return values, types


def of_stat(path):
    stat = json.load(open(path))
    numbers = stat["numbers"]
    ours = {name: sum(numbers[n] for n in terms) for name, terms in SUMS.items()}
    ours |= {name: numbers[n] / 1e9 for name, n in SECONDS.items()}
    for quantile, ns in zip(QUANTILES, stat["gc_pause_quantiles_ns"]):
        ours['go_gc_duration_seconds{quantile="%s"}' % quantile] = ns / 1e9
    return ours


def between(before, ours, after, names):
    wrong = 0
    for name in sorted(names):
        low, high = sorted((before[name], after[name]))
        slack = 1e-15 * abs(high)  # of printing a double
        if name == "go_goroutines":  # those that answer the question are there only while they do
            low -= OWN_GOROUTINES
        if name not in ours or not low - slack <= ours[name] <= high + slack:
            print(f"{name}: theirs {before[name]!r} and {after[name]!r}, ours {ours.get(name)!r}")
            wrong += 1
    print(f"{len(names)} compared, {wrong} wrong")
    return wrong


def main(what, *args):
    if what == "families":
        theirs, ours = page(args[0])[1], page(args[1])[1]
        wanted = {n: k for n, k in theirs.items() if n.startswith("go_") and n not in ABSENT}
        wrong = [f"{n} {k}: ours {ours.get(n)}" for n, k in wanted.items() if ours.get(n) != k]
        print("\n".join(wrong + [f"{len(wanted)} compared, {len(wrong)} wrong"]))
        return bool(wrong) or len(wanted) < 25
    before, after = page(args[0])[0], page(args[2])[0]
    ours = page(args[1], args[3])[0] if what == "same" else of_stat(args[1])
    names = {n for n in before if n.startswith("go_") and n not in ABSENT and not n.startswith("go_info")}
    if args[3:] == ("counters",):
        names &= COUNTERS
    return between(before, ours, after, names) > 0 or len(names) < 6


sys.exit(main(*sys.argv[1:]))
