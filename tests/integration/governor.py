#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Sampled totals against the truth, and what probes really cost, on programs that would cost far more than the budget.

    governor.py PARKWATCH PINGPONG SPAWNSTORM HTTPSERVER

The programs count for themselves; a thread keeps a timeline of that, and each time that the daemon shows a later moment
of its sampled totals (parkwatch_sampled_timestamp_seconds), the two are compared there.
"""
import bisect
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

PARKWATCH, PINGPONG, SPAWNSTORM, HTTPSERVER = sys.argv[1:5]
SECONDS, SECONDS_MOST, SETTLINGS = 9, 30, 4 # on a busy host windows come late


def say(passed, text):
    print(("ok - " if passed else "not ok - ") + text, flush=True)


class Program:
    """Does work that it counts; timeline: (CLOCK_BOOTTIME, events so far), one entry every 50 ms or so."""

    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = json.loads(self.process.stdout.readline())
        self.pid = self.process.pid
        self.timeline, self.stop, self.total = [], False, 0
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stop:
            self.note()
            self.total += self.work()
        self.note()

    def note(self):
        self.timeline.append((time.clock_gettime(time.CLOCK_BOOTTIME), self.total))

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def truth(self, when):
        """By interpolation; None outside of the timeline."""
        index = bisect.bisect(self.timeline, (when, 0))
        if index == 0 or index >= len(self.timeline):
            return None
        (t0, n0), (t1, n1) = self.timeline[index - 1], self.timeline[index]
        return n0 + (n1 - n0) * (when - t0) / (t1 - t0)

    def close(self):
        self.stop = True
        self.thread.join()
        self.process.kill()
        self.process.wait()


class PingPong(Program):
    name, metric, event = "pingpong", "parkwatch_parked_total", "park"

    def work(self):
        return self.tell("measure 50")["ops"]


class SpawnStorm(Program):
    name, metric, event = "spawnstorm", "parkwatch_spawned_total", "spawn"

    def work(self):
        return self.tell("storm 50000")["ops"]


class HTTPServer(Program):
    """A request starts one goroutine (net/http's background read) once the connection stands."""
    name, metric, event = "httpserver", "parkwatch_spawned_total", "spawn"

    def __init__(self, path):
        super().__init__(path)
        self.wrk = None

    def work(self):
        if not self.wrk:
            host, port = self.ready["address"].rsplit(":", 1)
            self.sockets = [socket.create_connection((host, int(port))) for _ in range(16)]
            self.wrk = True
        for _ in range(10):
            for one in self.sockets:
                one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            for one in self.sockets:
                while not one.recv(4096).endswith(b"hello\n"):
                    pass
        return 160


class Daemon:
    def __init__(self, program, budget):
        self.directory = tempfile.TemporaryDirectory()
        path = os.path.join(self.directory.name, "c.yaml")
        with open(path, "w") as out:
            out.write(f'interval: 250ms\nbudget: {budget}\nhost_budget: none\ninclude: ["{program.name}*"]\n')
        self.log = os.path.join(self.directory.name, "log")
        self.process = subprocess.Popen([PARKWATCH, "daemon", "-c", path, "--listen", "127.0.0.1:0", "--socket",
                                         os.path.join(self.directory.name, "s")], stderr=open(self.log, "w"))
        deadline = time.monotonic() + 20
        while not (match := re.search(r"http://([0-9.:]+)", open(self.log).read())):
            if time.monotonic() > deadline:
                raise RuntimeError("the daemon does not start: " + open(self.log).read())
            time.sleep(0.02)
        self.address = match.group(1)

    def metrics(self, pid):
        connection = http.client.HTTPConnection(self.address, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return [line for line in text.splitlines() if f'pid="{pid}"' in line]

    def close(self):
        self.process.terminate()
        self.process.wait()


def value(lines, name, labels=""):
    found = [float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + "{") and labels in line]
    return sum(found) if found else None


def watch(program, budget):
    """Points (estimate, bound, when) at each settling, and the last metrics."""
    daemon, points, seen = Daemon(program, budget), [], None
    deadline = time.monotonic() + 20
    while value(daemon.metrics(program.pid), "parkwatch_probe_attached", 'event="spawn"') != 1:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{program.name} is not attached")
        time.sleep(0.1)
    program.thread.start()
    cpu_start = time.monotonic()
    while (passed := time.monotonic() - cpu_start) < SECONDS or (len(points) < SETTLINGS and passed < SECONDS_MOST):
        time.sleep(0.1)
        lines = daemon.metrics(program.pid)
        when = value(lines, "parkwatch_sampled_timestamp_seconds")
        # two clocks make it: the same moment may be some ms off
        if when is None or (seen and abs(when - seen) < 0.005):
            continue
        seen = when
        points.append((value(lines, program.metric), value(lines, "parkwatch_events_error", f'event="{program.event}"'), when))
    elapsed = time.monotonic() - cpu_start
    cost = value(lines, "parkwatch_probe_cost_seconds_total")
    daemon.close()
    return points, lines, cost, elapsed


def judge(program, budget=1):
    boot_to_wall = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    points, lines, cost, elapsed = watch(program, budget)
    program.close()
    inside = compared = 0
    offs = []
    for estimate, bound, when in points:
        truth = program.truth(when - boot_to_wall)
        if not bound or truth is None or truth < 1000: # without a bound: the end of what was counted one by one
            continue
        compared += 1
        inside += abs(estimate - truth) <= bound
        offs.append((estimate - truth) / truth)
    governor = [line for line in lines if line.startswith("parkwatch_probe_governor")]
    print(f"# {program.name}: {len(points)} settlings, {compared} compared, off by "
          + " ".join(f"{100 * off:+.1f}%" for off in offs[-6:])
          + f", bound at last +-{100 * points[-1][1] / points[-1][0]:.0f}%; probes cost {100 * cost / elapsed:.2f}% of a CPU")
    say(compared >= 2, f"{program.name}: sampled totals moved on ({compared} times)")
    say(inside >= 0.95 * compared, f"{program.name}: within the bound {inside} of {compared} times")
    say("sampled" in governor[0], f"{program.name}: the governor says so: {governor[0].split('state=')[1]}")
    # what was spent before it stepped in comes on top: the budget of one second
    say(cost <= (budget * 1.15 * elapsed + budget) / 100 + 0.03, f"{program.name}: {1000 * cost:.0f} ms in {elapsed:.0f} s are within {budget}%")


judge(PingPong(PINGPONG), budget=1.5)
judge(SpawnStorm(SPAWNSTORM), budget=1.5)
judge(HTTPServer(HTTPSERVER), budget=0.8)
print("judged")
