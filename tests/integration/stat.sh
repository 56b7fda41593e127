#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# parkwatch stat, and the same numbers in /metrics, against what prometheus, etcd and node_exporter say of themselves.
. "$(dirname "$0")/lib.sh"
begin stat
judge=$root/tests/integration/stat.py

start_node_exporter() {
	local port
	port=$(free_port)
	node_url=http://127.0.0.1:$port
	start_server node_exporter "$node_url/" "$(server node_exporter)" --web.listen-address="127.0.0.1:$port"
}

# round NAME PID URL [counters]: theirs, ours, theirs
round() {
	curl -fsS "$3/metrics" -o "$tmp/before" && "$parkwatch" stat -p "$2" --json >"$tmp/ours" &&
		curl -fsS "$3/metrics" -o "$tmp/after" && "$judge" between "$tmp/before" "$tmp/ours" "$tmp/after" "${@:4}"
}

at_rest() { # NAME PID URL: all numbers, in one of a few rounds: its own timers may wake it in between
	for _ in 1 2 3 4 5 6 7 8; do round "$@" >"$tmp/said" && return; done
	cat "$tmp/said"
	return 1
}

under_load() { # NAME PID URL LOAD-COMMAND: the counters, in each round
	local load failed=0
	(while :; do eval "$4" >/dev/null 2>&1 || :; done) &
	load=$!
	for _ in 1 2 3 4 5; do round "$1" "$2" "$3" counters >>"$tmp/load" || failed=1; done
	kill "$load"
	wait "$load" 2>/dev/null || :
	[ $failed = 0 ] || cat "$tmp/load"
	return $failed
}

start_prometheus
prometheus_pid=$server_pid
start_etcd
etcd_pid=$server_pid
start_node_exporter
node_pid=$server_pid

# ---- the command ----------------------------------------------------------------------------------------------------
check "prometheus at rest: all of client_golang's numbers" at_rest prometheus "$prometheus_pid" "$prometheus_url"
check "etcd at rest" at_rest etcd "$etcd_pid" "$etcd_url"
check "node_exporter at rest" at_rest node_exporter "$node_pid" "$node_url"
check "prometheus under load: counters between its own" under_load prometheus "$prometheus_pid" "$prometheus_url" \
	"curl -fsS '$prometheus_url/api/v1/query?query=up' '$prometheus_url/metrics'"
check "etcd under load" under_load etcd "$etcd_pid" "$etcd_url" \
	"curl -fsS -d '{\"key\":\"Zm9v\",\"value\":\"YmFy\"}' $etcd_url/v3/kv/put $etcd_url/metrics"
check "node_exporter under load" under_load node_exporter "$node_pid" "$node_url" "curl -fsS $node_url/metrics"

# ---- the daemon ------------------------------------------------------------------------------------------------------
printf 'include: [prometheus, etcd, "prometheus-node*"]\n' >"$tmp/config.yaml"
start_daemon --budget none -c "$tmp/config.yaml"
wait_until 15 eval "metrics | grep '^go_memstats_sys_bytes' | grep -q 'pid=\"$node_pid\"'" || not_ok "the daemon reads them" "$(metrics | head -50)"
metrics >"$tmp/page"
for server in "prometheus $prometheus_url" "etcd $etcd_url" "node_exporter $node_url"; do
	curl -fsS "${server#* }/metrics" -o "$tmp/theirs"
	check "/metrics has the families of ${server%% *} with their types" "$judge" families "$tmp/theirs" "$tmp/page"
done
page_at_rest() { # PID URL: the page is as of the last tick, so it is theirs before it that has to be old enough
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		curl -fsS "$2/metrics" -o "$tmp/before"
		sleep 2.2 # the daemon reads once a second
		metrics >"$tmp/page" && curl -fsS "$2/metrics" -o "$tmp/after" &&
			"$judge" same "$tmp/before" "$tmp/page" "$tmp/after" "pid=\"$1\"" >"$tmp/said" && return
	done
	cat "$tmp/said"
	return 1
}
check "and etcd's own values" page_at_rest "$etcd_pid" "$etcd_url"
stop_daemon

# ---- use of it -------------------------------------------------------------------------------------------------------
start_target memstats "$(target memstats 1.27 stripped)"
"$parkwatch" stat -p "$target_pid" >"$tmp/text"
contains "the first line says who it is" "$(head -1 "$tmp/text")" "^memstats.* \(pid $target_pid, go1\.27\.[0-9]+\)  up .*GOMAXPROCS [0-9]+  GOGC 100"
lacks "one look has no rates" "$(cat "$tmp/text")" "PER SECOND"
tell memstats load >/dev/null
"$parkwatch" stat -p "$target_pid" --interval 300ms --count 3 >"$tmp/text"
equal "three looks" 3 "$(grep -c 'up .*GOMAXPROCS' "$tmp/text")"
contains "with rates" "$(cat "$tmp/text")" "^  allocated .*\+[0-9.]+ [KMG]iB +\+[0-9.]+ [KMG]iB"
"$parkwatch" stat -p "$target_pid" -i 200ms -n 3 --json >"$tmp/lines"
equal "JSON: one object per look, changes from the second on" '[null,true,true]' \
	"$(jq -cs 'map(if .changes == null then null else .changes.alloc_bytes > 0 end)' "$tmp/lines")"
equal "JSON: a change is the difference of two looks" true \
	"$(jq -s '.[1].numbers.alloc_bytes - .[0].numbers.alloc_bytes == .[1].changes.alloc_bytes' "$tmp/lines")"
tell memstats rest >/dev/null
equal "closed pipe: it ends" 1 "$(timeout 10 "$parkwatch" stat -p "$target_pid" -i 100ms --json 2>/dev/null | head -1 | wc -l)"
"$parkwatch" stat -p "$target_pid" -i 10s >"$tmp/text" &
watcher=$!
wait_until 10 grep -q GOMAXPROCS "$tmp/text" || :
kill -INT "$watcher"
status=0
wait "$watcher" || status=$?
equal "Ctrl-C: status 0" 0 "$status"
"$parkwatch" stat -p "$target_pid" -i 10s >"$tmp/text" 2>"$tmp/err" &
watcher=$!
wait_until 10 grep -q GOMAXPROCS "$tmp/text" || :
stop_target memstats
status=0
wait "$watcher" || status=$?
equal "the process ends: said, status 0" "0 parkwatch: process $target_pid has ended" "$status $(cat "$tmp/err")"
one_line_error "no such process" 2 "no process 4194303" "$parkwatch" stat -p 4194303
one_line_error "no process named" 3 "usage: parkwatch stat" "$parkwatch" stat
one_line_error "--count alone" 3 "needs --interval" "$parkwatch" stat -p 1 --count 3
sleep 60 &
started+=($!)
one_line_error "not a Go program" 2 "not a Go program" "$parkwatch" stat -p $!

pass
