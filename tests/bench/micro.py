# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One event as often as a program can: what a hit adds to it, and what the budget makes of that."""
import subprocess
import time

from paired import Target, interleave, median, paired_differences, print_table, ratios, show, task_seconds
from subjects import Daemon, Private, built, bpftrace, trace

# (program, its command, what an operation is)
PROGRAMS = {"park": ("pingpong", "measure 500", "a park in a ping-pong over channels"),
            "spawn": ("spawnstorm", "storm 300000", "a goroutine that is started and ends"),
            "convoy": ("convoy", "measure 500", "a lock that eight goroutines want")}


def micro(name):
    def bench(rounds):
        behaviour, command, what = PROGRAMS[name]
        target = Target(built(behaviour, "1.24", "plain"))

        def measure(observe=None, settle=0.3):
            def run():
                observer = observe() if observe else None
                if observer:
                    time.sleep(settle)
                value = target.tell(command)["ns_per_op"]
                if observer:
                    observer.close()
                return value
            return run

        def default_daemon():
            daemon = Daemon([behaviour + "-1.24*"]).wait_attached(1)
            for _ in range(4): # the governor has stepped in, the first windows are over
                target.tell(command)
            return daemon

        measure()()
        results = interleave(rounds, {
            "unobserved": measure(),
            "parkwatch daemon": measure(default_daemon, 0),
            "parkwatch --budget none": measure(lambda: trace(target.pid, "--budget", "none")),
            "bpftrace at entry": measure(lambda: bpftrace(target.pid)),
        })
        target.close()
        ours = paired_differences(results, "parkwatch --budget none", "unobserved")
        theirs = paired_differences(results, "bpftrace at entry", "unobserved")
        cheaper = [b / a for a, b in zip(ours, theirs)]
        print(f"{name}: {what} (Go 1.24), ns, medians [95%] of {rounds} rounds in turn")
        print_table([["", "ns", "of unobserved"]] + [
            [who, show(values, "{:.0f}"), show(ratios(results, who, "unobserved"), "{:.2f}")] for who, values in results.items()])
        print(f"  added, counting each one: parkwatch {median(ours):.0f} ns, bpftrace {median(theirs):.0f}: {show(cheaper, '{:.1f}')} times as much")
        left = ratios(results, "bpftrace at entry", "parkwatch --budget none")
        print(f"  throughput that counting each one leaves: {show(left, '{:.1f}')} times what bpftrace leaves")
        return {"ns": results, "throughput_of_bpftrace": left, "added_parkwatch": ours, "added_bpftrace": theirs, "times_cheaper": cheaper}
    return bench


def further(rounds):
    """What other attached processes of the same file add to a hit: the ground for (not) sharing an attach."""
    program = Private(built("pingpong", "1.24", "plain"))
    target = Target(program.path, cpus="0")
    target.tell("measure 200")
    steps, values, others = (1, 8, 21, 50), {}, []

    def measured():
        """ns of CPU time for one: who else is on the host does not matter much."""
        def one():
            before = task_seconds(target.pid)
            return target.tell("measure 300")["ops"], task_seconds(target.pid) - before
        return [1e9 * seconds / ops for ops, seconds in (one() for _ in range(rounds))]
    bare = measured()
    for count in steps:
        while len(others) < count - 1:
            others.append(subprocess.Popen([program.path], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL))
        daemon = Daemon([program.pattern], "--budget", "none").wait_attached(count)
        values[count] = measured()
        daemon.close()
    for one in others:
        one.kill()
        one.wait()
    target.close()
    added = {count: median(values[count]) - median(bare) for count in steps}
    print("further: ns that a hit adds to a park, by attached processes of the same file (each by itself)")
    print_table([["processes", "added ns", "of it by the others, each"]] + [
        [str(count), f"{added[count]:.0f}", f"{(added[count] - added[1]) / (count - 1):.1f}" if count > 1 else "-"] for count in steps])
    return {"unobserved_ns": bare, "ns": values, "added_ns": added}


BENCHES = {"park": micro("park"), "spawn": micro("spawn"), "convoy": micro("convoy"), "further": further}
