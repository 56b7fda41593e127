#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# `parkwatch goroutines` of servers that nobody here wrote. Those that have a pprof endpoint are the judges of it.
. "$(dirname "$0")/lib.sh"
begin judges
export GOCACHE=${PARKWATCH_CACHE:-$HOME/.cache/parkwatch}/go-build # newer toolchains build pprof when it is first asked for
compare=$root/tests/integration/goroutines.py
look() { "$parkwatch" goroutines -p "$server_pid" --once "$@"; }
"$parkwatch" goroutines --json-schema >"$tmp/schema.json"

# Asked between two looks, so that what happens in that very moment is not held against us; then again.
agrees1() { # URL
	look --json >"$tmp/before" && curl -fsS -H 'Connection: close' "$1/debug/pprof/goroutine?debug=1" >"$tmp/answer" &&
		look --json >"$tmp/after" && "$compare" debug1 "$tmp/before" "$tmp/after" "$tmp/answer" >"$tmp/differences"
}
agrees2() { # URL
	look --format debug2 >"$tmp/before" && curl -fsS -H 'Connection: close' "$1/debug/pprof/goroutine?debug=2" >"$tmp/answer" &&
		look --format debug2 >"$tmp/after" && "$compare" debug2 "$tmp/before" "$tmp/after" "$tmp/answer" >"$tmp/differences"
}
judge() { # NAME URL
	local name=$1 url=$2
	if wait_until 20 agrees1 "$url"; then
		ok "$name: every stack, function by function, line by line, with the counts of its own debug=1"
	else
		not_ok "$name: every stack, function by function, line by line, with the counts of its own debug=1" "$(head -20 "$tmp/differences")"
	fi
	if wait_until 20 agrees2 "$url"; then
		ok "$name: every goroutine, frame by frame, offset by offset, as in its own debug=2"
	else
		not_ok "$name: every goroutine, frame by frame, offset by offset, as in its own debug=2" "$(head -20 "$tmp/differences")"
	fi
	between "$name: goroutines that were compared" 10 "$(grep -c '^goroutine ' "$tmp/answer")" 1000
}

# Every format of a server, read by those that are to read it.
formats() { # NAME GO-VERSION...
	local name=$1 total version go
	shift
	look --json >"$tmp/p.json"
	check "$name: the JSON is as its schema says" "$compare" schema "$tmp/schema.json" "$tmp/p.json"
	equal "$name: every frame has a name and a line" 0 "$(jq '[.groups[].stack[] | select(.function == "" or .line == 0)] | length' "$tmp/p.json")"
	look --format pprof -o "$tmp/p.pb.gz"
	for version; do
		go=$("$root/scripts/toolchains" "$version")
		"$go" tool pprof -raw "$tmp/p.pb.gz" >"$tmp/raw" 2>"$tmp/err" || not_ok "$name: go$version reads the profile" "$(cat "$tmp/err")"
		contains "$name: go$version tool pprof: sample types" "$(cat "$tmp/raw")" '^goroutine/count(\[dflt\])? waiting/nanoseconds'
		contains "$name: go$version tool pprof: mapping and build ID" "$(grep -A1 '^Mappings' "$tmp/raw")" \
			"^1: 0x[0-9a-f]+/0x[0-9a-f]+/0x[0-9a-f]+ $(readlink "/proc/$server_pid/exe") [0-9a-z:]+"
		total=$("$go" tool pprof -top "$tmp/p.pb.gz" 2>/dev/null | sed -n 's/^Showing nodes accounting for .* of \([0-9]*\) total$/\1/p')
		between "$name: go$version tool pprof -top" 1 "${total:-0}" "$(jq .total "$tmp/p.json")"
		between "$name: go$version tool pprof -traces" 3 "$("$go" tool pprof -traces "$tmp/p.pb.gz" 2>/dev/null | grep -c -- '-----------+')" 1000
		contains "$name: go$version tool pprof: labels" "$(cat "$tmp/raw")" 'wait reason:\[(IO wait|select|chan receive)\]'
	done
	look --format folded >"$tmp/p.folded"
	equal "$name: folded: stacks and a number" 0 "$(grep -cvE '^[^ ].*;\[[^]]+\] [0-9]+$' "$tmp/p.folded" || true)"
	between "$name: folded: as many as there are of its own" 1 "$(awk '{ sum += $NF } END { print sum }' "$tmp/p.folded")" "$(jq .total "$tmp/p.json")"
	look --format svg >"$tmp/p.svg"
	check "$name: the flame graph is XML" python3 -c 'import sys, xml.etree.ElementTree as t; t.parse(sys.argv[1])' "$tmp/p.svg"
	lacks "$name: the flame graph needs nothing else" "$(sed 's|http://www.w3.org/2000/svg||' "$tmp/p.svg")" '(src|href)=|https?:'
	look --format debug2 >"$tmp/p.debug2"
	check "$name: nothing but lines of debug=2" "$compare" lines "$tmp/p.debug2"
	"$(server panicparse)" <"$tmp/p.debug2" >"$tmp/buckets"
	equal "$name: panicparse finds every goroutine in it" "$(grep -c '^goroutine ' "$tmp/p.debug2")" \
		"$(sed -n 's/^\([0-9]*\): .*/\1/p' "$tmp/buckets" | awk '{ sum += $1 } END { print sum }')"
}
stop_server() {
	kill "$server_pid" 2>/dev/null || true
	wait "$server_pid" 2>/dev/null || true
}

start_prometheus
sleep 3 # its first seconds are no rest
judge prometheus "$prometheus_url"
formats prometheus 1.19 1.21 1.22 1.23 1.24 1.25 1.26 1.27
stop_server
start_etcd
judge etcd "$etcd_url"
formats etcd 1.24
stop_server
start_nats
formats nats 1.24
stop_server
start_caddy
formats caddy 1.24
stop_server
start_containerd
formats containerd 1.24
stop_server
start_esbuild
server_pid=$(pgrep -P "$server_pid" esbuild || echo "$server_pid")
formats esbuild 1.24
pass
