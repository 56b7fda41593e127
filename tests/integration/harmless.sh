#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Observing changes nothing: attach and detach under load, kill -9, and what the target sees of it.
# Runs alone: what it costs a program under load is compared.
. "$(dirname "$0")/lib.sh"
begin harmless

# many VERSION METHOD TIMES PROCS: attach and detach under load; the program checks its own checksums all the while
many() {
	local before after i failed=0
	start_target checksum env GOMAXPROCS="$4" "$(target checksum "$1" stripped)"
	before=$(tell checksum stats | jq .rounds)
	for ((i = 0; i < $3; i++)); do
		"$parkwatch" trace -p "$target_pid" -d 1ms --quiet --attach "$2" --format json >"$tmp/out" 2>"$tmp/err" || failed=$((failed + 1))
	done
	equal "attached and detached $3 times: Go $1, $2" 0 "$failed"
	after=$(tell checksum stats | jq .rounds)
	between "its checksums held, and it got on: Go $1, $2" $((before + 1)) "$after" 1000000000
	equal "no tracer, no probe left behind: Go $1, $2" "0" "$(awk '/^TracerPid/ { print $2 }' "/proc/$target_pid/status")"
	stop_target checksum
	rm -f "$tmp"/checksum.in "$tmp"/checksum.out
}
many 1.19 uprobe_multi 65 1
many 1.24 uprobe_multi 65 1
many 1.27 uprobe_multi 55 1
many 1.27 uprobe_multi 10 2
many 1.27 perf 5 1

# kill -9 of the daemon: targets run on, and can be attached again
start_target checksum "$(target checksum 1.24 stripped)"
start_daemon --budget none
wait_until 20 eval "metric parkwatch_target_ability 'ability=\"events\"' | grep -q 1" && ok "the daemon attaches" || not_ok "the daemon attaches" "$(tail -5 "$tmp/daemon.log")"
kill -KILL "$daemon_pid"
wait "$daemon_pid" 2>/dev/null || true
before=$(tell checksum stats | jq .rounds)
wait_until 10 eval "[ \$(tell checksum stats | jq .rounds) -gt $before ]" && ok "kill -9 of the daemon: the target runs on" ||
	not_ok "kill -9 of the daemon: the target runs on"
if start_trace again "$target_pid" 10; then
	sleep 0.5
	finish_trace && ok "and can be traced again" || not_ok "and can be traced again"
fi
equal "no reader process is left behind" "" "$(pgrep -f "$parkwatch" | grep -v "^$$\$" || true)"

# SIGTERM with 20 targets: everything detached within 4 s
for i in $(seq 19); do
	"$(target idle 1.24 stripped)" </dev/null >/dev/null 2>&1 &
	started+=("$!")
done
start_daemon --budget none
wait_until 30 eval "[ \$(metric parkwatch_target_ability 'ability=\"events\"' | grep -c '^1') -ge 20 ]" && ok "20 targets are attached" ||
	not_ok "20 targets are attached" "$(metric parkwatch_target_ability 'ability="events"' | sort | uniq -c)"
start=$(date +%s%N)
status=0
stop_daemon || status=$?
equal "SIGTERM: exit status 0" 0 "$status"
between "SIGTERM: 20 targets detached within 4 s" 0 $((($(date +%s%N) - start) / 1000000)) 4000
before=$(tell checksum stats | jq .rounds)
wait_until 10 eval "[ \$(tell checksum stats | jq .rounds) -gt $before ]" && ok "and the target runs on" || not_ok "and the target runs on"
pass
