# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Reading a process's memory: whole snapshots (snapshot.py), and the runtime's own numbers."""
import json
import os
import statistics
import subprocess
import urllib.request

from paired import Target, cpu_seconds
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
    theirs = []
    for _ in range(rounds + 1):
        before = cpu_seconds(target.pid)
        urllib.request.urlopen(url).read()
        theirs.append((cpu_seconds(target.pid) - before) * 1000)
    program = os.path.join(ROOT, "build", "tests", "bench", "bench_heap")
    values = json.loads(subprocess.run([program, str(target.pid), str(rounds)], check=True, stdout=subprocess.PIPE, text=True).stdout)
    target.close()
    own = statistics.mean(theirs[1:])
    print(f"heap: {values['buckets']} buckets, {values['addresses']} addresses: read in {values['look_ms']:.1f} ms of CPU, {values['reads']} system"
          f" calls; with names {values['sites_ms']:.1f} ms, as a pprof file {values['pprof_ms']:.1f} ms; its own /debug/pprof/heap {own:.0f} ms of"
          f" its CPU: {values['look_ms'] / own:.2f}, {values['sites_ms'] / own:.2f} and {values['pprof_ms'] / own:.2f} of it")
    return {**values, "own_ms": own}


BENCHES = {"snapshot": bench_snapshot, "runtime": runtime, "heap": heap}
