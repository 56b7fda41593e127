# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Reading a process's memory: whole snapshots (snapshot.py), and the runtime's own numbers."""
import json
import os
import subprocess

from paired import Target
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


BENCHES = {"snapshot": bench_snapshot, "runtime": runtime}
