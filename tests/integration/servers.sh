#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Servers that nobody here wrote, stripped as Debian and npm ship them: recognised, read, attached, traced under load.
. "$(dirname "$0")/lib.sh"
begin servers

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
pass
