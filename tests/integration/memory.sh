#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Where the RSS goes: programs that put their memory where they are told to, and Debian's servers. The rows add up to the
# kernel's RSS; what was put somewhere is found there.
. "$(dirname "$0")/lib.sh"
begin memory
MB=$((1 << 20))

look() { # PID [ARGS...]: sets $json, and checks what holds for every program
	local pid=$1 rss
	shift
	json=$("$parkwatch" memory -p "$pid" --json "$@")
	rss=$(awk '/^Rss:/ { print $2 * 1024 }' "/proc/$pid/smaps_rollup")
	check "$name: rows and rest add up" jq -e '([.bytes[]] | add) + .unexplained_bytes == .rss_bytes' <<<"$json"
	between "$name: it is the kernel's RSS" $((rss * 95 / 100 - MB)) "$(jq .rss_bytes <<<"$json")" $((rss * 105 / 100 + MB))
}

is() { # WHAT JQ-EXPRESSION: holds for $json; . is the document, $mb a megabyte
	if jq -e --argjson mb "$MB" "$2" >/dev/null <<<"$json"; then ok "$name: $1"; else
		not_ok "$name: $1" "expected: $2" "actual:   $(jq -c 'del(.limits)' <<<"$json")"
	fi
}

program() { # NAME VERSION COMMAND...: a program of ours that has done that
	name=$1
	local version=$2 command
	shift 2
	start_target "$name" "$(target memory "$version" stripped)"
	for command; do tell "$name" "$command" >/dev/null; done
}
metrics_have() { metrics | grep -qE -- "$1"; }
small='(.unexplained_bytes | fabs) < 3 * $mb'
# The runtime counts address space: what the program never wrote to is no surprise.
explained='(.unexplained_bytes + .heap.untouched_bytes + .heap.swapped_bytes | fabs) < 3 * $mb'

for version in 1.19 1.21 1.22 1.23 1.24 1.25 1.26 1.27; do
	program "heap-$version" "$version" "hold 60" gc "hold 30"
	look "$target_pid"
	is "live heap and what came since" '(.bytes.live_heap / $mb | . > 58 and . < 70) and (.bytes.uncollected / $mb | . > 28 and . < 36) and
		.largest == "live_heap"'
	is "the rest is small" "$small"
	is "nothing is said not to be Go's" '.bytes.non_go < 2 * $mb'
	stop_target "heap-$version"
done

program garbage 1.24 "gogc 400" "hold 20" gc "hold 60" drop
look "$target_pid"
is "garbage that waits for the next GC" '.bytes.uncollected > 55 * $mb and .largest == "uncollected" and .limits.gogc_percent == 400 and
	.limits.heap_goal_bytes > 90 * $mb'
contains "garbage: the conclusion says what it waits for" "$("$parkwatch" memory -p "$target_pid")" \
	'^The largest part is new objects and garbage waiting for the next GC at [0-9.]+ MiB of heap \(GOGC=400\)'
tell garbage gc >/dev/null
look "$target_pid"
is "after the GC: free spans, or returned already" '.bytes.uncollected < 5 * $mb and .bytes.free_spans + .heap.released_bytes > 60 * $mb'
is "the rest is small" "$small"

program spike 1.24 "hold 150" free
look "$target_pid"
is "given back: not in the RSS" '.heap.released_bytes > 140 * $mb and .rss_bytes < 30 * $mb'

program limit 1.27 "limit 50" "gogc 0" "hold 20"
look "$target_pid"
is "GOMEMLIMIT is read, and the goal follows from it" \
	'.limits.gomemlimit_bytes == 50 * $mb and .limits.gogc_percent == null and .limits.heap_goal_bytes < 50 * $mb and .limits.heap_goal_bytes > 30 * $mb'

program stacks 1.26 "stacks 2000 20"
look "$target_pid"
is "stacks of 2000 goroutines" '.bytes.stacks > 60 * $mb and .largest == "stacks"'

program mmap 1.23 "mmap 80" "shared 30"
look "$target_pid"
is "memory that Go does not know" '(.bytes.non_go / $mb | . > 76 and . < 85) and (.bytes.shmem / $mb | . >= 30 and . < 32) and .largest == "non_go"'
is "the rest is small" "$small"
look "$target_pid" --rollup
is "without telling mappings apart: the same, by difference" '.bytes.non_go / $mb | . > 70 and . < 90'

program untouched 1.25 "large 200"
look "$target_pid"
is "room never written is in the rest, and named" '.heap.untouched_bytes > 190 * $mb and .unexplained_bytes < -180 * $mb'

head -c $((40 * MB)) /dev/urandom >"$tmp/file"
program file 1.21 "file $tmp/file"
look "$target_pid"
is "a mapped file" '.bytes.file > 40 * $mb and .largest == "file"'

program huge 1.22 "huge 40"
look "$target_pid"
is "huge pages are counted once" '.bytes.non_go / $mb | . > 36 and . < 46'
if grep -q never] /sys/kernel/mm/transparent_hugepage/enabled; then
	skip "huge pages" "this kernel makes none"
else
	is "and said to be huge" '.huge_pages_bytes >= 30 * $mb'
fi

name=cgo
start_target cgo "$(target cgo 1.24 cgo-stripped)"
tell cgo "malloc 60" >/dev/null
look "$target_pid"
is "malloc of C" '(.bytes.non_go / $mb | . > 56 and . < 70) and .c_heap_bytes > 25 * $mb and .largest == "non_go"'
is "the rest is small" "$small"

# ---- a cgroup with a limit ---------------------------------------------------------------------------------------------
cgroup=$(basename "$tmp")
if [ -d /sys/fs/cgroup/memory ]; then
	directory=/sys/fs/cgroup/memory/$cgroup limit=memory.limit_in_bytes version=1
else
	directory=/sys/fs/cgroup/$cgroup limit=memory.max version=2
	grep -q memory /sys/fs/cgroup/cgroup.subtree_control || echo +memory >/sys/fs/cgroup/cgroup.subtree_control || true
fi
if mkdir "$directory" "$directory/below" 2>"$tmp/mkdir.err" && echo $((256 * MB)) >"$directory/$limit"; then
	program limited 1.24 "hold 40"
	if [ "$version" = 2 ]; then echo +memory >"$directory/cgroup.subtree_control"; fi
	echo "$target_pid" >"$directory/below/cgroup.procs"
	tell limited "hold 40" >/dev/null
	look "$target_pid"
	is "the limit of the cgroup above is found, and how much of it is used" \
		".limits.cgroup_version == $version and .limits.memory_max_bytes == 256 * \$mb and .limits.memory_max_cgroup == \"/$cgroup\" and
		 .limits.memory_max_used_bytes > 30 * \$mb"
	contains "limited: in the text too" "$("$parkwatch" memory -p "$target_pid")" "256 MiB of cgroup /$cgroup, [0-9]+% used"
	stop_target limited
	wait_until 10 rmdir "$directory/below" "$directory" || true
elif [ "${CI:-}" ]; then
	not_ok "a cgroup can be made" "$(cat "$tmp/mkdir.err")"
else
	skip "limits by cgroup" "no cgroup can be made here: $(head -1 "$tmp/mkdir.err")"
fi

# ---- Debian's servers: Go 1.19, stripped, cgo --------------------------------------------------------------------------
start_prometheus
name=prometheus
look "$server_pid"
is "the heap is there" '.bytes.live_heap + .bytes.uncollected > 5 * $mb and .heap.counted_bytes > 0'
is "the rest is explained" "$explained"
mine=$(jq '.bytes.stacks' <<<"$json")
theirs=$(curl -fsS "$prometheus_url/metrics" | awk '$1 == "go_memstats_stack_inuse_bytes" { printf "%d", $2 }')
between "prometheus: stacks as it says itself" $((theirs - 2 * MB)) "$mine" $((theirs + 2 * MB))
for server in etcd caddy nats; do
	start_"$server"
	name=$server
	look "$server_pid"
	is "the rest is explained" "$explained"
	is "the heap is there" '.bytes.live_heap + .bytes.uncollected > $mb'
done

# ---- the daemon --------------------------------------------------------------------------------------------------------
program daemon 1.24 "hold 60" gc "mmap 20" "churn 40"
start_daemon --config <(printf 'include: [memory-1.24-str]\n')
labels="pid=\"$target_pid\""
wait_until 30 metrics_have 'parkwatch_memory_bytes\{.*'"$labels"'.*kind="live_heap"' || not_ok "the daemon looks at memory" "$(metrics | grep -c parkwatch)"
between "daemon: live heap in /metrics" $((58 * MB)) "$(metric parkwatch_memory_bytes "$labels.*kind=\"live_heap\"")" $((70 * MB))
between "daemon: memory that is not Go's in /metrics" $((16 * MB)) "$(metric parkwatch_memory_bytes "$labels.*kind=\"non_go\"")" $((26 * MB))
name=daemon-api
json=$(curl -fsS "$daemon_url/api/v1/memory" | jq --argjson pid "$target_pid" '.processes[] | select(.pid == $pid)')
is "the same by /api/v1/memory" '(.bytes.live_heap / $mb | . > 58 and . < 70) and ([.bytes[]] | add) + .unexplained_bytes == .rss_bytes'
wait_until 20 metrics_have 'parkwatch_gc_cycle_mark_seconds_count\{.*'"$labels"'[^ ]* [1-9]' || true
json=$(curl -fsS "$daemon_url/api/v1/gc" | jq --argjson pid "$target_pid" '.processes[] | select(.pid == $pid)')
is "cycles by /api/v1/gc" '.source == "probes" and .missed == 0 and (.cycles | length) >= 1 and (.cycles[-1].heap_live_bytes / $mb | . > 58 and . < 70)'
equal "daemon: none missed" 0 "$(metric parkwatch_gc_cycles_missed_total "$labels")"
stop_daemon || true

# ---- what goes wrong ---------------------------------------------------------------------------------------------------
died=0 odd=""
for delay in 0.005 0.01 0.015 0.02 0.025 0.03 0.04 0.05; do
	program "dies-$delay" 1.24 "hold 40"
	"$parkwatch" memory -p "$target_pid" --json >"$tmp/dies.json" 2>"$tmp/dies.err" &
	looker=$!
	sleep "$delay" # not for anything to happen: each time it dies at another point of the look
	stop_target "dies-$delay"
	status=0
	wait "$looker" || status=$?
	case $status in
	0) jq -e '.rss_bytes > 0' "$tmp/dies.json" >/dev/null || odd+=" $delay: $(head -3 "$tmp/dies.json")" ;;
	2) [ "$(wc -l <"$tmp/dies.err")" = 1 ] && died=$((died + 1)) || odd+=" $delay: $(cat "$tmp/dies.err")" ;;
	*) odd+=" $delay: status $status" ;;
	esac
done
equal "a target that dies meanwhile: an answer, or one line and status 2" "" "$odd"
between "and some of them did" 1 "$died" 8
sleep 60 &
started+=($!)
one_line_error "not a Go program" 2 "not a Go program" "$parkwatch" memory -p $!
one_line_error "no such process" 2 "no process 4194303" "$parkwatch" memory -p 4194303
one_line_error "no process named" 3 "usage: parkwatch memory" "$parkwatch" memory
pass
