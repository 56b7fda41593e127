# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Holds what `parkwatch trace` counted against what tests/targets/counts counted itself: equal, not nearly.

    compare_counts.py [--no-coroutines] TRACE.json BEFORE.json AFTER.json

Prints one line per difference, exit 1 if there is any. --no-coroutines: of a build whose spawn site does not see them
(PGO), neither starts nor ends of coroutines may have been counted.

BEFORE and AFTER are the program's answers to `stats` around the traced work. Compared for each of its go statements:
goroutines started and ended, and where the body parks a known number of times, parks, all of them for the one reason
that the program says; in total, the goids issued.
"""
import json
import os
import sys


def place(site):
    """Function without type parameters, file without its directory, line (0: the program does not know it)."""
    return site["function"].split("[")[0], os.path.basename(site["file"]), site["line"]


def add_up(sites):
    """Instances of a generic function share a line, and so do the two of a coroutine's creator: one entry each."""
    sums = {}
    for site in sites:
        entry = sums.setdefault(place(site), {"spawned": 0, "exited": 0, "parked": 0, "wait_reasons": {}})
        for name in ("spawned", "exited", "parked"):
            entry[name] += site[name]
        for reason, count in site["wait_reasons"].items():
            entry["wait_reasons"][reason] = entry["wait_reasons"].get(reason, 0) + count
    return sums


def find(sums, where):
    if where[2]:
        return sums.get(where)
    same = [entry for (function, _, _), entry in sums.items() if function == where[0]]
    return same[0] if len(same) == 1 else None


def own_counts(before, after):
    old = {site["label"]: site for site in before["sites"]}
    for site in after["sites"]:
        start = old.get(site["label"], {})
        if site["spawned"] == 0 and site["exited"] == 0:
            continue
        yield site, {name: site[name] - start.get(name, 0) for name in ("spawned", "exited", "parked")}


def main():
    arguments = sys.argv[1:]
    coroutines = arguments[0] != "--no-coroutines"
    trace, before, after = (json.load(open(path)) for path in arguments[-3:])
    seen = add_up(trace["sites"])
    differences = []
    # A creation stack that the kernel could not walk is evidence lost, not a count.
    lost = {reason: count for reason, count in trace["lost_by"].items() if reason != "stack_unreadable"}
    if lost:
        differences.append(f"lost: {lost}")
    unseen = 0 if coroutines else sum(own["spawned"] for site, own in own_counts(before, after) if site["label"] == "coroutine")
    if trace["spawned_by_goid"] != trace["totals"]["spawned"] + unseen:
        differences.append(f"goids: {trace['spawned_by_goid']} issued, {trace['totals']['spawned']} starts seen")
    for site, own in own_counts(before, after):
        where = place(site)
        label = f"{site['label']} ({where[0]} {where[1]}:{where[2]})"
        found = find(seen, where)
        if site["label"] == "coroutine" and not coroutines:
            own = dict.fromkeys(own, 0)
        if found is None:
            if any(own.values()):
                differences.append(f"{label}: not seen at all, the program counted {own}")
            continue
        for name in ("spawned", "exited"):
            if found[name] != own[name]:
                differences.append(f"{label}: {name} {found[name]}, the program counted {own[name]}")
        if site.get("reason"):
            if found["parked"] != own["parked"]:
                differences.append(f"{label}: parked {found['parked']}, the program counted {own['parked']}")
            if own["parked"] and found["wait_reasons"] != {site["reason"]: own["parked"]}:
                differences.append(f"{label}: wait reasons {found['wait_reasons']}, expected only {site['reason']}")
    for difference in differences:
        print(difference)
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
