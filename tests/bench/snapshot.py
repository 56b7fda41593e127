# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What it costs to look at all goroutines of a process, us and it: `scripts/bench snapshot`."""
import json
import os
import signal
import statistics
import subprocess
import threading
import time

from paired import Target, median, spread

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
PARKWATCH = os.environ.get("PARKWATCH", os.path.join(ROOT, "build", "parkwatch"))
BENCH = os.path.join(ROOT, "build", "tests", "bench", "bench_snapshot")


def many_stacks():
    return subprocess.run([os.path.join(ROOT, "scripts", "targets"), "many_stacks", "1.24", "plain"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


def bench(pid, rounds, *args):
    return json.loads(subprocess.run([BENCH, str(pid), str(rounds), *args], check=True, stdout=subprocess.PIPE,
                                     text=True).stdout)


def run(command, stdin=None):
    """Runs a command to its end: seconds on the clock, CPU seconds with its children, peak RSS of the largest in bytes."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.PIPE if stdin else subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
    if stdin:
        process.stdin.write(stdin)
        process.stdin.close()
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: {errors.decode()[-400:]}")
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def command(pid):
    return run([PARKWATCH, "goroutines", "-p", str(pid), "--once", "--socket", "none"])


def looks(target, rounds, name, *args, runs=False):
    """runs: the program has a goroutine that runs and parks again, all the time; else it uses no CPU time at all."""
    done = threading.Event()

    def keep_running():
        while not done.wait(0.002):
            target.tell("wake 1")

    worker = threading.Thread(target=keep_running)
    if runs:
        worker.start()
    try:
        values = bench(target.pid, rounds, *args)
    finally:
        done.set()
        if runs:
            worker.join()
    print(f"snapshot: {values['goroutines']} goroutines, {name}: first {values['first_ms']:.0f} ms, next "
          f"{values['second_ms']:.0f} ms; {values['bytes'] >> 20} MB copied in 1 MB ranges {values['copy_ms']:.0f} ms: "
          f"{values['over_copy']:.2f} times, next {values['of_first']:.2f} of the first; "
          f"peak RSS {values['peak_rss_kb'] >> 10} MB")
    return values


def against_pprof(target, rounds):
    """The program's own profile and ours in turn. Ours as a library call is without names and text, the command with."""
    results = {"look": [], "command": [], "debug=1": [], "debug=2": []}
    for number in range(rounds):
        for level in (1, 2):
            if level == 2 and number:
                continue  # it stops the world for seconds: once
            # Two: every other one has a garbage collection in it.
            answers = [target.tell(f"profile {level}") for _ in range(3 - level)]
            results[f"debug={level}"].append([statistics.mean(answer[key] / 1e9 for answer in answers)
                                              for key in ("wall_ns", "cpu_ns")])
        values = bench(target.pid, 1, "waits")
        results["look"].append((values["first_wall_ms"] / 1e3, values["first_ms"] / 1e3))
        results["command"].append(command(target.pid)[:2])
    middle = {name: [median(values) for values in zip(*rows)] for name, rows in results.items()}
    pairs = {name: [median([ours[i] / theirs[i] for ours, theirs in zip(results[name], results["debug=1"])]) for i in (0, 1)]
             for name in ("look", "command")}
    print("snapshot: against the program's own pprof, in turn, wall and CPU ms: "
          + ", ".join(f"{name} {wall * 1e3:.0f} and {cpu * 1e3:.0f}" for name, (wall, cpu) in middle.items()))
    print("  of debug=1, medians of the pairs: " + ", ".join(
        f"{name} {wall:.2f} wall, {cpu:.2f} CPU" for name, (wall, cpu) in pairs.items()))
    print("  of debug=2: " + ", ".join(
        f"{name} {middle[name][0] / middle['debug=2'][0]:.2f} wall, {middle[name][1] / middle['debug=2'][1]:.2f} CPU"
        for name in ("look", "command")))
    return results


def against_dlv(rounds):
    """`dlv attach`, all stacks, detach; and the command. The program is stopped while dlv looks."""
    target = Target(many_stacks())
    target.tell("start 100 8")
    with open("/tmp/bench-dlv.%d" % os.getpid(), "w") as script:
        script.write("goroutines -t 20\nquit\n")
    dlv = ["dlv", "attach", str(target.pid), os.readlink(f"/proc/{target.pid}/exe"), "--init", script.name,
           "--check-go-version=false", "--allow-non-terminal-interactive=true"]
    times = {"dlv": [], "parkwatch": []}
    try:
        for _ in range(rounds):
            times["dlv"].append(run(dlv, b"n\n")[:2])
            times["parkwatch"].append(command(target.pid)[:2])
    finally:
        os.unlink(script.name)
        target.close()
    middle = {name: [median(values) for values in zip(*rows)] for name, rows in times.items()}
    print("snapshot: 100 goroutines, wall and CPU ms: "
          + ", ".join(f"{name} {wall * 1e3:.0f} and {cpu * 1e3:.0f}" for name, (wall, cpu) in middle.items())
          + f": dlv attach takes {middle['dlv'][0] / middle['parkwatch'][0]:.0f} times as long, "
          f"{middle['dlv'][1] / middle['parkwatch'][1]:.0f} times the CPU")
    return times


def held_up(rounds):
    """A goroutine that spins, the only one that can run, on one CPU; whole looks without a break from another. It has
    real-time priority, or what else runs on this machine would be measured."""
    if os.cpu_count() < 2:
        print("held up: needs two CPUs, not measured")
        return None
    target = Target("/usr/bin/env", "GOMAXPROCS=1", "chrt", "--rr", "10", many_stacks(), cpus="0")
    target.tell("start 100000 8")
    target.tell("gaps 100000")
    results = {"without": [], "with": []}
    for number in range(rounds):
        for name in ("without", "with") if number % 2 else ("with", "without"):
            looking = None
            if name == "with":
                looking = subprocess.Popen(["taskset", "-c", "1", BENCH, str(target.pid), "for-ever"],
                                           stdout=subprocess.PIPE)
                looking.stdout.readline()
            results[name].append(target.tell("gaps 1000000"))
            if looking:
                looking.send_signal(signal.SIGTERM)
                looking.wait()
                looking.stdout.close()
    target.close()
    print(f"held up: gaps of a spinning goroutine, 10^6 in each of {rounds} paired rounds, beside 100,000 parked ones, "
          "medians [quartiles], ns")
    for name, rows in results.items():
        print(f"  {name:8}" + "  ".join(
            f"{quantile} {median(values):.0f} [{spread(values)[0]:.0f} .. {spread(values)[1]:.0f}]"
            for quantile in ("p50", "p99", "p999") for values in [[row[quantile + "_ns"] for row in rows]]))
    ratios = [a["p999_ns"] / b["p999_ns"] for a, b in zip(results["with"], results["without"])]
    print(f"  p99.9 with / without, paired: {median(ratios):.3f} [{spread(ratios)[0]:.3f} .. {spread(ratios)[1]:.3f}]")
    return results


def bench_snapshot(rounds):
    results = {}
    target = Target(many_stacks())
    target.tell("start 100000 8")
    results["stacks"] = looks(target, rounds, "stacks")
    small = results["stacks and waits"] = looks(target, rounds, "stacks and waits", "waits")
    results["of one that runs"] = looks(target, rounds, "stacks and waits of a program that runs", "waits", runs=True)
    results["pprof"] = against_pprof(target, min(rounds, 5))
    results["command"] = command(target.pid)
    print(f"snapshot: parkwatch goroutines --once of 100,000: peak RSS {results['command'][2] / 1e6:.0f} MB")
    target.close()
    results["dlv"] = against_dlv(min(rounds, 5))
    results["held up"] = held_up(min(rounds, 5))
    target = Target(many_stacks())
    target.tell("start 1000000 8")
    large = results["a million"] = looks(target, 3, "stacks and waits", "waits")
    print(f"snapshot: 10 times as many goroutines take {large['first_ms'] / small['first_ms']:.1f} times as long, "
          f"copying their bytes {large['copy_ms'] / small['copy_ms']:.1f} times")
    results["command of a million"] = command(target.pid)
    print(f"snapshot: parkwatch goroutines --once of 1,000,000: {results['command of a million'][0]:.1f} s, "
          f"peak RSS {results['command of a million'][2] / 1e6:.0f} MB")
    target.close()
    return results
