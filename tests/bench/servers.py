# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Servers under load: throughput, latency and CPU per request, unobserved and observed in several ways."""
import random

from paired import cpu_seconds, interleave, median, print_table, ratios, show
from subjects import Daemon, Etcd, HttpServer, Nobody, PprofPoller, Prometheus, bpftrace, wrk

WARM = 2 # seconds of load before a run: the governor has stepped in, connections stand


def observers(subject, which):
    every = {
        "unobserved": Nobody,
        "parkwatch": lambda: Daemon([subject.name + "*"]).wait_attached(1),
        "parkwatch --budget none": lambda: Daemon([subject.name + "*"], "--budget", "none").wait_attached(1),
        "bpftrace at entry": lambda: bpftrace(subject.pid),
        "pprof every 10 s": lambda: PprofPoller(subject.address, random.uniform(0, 10)),
    }
    return {name: every[name] for name in which}


def run_one(subject, observe, seconds, load):
    """Requests a second, latencies, CPU of the server and of the observer."""
    observer = observe()
    wrk(subject.url, WARM, **load)
    before, own = cpu_seconds(subject.pid), observer.cpu_seconds() if isinstance(observer, Daemon) else 0
    result = wrk(subject.url, seconds, **load)
    result["cpu_us"] = (cpu_seconds(subject.pid) - before) / result["requests"] * 1e6
    result["observer_percent"] = 100 * (observer.cpu_seconds() - own) / seconds if isinstance(observer, Daemon) else 0
    observer.close()
    return result


def compare(subject, which, rounds, seconds, load, title):
    wrk(subject.url, WARM, **load)
    results = interleave(rounds, {name: (lambda observe=observe: run_one(subject, observe, seconds, load))
                                  for name, observe in observers(subject, which).items()})
    print(f"{title}, medians [95%] of {rounds} rounds of {seconds} s in turn")
    rows = [["", "requests/s", "of unobserved", "p50 ms", "p99 ms", "CPU us/request", "observer's CPU"]]
    for name, values in results.items():
        rows.append([name, f"{median([v['rate'] for v in values]):.0f}", show(ratios(results, name, "unobserved", "rate")),
                     f"{median([v['p50_ms'] for v in values]):.2f}", show([v["p99_ms"] for v in values], "{:.2f}"),
                     show([v["cpu_us"] for v in values], "{:.1f}"), f"{median([v['observer_percent'] for v in values]):.2f}%"])
    print_table(rows)
    return results


ALL = ("unobserved", "parkwatch", "parkwatch --budget none", "bpftrace at entry", "pprof every 10 s")


def http_saturated(rounds, seconds=5, which=ALL):
    subject = HttpServer()
    try:
        return compare(subject, which, rounds, seconds, {}, "http: net/http saying hello (Go 1.24), saturated by wrk on loopback")
    finally:
        subject.close()


def http_half(rounds, seconds=5, which=ALL):
    subject = HttpServer()
    try:
        full = wrk(subject.url, WARM)["rate"]
        delay_ms = max(1, round(256 * 1000 / (full / 2)))
        return compare(subject, which, rounds, seconds, {"connections": 256, "delay_ms": delay_ms},
                       f"http-half: the same at about half of {full:.0f} requests/s (256 connections that wait {delay_ms} ms)")
    finally:
        subject.close()


STRIPPED = ("unobserved", "parkwatch", "parkwatch --budget none")


def etcd(rounds, seconds=5):
    subject = Etcd()
    try:
        return compare(subject, STRIPPED, rounds, seconds, {"connections": 16, "script": subject.script},
                       "etcd: Debian's, put and get in turn over its gateway, 16 connections")
    finally:
        subject.close()


def prometheus(rounds, seconds=5):
    subject = Prometheus()
    try:
        return compare(subject, STRIPPED, rounds, seconds, {"connections": 8},
                       "prometheus: Debian's, scraping itself, a query of rates by 8 clients")
    finally:
        subject.close()


BENCHES = {"http": http_saturated, "http-half": http_half, "etcd": etcd, "prometheus": prometheus}
