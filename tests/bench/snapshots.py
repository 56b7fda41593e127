# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Reading a process's memory: whole snapshots (snapshot.py), and the runtime's own numbers."""
import json
import os
import subprocess
import urllib.request

from paired import Target, cpu_seconds, median, show
from snapshot import bench_snapshot
from subjects import ROOT, built


def runtime(rounds):
    results = {}
    for version in ("1.19", "1.24", "1.27"):
        target = Target(built("memstats", version, "stripped"))
        program = os.path.join(ROOT, "build", "tests", "bench", "bench_runtime")
        values = json.loads(subprocess.run([program, str(target.pid), str(rounds * 5)], check=True, stdout=subprocess.PIPE, text=True).stdout)
        target.close()
        results[version] = values
        print(f"runtime: {values['go_version']}, {values['gomaxprocs']} Ps, {values['threads']} threads: {values['read_ns'] / 1000:.1f} us in"
              f" {values['system_calls']} system calls, {values['ratio']:.0f} times an empty process_vm_readv ({values['empty_ns']:.0f} ns);"
              f" with the lists of threads and finalizers {values['with_lists_ns'] / 1000:.1f} us")
    return results


def heap(rounds):
    target = Target(built("heap", "1.24", "stripped"))
    target.tell("buckets 50000")
    target.tell("gc 2")
    url = f"http://{target.tell('serve')['address']}/debug/pprof/heap"
    program = os.path.join(ROOT, "build", "tests", "bench", "bench_heap")
    pairs = []
    for _ in range(rounds + 1):
        before = cpu_seconds(target.pid)
        for _ in range(4):
            urllib.request.urlopen(url).read()
        own = (cpu_seconds(target.pid) - before) * 1000 / 4
        values = json.loads(subprocess.run([program, str(target.pid), "5"], check=True, stdout=subprocess.PIPE, text=True).stdout)
        pairs.append({**values, "own_ms": own})
    target.close()
    del pairs[0]
    shares = {key: [pair[key] / pair["own_ms"] for pair in pairs] for key in ("look_ms", "sites_ms", "pprof_ms")}
    values = {key: median([pair[key] for pair in pairs]) for key in pairs[0]}
    print(f"heap: {values['buckets']:.0f} buckets, {values['addresses']:.0f} addresses: read in {values['look_ms']:.1f} ms of CPU, {values['reads']:.0f}"
          f" system calls; with names {values['sites_ms']:.1f} ms, as a pprof file {values['pprof_ms']:.1f} ms; its own /debug/pprof/heap"
          f" {values['own_ms']:.0f} ms of its CPU: {show(shares['look_ms'], '{:.2f}')}, {show(shares['sites_ms'], '{:.2f}')} and"
          f" {show(shares['pprof_ms'], '{:.2f}')} of it")
    return {**values, "shares": shares}


BENCHES = {"snapshot": bench_snapshot, "runtime": runtime, "heap": heap}
