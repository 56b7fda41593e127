# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Servers under load: throughput, latency and CPU per request, unobserved and observed in several ways."""
import itertools
import os
import random

from paired import confidence, cpu_seconds, mean, median, print_table, ratios, show
from subjects import Daemon, Etcd, HttpServer, Nobody, PprofPoller, Prometheus, bpftrace, wrk

LOADED = 1  # seconds of load after an observer has gone
SETTLE = 4 # seconds of load after one has come: calibrated, the governor has stepped in, first windows are over
ACCOUNT = ("parkwatch_probe_cost_seconds_total", "parkwatch_probe_windows_total")


def observers(subject, which):
    every = {
        "unobserved": Nobody,
        "parkwatch": lambda: Daemon([subject.pattern]).wait_attached(1),
        "parkwatch --budget none": lambda: Daemon([subject.pattern], "--budget", "none").wait_attached(1),
        "bpftrace at entry": lambda: bpftrace(subject.pid),
        "pprof every 10 s": lambda: PprofPoller(subject.address, random.uniform(0, 10)),
    }
    return {name: every[name] for name in which}


def account(observer):
    """What a daemon has cost so far: CPU seconds of all its processes; of its probes by its own account; windows."""
    if not isinstance(observer, Daemon):
        return (0, 0, 0)
    return (observer.cpu_seconds(), *(observer.metric(name) or 0 for name in ACCOUNT))


def run_one(subject, observer, seconds, load):
    """Throughput, latencies, CPU of the server and of the observer."""
    before, own = cpu_seconds(subject.pid), account(observer)
    result = wrk(subject.url, seconds, **load)
    result["cpu_us"] = (cpu_seconds(subject.pid) - before) / result["requests"] * 1e6
    cpu, probes, windows = (now - then for now, then in zip(account(observer), own))
    result.update(observer_percent=100 * cpu / seconds, probes_percent=100 * probes / seconds, windows=windows)
    return result


def order(rounds, names):
    """Forwards and backwards in turn, A B B A A B: neighbours that are the same share one observer."""
    runs = [name for turn in range(rounds) for name in (names if turn % 2 == 0 else names[::-1])]
    return [(name, len(list(same))) for name, same in itertools.groupby(runs)]


def in_turn(subject, which, rounds, seconds, load):
    """The same server all along; an observer comes, is given time under load, is timed, and goes."""
    start, results = observers(subject, which), {name: [] for name in which}
    for name, count in order(rounds, list(which)):
        observer = start[name]()
        wrk(subject.url, LOADED if name == "unobserved" else SETTLE, **load)
        results[name] += [run_one(subject, observer, seconds, load) for _ in range(count)]
        observer.close()
    return results


def compare(subject, which, rounds, seconds, load, title):
    results = in_turn(subject, which, rounds, seconds, load)
    print(f"{title}, medians [95%] of {rounds} rounds of {seconds} s in turn")
    rows = [["", "requests/s", "of unobserved", "p50 ms", "p99 ms", "CPU us/request", "observer's CPU", "probes' CPU"]]
    for name, values in results.items():
        ours = name.startswith("parkwatch")
        rows.append([name, f"{median([v['rate'] for v in values]):.0f}", show(ratios(results, name, "unobserved", "rate")),
                     f"{median([v['p50_ms'] for v in values]):.2f}", show([v["p99_ms"] for v in values], "{:.2f}"),
                     show([v["cpu_us"] for v in values], "{:.1f}"),
                     *([f"{mean([v[key] for v in values]):.2f}%" for key in ("observer_percent", "probes_percent")] if ours else "--")])
    print_table(rows)
    return results


ALL = ("unobserved", "parkwatch", "parkwatch --budget none", "bpftrace at entry", "pprof every 10 s")


def http_saturated(rounds, seconds=5, which=ALL):
    subject = HttpServer()
    try:
        return compare(subject, which, rounds, seconds, {}, "http-all: net/http saying hello (Go 1.24), saturated by wrk on loopback")
    finally:
        subject.close()


def http_half(rounds, seconds=5, which=ALL):
    subject = HttpServer()
    try:
        full = wrk(subject.url, 2)["rate"]
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


PAIRS = 30
PROMISED = ("unobserved", "parkwatch")


def default_daemon(pairs=PAIRS, seconds=5):
    """What the default daemon leaves of the throughput: of pairs, and by the CPU time that it and its probes take."""
    subject = HttpServer()
    try:
        results = compare(subject, PROMISED, pairs, seconds, {}, "http: net/http saying hello (Go 1.24), saturated by wrk on loopback")
    finally:
        subject.close()
    values, p99 = ratios(results, "parkwatch", "unobserved", "rate"), ratios(results, "parkwatch", "unobserved", "p99_ms")
    cpu_us = ratios(results, "parkwatch", "unobserved", "cpu_us")
    whole = [(v["observer_percent"] + v["probes_percent"]) / os.cpu_count() for v in results["parkwatch"]]
    low, high = confidence(values)
    print(f"  throughput, of unobserved, paired: median {median(values):.3f}, 95% bounds {low:.3f} and {high:.3f}; p99 {show(p99)} times; "
          f"CPU per request {show(cpu_us)} times")
    print(f"  what daemon and probes take of the machine: {mean(whole):.2f}% (mean), {show(whole, '{:.2f}')}% of it in a run")
    return {**results, "throughput": values, "p99": p99, "whole_percent": whole}


def http_promised(rounds):
    return default_daemon(PAIRS if rounds >= 9 else max(rounds, 3))


BENCHES = {"http": http_promised, "http-all": http_saturated, "http-half": http_half, "etcd": etcd, "prometheus": prometheus}
