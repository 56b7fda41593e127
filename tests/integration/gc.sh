#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Collections of programs that run, held against what the programs themselves print with GODEBUG=gctrace=1: the same
# lines, byte for byte, by probes (all of them) and by polls (all but those that it says were missed).
. "$(dirname "$0")/lib.sh"
begin gc
versions=(1.19 1.21 1.22 1.23 1.24 1.25 1.26 1.27)

watch() { # NAME PID [ARGS...]: its collections for 3 s in the background
	local name=$1 pid=$2
	shift 2
	"$parkwatch" gc -p "$pid" -d 3s --format gctrace "$@" >"$tmp/$name.got" 2>"$tmp/$name.said" &
	watchers+=($!)
	started+=($!)
}

lines_of() { # NAME: what the program printed of the cycles from the first to the last that we saw
	local first last
	first=$(head -1 "$tmp/$1.got" | cut -d' ' -f2) last=$(tail -1 "$tmp/$1.got" | cut -d' ' -f2)
	awk -v first="${first:-0}" -v last="${last:-0}" '/^gc [0-9]/ && $2 + 0 >= first && $2 + 0 <= last' "$tmp/$2"
}

same_lines() { # NAME STDERR-FILE AT-LEAST MISSED-MAX
	local name=$1 missed wrong
	lines_of "$name" "$2" | sort >"$tmp/$name.want"
	wrong=$(comm -13 "$tmp/$name.want" <(sort "$tmp/$name.got"))
	missed=$(comm -23 "$tmp/$name.want" <(sort "$tmp/$name.got") | wc -l)
	equal "$name: every line is the program's own" "" "$wrong"
	between "$name: lines compared" "$3" "$(wc -l <"$tmp/$name.got")" 100000
	between "$name: lines missed" 0 "$missed" "$4"
	equal "$name: what was missed is said" "$missed" \
		"$(awk '/cycles before .* were missed/ { sum += $2 } END { print sum + 0 }' "$tmp/$name.said")"
}

# ---- our program, all versions at once, stripped ---------------------------------------------------------------------
watchers=()
for version in "${versions[@]}"; do
	GODEBUG=gctrace=1 start_target "probes-$version" "$(target memory "$version" stripped)"
	tell "probes-$version" "hold 5" >/dev/null
	tell "probes-$version" "churn 40" >/dev/null
	tell "probes-$version" "forced 20" >/dev/null
	watch "probes-$version" "$target_pid"
done
wait_until 10 test -s "$tmp/probes-1.27.got" || true
tell probes-1.27 "leaks 3" >/dev/null
wait "${watchers[@]}"
contains "cycles that look for leaked goroutines are told as such" "$(cat "$tmp/probes-1.27.got")" \
	'^gc [0-9]+ @[0-9.]+s [0-9]+% \(checking for goroutine leaks\): '
for version in "${versions[@]}"; do
	stop_target "probes-$version"
	same_lines "probes-$version" "probes-$version.err" 25 0
	lacks "probes-$version: by probes" "$(cat "$tmp/probes-$version.said")" 'no probes'
done

watchers=()
for version in "${versions[@]}"; do
	GODEBUG=gctrace=1 start_target "polls-$version" "$(target memory "$version" stripped)"
	tell "polls-$version" "gogc 0" >/dev/null
	tell "polls-$version" "hold 3" >/dev/null
	tell "polls-$version" "forced 5" >/dev/null
	watch "polls-$version" "$target_pid" --poll
done
wait "${watchers[@]}"
for version in "${versions[@]}"; do
	stop_target "polls-$version"
	same_lines "polls-$version" "polls-$version.err" 9 2
done

# ---- Debian's caddy and nats-server: Go 1.19, stripped, cgo ------------------------------------------------------------
if [ -x "$(server caddy)" ]; then
	GODEBUG=gctrace=1 GOGC=1 start_caddy
	watchers=()
	watch caddy "$server_pid"
	watch caddy-polls "$server_pid" --poll
	wait_until 10 test -s "$tmp/caddy.got" || true
	while kill -0 "${watchers[0]}" 2>/dev/null; do curl -fsS "$caddy_url/?[1-50]" >/dev/null; done
	wait "${watchers[@]}"
	same_lines caddy caddy.log 3 0
	same_lines caddy-polls caddy.log 3 100000
else
	skip caddy "scripts/servers caddy is not installed"
fi
GODEBUG=gctrace=1 GOGC=1 start_nats
watchers=()
watch nats "$server_pid"
wait_until 10 test -s "$tmp/nats.got" || true
while kill -0 "${watchers[0]}" 2>/dev/null; do curl -fsS "$nats_url/varz?[1-50]" >/dev/null; done
wait "${watchers[@]}"
same_lines nats nats.log 3 0

# ---- JSON, and what goes wrong -----------------------------------------------------------------------------------------
start_target json "$(target memory 1.27 stripped)"
tell json "hold 40" >/dev/null
tell json "churn 100" >/dev/null
json=$("$parkwatch" gc -p "$target_pid" -d 2s --json)
check "JSON: cycles by probes, none missed" jq -e '
	.schema_version == 1 and .source == "probes" and .missed == 0 and .refused == 0 and (.cycles | length) >= 2 and
	(.cycles | map(.number) | . == [range(.[0]; .[0] + length)]) and
	(.cycles[-1] | .heap_live_bytes > 40e6 and .heap_live_bytes < 60e6 and .goal_bytes > .heap_live_bytes and
	 .trigger_bytes >= .heap_start_bytes * 0.95 and .trigger_bytes < .goal_bytes and .mark_ns > 0 and
	 .stopped_ns > 0 and .gomaxprocs > 0 and .forced == false)' <<<"$json"
text=$("$parkwatch" gc -p "$target_pid" -d 1s)
contains "text: one line per cycle" "$text" '^ +[0-9]+ .*%.*MiB'

"$parkwatch" gc -p "$target_pid" --format gctrace >"$tmp/dies.got" 2>"$tmp/dies.said" &
dies=$!
started+=("$dies")
wait_until 20 test -s "$tmp/dies.got" || true
stop_target json
status=0
wait "$dies" || status=$?
equal "a target that ends: what was seen is shown, status 0" 0 "$status"
contains "and said" "$(cat "$tmp/dies.said")" 'has ended'
one_line_error "a format that is not known" 3 "text, gctrace or json" "$parkwatch" gc -p 1 --format xml
one_line_error "no process named" 3 "usage: parkwatch gc" "$parkwatch" gc
pass
