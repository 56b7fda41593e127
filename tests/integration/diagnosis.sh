#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Every fault that `parkwatch goroutines` has a rule for, on every Go version; the healthy twin of each; and servers
# without a fault, of which nothing is said that is not so.
. "$(dirname "$0")/lib.sh"
begin diagnosis
compare=$root/tests/integration/goroutines.py
versions="1.19 1.21 1.22 1.23 1.24 1.25 1.26 1.27"
[ $# = 0 ] || versions=$*

# ---- faults and twins ------------------------------------------------------------------------------------------------
declare -A looks
for version in $versions; do
	for what in faults twins; do
		name=$what$version
		start_target "$name" "$(target faults "$version" stripped)"
		tell "$name" "$what" >"$tmp/$name.answer"
		"$parkwatch" goroutines -p "$target_pid" --json >"$tmp/$name.json" 2>"$tmp/$name.log" &
		looks[$name]=$!
	done
done
for version in $versions; do
	for what in faults twins; do
		name=$what$version
		wait "${looks[$name]}" || not_ok "go$version: $what are looked at" "$(cat "$tmp/$name.log")"
		check "go$version: $what: rule, verdict, words and line of each, and nothing more" \
			"$compare" faults "$tmp/$name.json" "$tmp/$name.answer"
		stop_target "$name"
	done
	equal "go$version: who holds the mutex is among the parked, and alone" 1 \
		"$(jq '[.groups[] | select(.diagnosis and (.diagnosis.text | contains("get (faults.go"))) | .waiting_on.owner] | unique | length' "$tmp/faults$version.json")"
	case $version in 1.19 | 1.21 | 1.22) ;; *)
		equal "go$version: of iterators it cannot be seen that they ran, and nothing is said" '[[null,0]]' \
			"$(jq -c '[.groups[] | select(.wait_reason == "coroutine") | [.runs, .age_ns.max]] | unique' "$tmp/twins$version.json")" ;;
	esac
	equal "go$version: a healthy lock has no owner that is blocked" 0 \
		"$(jq '[.groups[] | select(.diagnosis and .diagnosis.rule == "PW-G04")] | length' "$tmp/twins$version.json")"
done

# ---- with C ----------------------------------------------------------------------------------------------------------
for what in faults twins; do
	start_target "cgo$what" "$(target faults 1.24 cgo-stripped)"
	tell "cgo$what" "$what" >"$tmp/cgo.answer"
	"$parkwatch" goroutines -p "$target_pid" --json >"$tmp/cgo.json"
	check "with cgo: $what" "$compare" faults "$tmp/cgo.json" "$tmp/cgo.answer"
	stop_target "cgo$what"
done

# ---- servers ---------------------------------------------------------------------------------------------------------
# Nothing is likely or certain there, but what is harmless; and main may wait for ever.
healthy() { # NAME
	"$parkwatch" goroutines -p "$server_pid" --json >"$tmp/server.json"
	equal "$1: nothing is certain or likely but the runtime's own" '[]' \
		"$(jq -c '[.groups[].diagnosis | values | select(.verdict != "possible" and .rule != "PW-D01")]' "$tmp/server.json")"
	equal "$1: no more is possible than idle connections, a system call, a WaitGroup, main in a select {}" '[]' \
		"$(jq -c '[.groups[].diagnosis | values | select(.rule | IN("PW-D01", "PW-G07", "PW-D02", "PW-G05", "PW-G02") | not)]' "$tmp/server.json")"
	kill "$server_pid"
}
start_prometheus
healthy prometheus
start_etcd
healthy etcd
start_nats
healthy nats
start_caddy
healthy caddy
contains "caddy: main waits on purpose" "$(jq -r '.groups[].diagnosis | values | select(.rule == "PW-G02") | .text' "$tmp/server.json")" "on purpose"
start_containerd
healthy containerd
start_esbuild
healthy esbuild
mkfifo "$tmp/lsp"
"$(server tsgo)" --lsp --stdio <"$tmp/lsp" >"$tmp/lsp.log" 2>&1 &
server_pid=$!
started+=("$server_pid")
exec {lsp}>"$tmp/lsp"
goroutines_of() { "$parkwatch" ps --json 2>/dev/null | jq -e ".processes[] | select(.pid == $1 and .goroutines > 3)"; }
check "tsgo starts" wait_until 20 goroutines_of "$server_pid"
healthy tsgo
exec {lsp}>&-
pass
