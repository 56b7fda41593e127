# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The daemon: how fast it is there, and what it takes of the host, against how many processes it observes."""
import json
import os
import re
import subprocess
import tempfile
import time

from paired import median, print_table, pss_bytes, show, spread
from subjects import ROOT, Daemon, Private, built, output, server


def start(rounds):
    print("start: from exec of the daemon to metrics of the target, medians [quartiles] of", rounds, "starts")
    results = {}
    for name, command in (("tsgo", [server("tsgo"), "--lsp", "-stdio"]), ("containerd", None)):
        with tempfile.TemporaryDirectory() as directory:
            if command is None:
                path = os.path.join(directory, "c.toml")
                with open(path, "w") as out:
                    out.write(f'version = 2\nroot = "{directory}/r"\nstate = "{directory}/s"\n'
                              f'[grpc]\naddress = "{directory}/c.sock"\n[debug]\naddress = "{directory}/d.sock"\n')
                command = [server("containerd"), "--config", path]
            target = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(1.5)
            parts = {"to listening": [], "to goroutines in /metrics": [], "to events in /metrics": []}
            for _ in range(rounds):
                one_start(Daemon([name], "--log-level", "debug"), target.pid, parts)
            target.kill()
            target.wait()
        print(f"  {name} ({os.path.getsize(command[0]) / 1e6:.0f} MB, stripped)")
        for part, values in parts.items():
            print(f"    {part:28} {median(values) * 1e3:7.0f} ms [{spread(values)[0] * 1e3:.0f} .. {spread(values)[1] * 1e3:.0f}]")
        results[name] = parts
    return results


def one_start(daemon, pid, parts):
    deadline = time.monotonic() + 30
    while f'pid="{pid}"' not in daemon.metrics() and time.monotonic() < deadline:
        time.sleep(0.005)
    seen = time.monotonic()
    daemon.wait_attached(1)
    parts["to listening"].append(daemon.listening - daemon.start)
    parts["to goroutines in /metrics"].append(seen - daemon.start)
    parts["to events in /metrics"].append(time.monotonic() - daemon.start)
    for phase, took in re.findall(r"setup: ([a-z ]+) ([0-9.]+) ms", open(daemon.log).read()):
        parts.setdefault("of it " + phase, []).append(float(took) / 1e3)
    daemon.close()


class Herd:
    """So many processes of one program."""

    def __init__(self, behaviour, count):
        self.program = Private(built(behaviour, "1.24", "stripped"))
        self.processes = [subprocess.Popen([self.program.path], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) for _ in range(count)]

    def close(self):
        for one in self.processes:
            one.kill()
            one.wait()


def observed(behaviour, count, action, *args, settings="", rest=5):
    herd = Herd(behaviour, count)
    try:
        daemon = Daemon([herd.program.pattern], *args, settings=settings)
        try:
            daemon.wait_attached(count)
            time.sleep(rest) # the rest of the calibration and the first snapshots are over
            return action(daemon)
        finally:
            daemon.close()
    finally:
        herd.close()


def memory_of(daemon):
    pss = [pss_bytes(pid) for pid in daemon.processes()]
    maps = daemon.metric("parkwatch_map_memory_bytes") or 0
    return {"pss_bytes": pss, "maps_bytes": maps, "total_bytes": sum(pss) + maps}


def cpu_percent(daemon, seconds):
    before, begin = daemon.cpu_seconds(), time.monotonic()
    time.sleep(seconds)
    return 100 * (daemon.cpu_seconds() - before) / (time.monotonic() - begin)


def memory(_):
    values = observed("idle", 10, memory_of)
    print(f"memory: 10 targets: Pss of {len(values['pss_bytes'])} processes {sum(values['pss_bytes']) / 1e6:.1f} MB + maps "
          f"{values['maps_bytes'] / 1e6:.1f} MB = {values['total_bytes'] / 1e6:.1f} MB")
    return values


def idle(_):
    shares = observed("idle", 10, lambda daemon: [cpu_percent(daemon, 20) for _ in range(3)], rest=12)
    print(f"idle: 10 idle targets: {median(shares):.2f}% of one CPU (three times 20 s: " + ", ".join(f"{share:.2f}" for share in shares) + ")")
    return {"percent": shares}


def scrapes(daemon, count):
    """Times of whole scrapes, and what they made the daemon read of its targets; each of another tick."""
    took, sizes = [], []
    daemon.metrics()
    for _ in range(count):
        time.sleep(1.05)
        text, seconds = daemon.get()
        took.append(seconds)
        sizes.append(len(text))
    return took, sizes


def scrape_cpu_seconds(daemon, count):
    """CPU time of whole scrapes, that of the threads that serve them: each of another tick."""
    pid, took = daemon.process.pid, []
    threads = [task for task in os.listdir(f"/proc/{pid}/task") if open(f"/proc/{pid}/task/{task}/comm").read().startswith("MHD")]

    def spent():
        return sum(int(open(f"/proc/{pid}/task/{task}/schedstat").read().split()[0]) for task in threads) / 1e9
    daemon.get()
    for _ in range(count):
        time.sleep(1.05)
        before = spent()
        daemon.get()
        took.append(spent() - before)
    return took


def reads_while_scraped(daemon, count=50):
    """System calls that read a target's memory, while it is scraped as fast as can be and while it is not: over 3 s each."""
    def reads(scraping):
        trace = subprocess.Popen(["strace", "-f", "-qq", "-c", "-e", "trace=process_vm_readv", "-p", str(daemon.process.pid)],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        end, done = time.monotonic() + 3, 0
        while time.monotonic() < end:
            if scraping and done < count:
                daemon.get()
                done += 1
            else:
                time.sleep(0.05)
        trace.terminate()
        match = re.search(r"(\d+)(?:\s+\d+)?\s+process_vm_readv", trace.communicate()[1])
        return int(match.group(1)) if match else 0
    return reads(False), reads(True)


def scrape(_):
    def action(daemon):
        took, sizes = scrapes(daemon, 15)
        again = [daemon.get()[1] for _ in range(15)]
        cpu = [1e3 * value for value in scrape_cpu_seconds(daemon, 10)]
        return {"cpu_ms": cpu, "first_ms": [1e3 * value for value in took], "again_ms": [1e3 * value for value in again], "bytes": sizes}
    values = observed("many_sites", 50, action, settings="metrics_sites: 200\n")
    alone = values["rendering"] = json.loads(output(os.path.join(ROOT, "build", "tests", "bench", "bench_metrics")))
    print(f"scrape: rendering {alone['bytes'] / 1e6:.1f} MB of {alone['processes']} processes with {alone['statements']} go statements, "
          f"alone: {alone['cpu_ns'] / 1e6:.1f} ms of CPU")
    print(f"scrape: 50 targets with 200 go statements each: {median(values['bytes']) / 1e6:.2f} MB in {show(values['first_ms'], '{:.1f}')} ms "
          f"(the first of each tick; {median(values['cpu_ms']):.1f} ms of our CPU), again within it {show(values['again_ms'], '{:.1f}')} ms; medians [95%]")
    return values


def scale(_):
    rows, results = [["targets", "CPU of one", "memory MB", "scrape ms", "scrape kB"]], {}
    for count in (1, 10, 50):
        def action(daemon):
            took, sizes = scrapes(daemon, 5)
            return {"percent": cpu_percent(daemon, 10), **memory_of(daemon), "scrape_ms": [1e3 * value for value in took], "scrape_bytes": sizes}
        values = results[count] = observed("idle", count, action, rest=10)
        rows.append([str(count), f"{values['percent']:.2f}%", f"{values['total_bytes'] / 1e6:.1f}", f"{median(values['scrape_ms']):.1f}",
                     f"{median(values['scrape_bytes']) / 1e3:.0f}"])
    print("scale: the daemon with so many idle targets")
    print_table(rows)
    return results


BENCHES = {"start": start, "memory": memory, "idle": idle, "scrape": scrape, "scale": scale}
