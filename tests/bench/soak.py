# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Servers nobody here wrote, each twice, side by side under changing load; clients of one of each abandon what they opened.
Every alert of the default daemon, and whether it is right: one about a server whose clients abandon nothing is wrong."""
import json
import os
import random
import socket
import tempfile
import threading
import time
import urllib.parse
import urllib.request

from paired import print_table
from subjects import Caddy, Daemon, Etcd, Nats, Prometheus

LEVELS = (0.1, 1.0, 0.0, 0.5)  # of the full load, in turn
FULL_RATE = 40                 # requests a second and server
PHASE = 180                    # seconds of each level
ABANDONED_PER_HOUR = 3600

# What a client sends before it forgets that it did: a body that never comes, headers that never end, a watch that nobody
# reads, a subscription that nobody serves.
ABANDONED = {
    "prometheus": b"POST /api/v1/read HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
    "caddy": b"GET / HTTP/1.1\r\nHost: x\r\n",
    "etcd": b"POST /v3/watch HTTP/1.1\r\nHost: x\r\nContent-Length: 33\r\n\r\n{\"create_request\":{\"key\":\"a2V5\"}}",
    "nats-server": b"CONNECT {\"verbose\":false}\r\nSUB orders 1\r\n",
}


def connect(server):
    at = urllib.parse.urlparse(server.url)
    return socket.create_connection((at.hostname, at.port), timeout=10)


def request(server):
    if server.name == "nats-server":
        with connect(server) as connection:
            connection.sendall(b"CONNECT {\"verbose\":false}\r\nPUB orders 5\r\nhello\r\nPING\r\n")
            connection.recv(4096)
    elif server.name == "etcd":
        body = b'{"key":"a2V5","value":"dmFsdWU="}'
        urllib.request.urlopen(urllib.request.Request(server.url + "put", body), timeout=10).read()
    else:
        urllib.request.urlopen(server.url, timeout=10).read()


class Worker(threading.Thread):
    """Does something at random times, so many times a second as `rate` says now."""

    def __init__(self, stopped, rate, act):
        super().__init__(daemon=True)
        self.stopped, self.rate, self.act, self.done, self.failed = stopped, rate, act, 0, 0
        self.start()

    def run(self):
        while not self.stopped.is_set():
            rate = self.rate()
            if self.stopped.wait(random.expovariate(rate) if rate else 1) or not rate:
                continue
            try:
                self.act()
                self.done += 1
            except OSError:
                self.failed += 1


def tell(alerts, whose, start):
    """A line for each alert about the servers; how many were wrong. Other programs of this host may have their names."""
    alerts = [alert for alert in alerts if alert["pid"] in whose]
    rows, wrong = [["after", "server", "clients abandon", "rule", "level", "state", "verdict"]], 0
    for alert in alerts:
        name, leaks = whose[alert["pid"]]
        wrong += not leaks
        rows.append([f"{(time_of(alert) - start) / 60:.1f} min", name, "yes" if leaks else "no", alert["rule"], alert["level"],
                     alert["state"], "right" if leaks else "WRONG"])
    print_table(rows)
    for alert in alerts:
        print(f"    {whose[alert['pid']][0]}: {alert['text']}")
    return wrong


def time_of(alert):
    moment = alert.get("ended") or alert.get("resolved") or alert["fired"]
    return time.mktime(time.strptime(moment[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone if isinstance(moment, str) else moment


def soak(_rounds, minutes=None):
    minutes = minutes or float(os.environ.get("SOAK_MINUTES", "30"))
    directory, stopped = tempfile.TemporaryDirectory(), threading.Event()
    path = os.path.join(directory.name, "alerts.jsonl")
    clean, leaking = ([kind() for kind in (Prometheus, Etcd, Caddy, Nats)] for _ in range(2))
    whose = {server.pid: (server.name, server in leaking) for server in clean + leaking}
    daemon = Daemon([server.name + "*" for server in clean], settings=f'alerts:\n  file: "{path}"\n').wait_attached(len(whose))
    start, started = time.monotonic(), time.time()
    try:
        def level():
            return FULL_RATE * LEVELS[int((time.monotonic() - start) / PHASE) % len(LEVELS)]
        left = []
        loads = [Worker(stopped, level, lambda server=server: request(server)) for server in clean + leaking]

        def abandon(server):
            left.append(connect(server))
            left[-1].sendall(ABANDONED[server.name])
        abandoners = [Worker(stopped, lambda: ABANDONED_PER_HOUR / 3600, lambda server=server: abandon(server)) for server in leaking]
        before = daemon.cpu_seconds()
        time.sleep(minutes * 60)
        cpu = (daemon.cpu_seconds() - before) / (minutes * 60)
        alerts = [json.loads(line) for line in open(path, encoding="utf-8")] if os.path.exists(path) else []
        print(f"soak: {minutes:g} minutes, two of each server, {sum(one.done for one in loads)} requests ({sum(one.failed for one in loads)} failed), "
              f"{sum(one.done for one in abandoners)} abandoned; the daemon took {100 * cpu:.2f}% of a CPU")
        for pid, (name, leaks) in whose.items():
            print(f"    {name} ({'abandoned by clients' if leaks else 'healthy clients'}): {daemon.metric(f'go_goroutines{{[^}}]*pid=.{pid}.')} goroutines")
        return {"alerts": alerts, "wrong": tell(alerts, whose, started)}
    finally:
        stopped.set()
        for one in [daemon, *clean, *leaking]:
            one.close()


BENCHES = {"soak": soak}
