#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Many Go processes that start and end together: what they cost is given back, and an end in the middle of it is quick.
# Runs alone: many programs start at once, and ends have deadlines.
. "$(dirname "$0")/lib.sh"
begin churn

crowd=150
idle=$(target idle 1.24 stripped)
mkfifo "$tmp/never"
sleep 600 >"$tmp/never" & # nobody of the crowd sees the end of its input
started+=($!)
declare -a pids

descriptors() { find "/proc/$daemon_pid/fd" -mindepth 1 | wc -l; }
attached() { [ "$(metric parkwatch_targets_attached)" -ge "$1" ]; }
few_descriptors() { [ "$(descriptors)" -le "$1" ]; }
gather() {
	pids=()
	for _ in $(seq $crowd); do
		"$idle" <"$tmp/never" >/dev/null 2>&1 &
		pids+=($!)
	done
	started+=("${pids[@]}")
}
scatter() {
	kill -KILL "${pids[@]}" 2>/dev/null || true
	wait "${pids[@]}" 2>/dev/null || true
}

start_daemon
start_target stays "$(target counts 1.24 stripped)"
wait_until 10 attached 1 || not_ok "the first process is attached"
base=$(descriptors)
others=$(metric parkwatch_targets_attached)

gather
wait_until 30 attached $((others + crowd)) && ok "$crowd processes that start together are attached" ||
	not_ok "$crowd processes that start together are attached" "attached $(metric parkwatch_targets_attached)" "$(tail -3 "$tmp/daemon.log")"
between "and hold descriptors" $((base + crowd * 3)) "$(descriptors)" 100000
scatter
wait_until 15 few_descriptors $((base + 30)) && ok "within 15 s of their end the descriptors are given back" ||
	not_ok "within 15 s of their end the descriptors are given back" "at first $base, now $(descriptors)"
before=$(tell stays stats | jq .totals.spawned)
tell stays "run 100" >/dev/null
between "the one that stays is counted on" 1 "$(($(tell stays stats | jq .totals.spawned) - before))" 1000

gather
sleep 1
start_target late "$(target counts 1.27 stripped)"
late_attached() { metrics | grep '^parkwatch_target_ability' | grep "pid=\"$target_pid\"" | grep 'ability="events"' | grep -q ' 1$'; }
wait_until 30 late_attached && ok "a process that starts in the crowd is attached within 30 s" ||
	not_ok "a process that starts in the crowd is attached within 30 s" "attached in all: $(metric parkwatch_targets_attached)" \
		"$(metrics | grep "pid=\"$target_pid\"" | grep -E '^parkwatch_(target_ability|ability)' | head -5)" "$(tail -3 "$tmp/daemon.log")"
scatter
start=$(date +%s%N)
stop_daemon && ok "SIGTERM right after they are killed ends the daemon in order" || not_ok "SIGTERM right after they are killed ends the daemon in order" "$(tail -3 "$tmp/daemon.log")"
between "within 4 s" 0 $((($(date +%s%N) - start) / 1000000)) 4000
tell stays "run 5" >/dev/null && ok "what was observed runs on" || not_ok "what was observed runs on"
pass
