#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Servers that nobody here wrote, stripped as Debian and npm ship them: recognised, read, attached, traced under load.
. "$(dirname "$0")/lib.sh"
begin servers

{
	echo "snapshot_interval: 1s"
	echo "include:"
	for name in prometheus etcd nats caddy containerd esbuild; do echo "- \"$(server $name)\""; done
} >"$tmp/servers.yaml"
start_daemon -c "$tmp/servers.yaml"

# Every goroutine of $server_pid as the daemon has read them, by stack; it says nothing before it has.
in_daemon() { curl -fsS "$daemon_url/api/v1/goroutines?pid=$server_pid" >"$tmp/daemon.json" 2>/dev/null; }

# observe NAME LOAD-COMMAND...: ps says yes three times, the trace under load balances and names its go statements
observe() {
	local name=$1 pid=$server_pid ps
	shift
	ps=$("$parkwatch" ps --json 2>/dev/null | jq ".processes[] | select(.pid == $pid)")
	equal "$name: events, memory and symbols can be observed" '[true,true,true]' \
		"$(jq -c '[.abilities.events.ok, .abilities.memory.ok, .abilities.symbols.ok]' <<<"$ps")"
	equal "$name is stripped" true "$(jq .stripped <<<"$ps")"
	equal "$name: every probe is on an emulated instruction" '[true]' "$(jq -c '[.sites[].emulated] | unique' <<<"$ps")"
	between "$name: goroutines" 3 "$(jq .goroutines <<<"$ps")" 2000
	check "$name: the daemon reads its stacks" wait_until 15 in_daemon
	between "$name: of all its goroutines" 3 "$(jq .total "$tmp/daemon.json")" 2000
	equal "$name: each frame has a name, and nothing was left out" "0 0" \
		"$(jq -r '"\([.groups[].stack[] | select(.function | startswith("0x"))] | length) \(.skipped)"' "$tmp/daemon.json")"
	equal "$name: parked ones have a stack" 0 "$(jq '[.groups[] | select(.status == "waiting" and .stack == [])] | length' "$tmp/daemon.json")"
	equal "$name: and says what they are" true "$(jq 'any(.groups[]; .diagnosis.rule == "PW-D01")' "$tmp/daemon.json")"
	start_trace trace "$pid" 30 || return 0
	for _ in $(seq 20); do "$@" >/dev/null 2>&1 || true; done
	sleep 0.3
	finish_trace || { not_ok "$name is traced" "$(cat "$tmp/trace.log")"; return 0; }
	equal "$name: nothing lost" 0 "$(jq .lost "$tmp/trace.json")"
	between "$name: starts by probe are starts by goid" -2 "$(jq '.spawned_by_goid - .totals.spawned' "$tmp/trace.json")" 2
	between "$name: parks" 1 "$(jq .totals.parked "$tmp/trace.json")" 1000000
	equal "$name: every go statement has a name" 0 "$(jq '[.sites[] | select(.function == "")] | length' "$tmp/trace.json")"
	kill -0 "$pid" && ok "$name goes on" || not_ok "$name goes on"
	kill "$pid"
}

start_prometheus
observe prometheus curl -fsS "$prometheus_url/api/v1/query?query=up"
start_etcd
observe etcd curl -fsS "$etcd_url/v3/kv/put" -d '{"key":"a2V5","value":"dg=="}'
start_nats
observe nats curl -fsS "$nats_url/varz"
start_caddy
observe caddy curl -fsS "$caddy_url/"
start_containerd
observe containerd "$(dirname "$(server containerd)")/ctr" --address "$tmp/containerd/c.sock" version
start_esbuild
observe esbuild curl -fsS "$esbuild_url/"
equal "no snapshot failed" 0 "$(metric parkwatch_drops_total 'reason="snapshot_failed"' | awk '{ n += $1 } END { print n + 0 }')"
stop_daemon
pass
