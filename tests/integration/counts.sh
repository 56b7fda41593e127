#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What the probes count is what the program itself counted: spawns, exits, parks, wait reasons, GC cycles and goids;
# equal, not nearly, with stack growth, preemption, panics, Goexit, dying threads and iter.Pull among what it does.
. "$(dirname "$0")/lib.sh"
begin counts

compare=$root/tests/integration/compare_counts.py

# one VERSION FLAVOUR [TRACE OPTIONS...]
one() {
	local coroutines=() name=$1-$2${3:+ ${*:3}}
	[ "$2" != pgo ] || [ "$1" = 1.21 ] || coroutines=(--no-coroutines)
	start_target counts "$(target counts "$1" "$2")"
	tell counts "run 20" >/dev/null # warm: threads and caches of the runtime are there before anything is counted
	if start_trace trace "$target_pid" 60 "${@:3}"; then
		tell counts stats >"$tmp/before.json"
		tell counts "run 300" >/dev/null
		tell counts "gc 3" >/dev/null
		tell counts stats >"$tmp/after.json"
		if finish_trace; then
			check "counts $name: spawned, exited, parked by go statement" python3 "$compare" \
				"${coroutines[@]}" "$tmp/trace.json" "$tmp/before.json" "$tmp/after.json"
		else
			not_ok "counts $name" "trace failed: $(cat "$tmp/trace.log")"
		fi
	fi
	stop_target counts
	rm -f "$tmp"/counts.in "$tmp"/counts.out
}

for version in 1.19 1.24 1.27; do
	for flavour in plain stripped; do one $version $flavour; done
done
for version in 1.21 1.22 1.23 1.25 1.26; do one $version stripped; done
for flavour in pie-stripped external-stripped pie-external-stripped; do
	for version in 1.19 1.27; do one $version $flavour; done
done
one 1.21 pgo
one 1.27 pgo
one 1.24 noopt
one 1.19 stripped --attach perf
one 1.27 stripped --attach perf
pass
