# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Paired measurements: A B A B ..., medians and ratios with their spread. No absolute time decides anything."""
import json
import math
import os
import statistics
import subprocess


def interleave(rounds, variants):
    """Runs each variant once per round, forwards and backwards in turn; {name: [value, ...]} in the order of the rounds."""
    results = {name: [] for name in variants}
    for turn in range(rounds):
        for name, run in list(variants.items())[::-1 if turn % 2 else 1]:
            results[name].append(run())
    return results


def confidence(values):
    """Interval that holds the median with at least 95%, by order statistics; the whole range where there are too few."""
    ordered, n, tail, rank = sorted(values), len(values), 0.0, 0
    while rank < n // 2:
        tail += math.comb(n, rank) / 2 ** n
        if tail > 0.025:
            break
        rank += 1
    rank = max(rank - 1, 0)
    return ordered[rank], ordered[n - 1 - rank]


def ratios(results, name, base, key=None):
    """Of each pair."""
    pick = (lambda value: value[key]) if key else (lambda value: value)
    return [pick(value) / pick(reference) for value, reference in zip(results[name], results[base])]


def show(values, form="{:.3f}"):
    low, high = confidence(values)
    return f"{form.format(median(values))} [{form.format(low)} .. {form.format(high)}]"


def print_table(rows):
    """Rows of texts; the first one is the head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  " + "  ".join(text.ljust(width) if i == 0 else text.rjust(width)
                               for i, (text, width) in enumerate(zip(row, widths))).rstrip())


def median(values):
    return statistics.median(values)


def mean(values):
    return statistics.fmean(values)


def spread(values):
    """First and third quartile."""
    if len(values) < 4:
        return min(values), max(values)
    quarters = statistics.quantiles(values, n=4)
    return quarters[0], quarters[2]


def paired_differences(results, name, base):
    return [value - reference for value, reference in zip(results[name], results[base])]


class Target:
    """A program of tests/targets: one command per line on stdin, one JSON object per line on stdout."""

    def __init__(self, path, *args, cpus=None):
        command = [path, *args]
        if cpus is not None:
            command = ["taskset", "-c", cpus, *command]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = json.loads(self.process.stdout.readline())["pid"]

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if not answer.get("ok"):
            raise RuntimeError(f"{line}: {answer}")
        return answer

    def close(self):
        self.process.kill()
        self.process.wait()


def cpu_seconds(pid, ended=False):
    """User and system time of a process, all threads; ended: and of children of it that have ended."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15 if ended else 13])) / os.sysconf("SC_CLK_TCK")


def task_seconds(pid):
    """CPU time of the threads that a process has now, to the nanosecond."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as schedstat:
            total += int(schedstat.read().split()[0])
    return total / 1e9


def pss_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        for line in rollup:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def descendants(pid):
    """pid and all its children, theirs too."""
    found = [pid]
    for one in found:
        for task in os.listdir(f"/proc/{one}/task"):
            with open(f"/proc/{one}/task/{task}/children") as children:
                found.extend(int(child) for child in children.read().split())
    return found
