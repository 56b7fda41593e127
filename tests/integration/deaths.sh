#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What is kept of processes that end: how, and what they were doing. All of them run, and then end, at once.
. "$(dirname "$0")/lib.sh"
begin deaths

cat >"$tmp/deaths.yaml" <<YAML
include: ["$tmp/*"]
snapshot_interval: 1s
rules:
  PW-X01: {min_age: 0s, quiet: 0s}
YAML
program=$(target dies 1.24 stripped)
kinds=(exits killed panics leaves execs)

# A cgroup of 64 MB for the one that eats.
oom_group=
if memory_group eats $((64 << 20)) 2>"$tmp/group.err"; then
	oom_group=$memory_group
	kinds+=(eats)
else
	not_ok "a memory cgroup for an OOM kill" "$(cat "$tmp/group.err")"
fi

declare -A pid
for kind in "${kinds[@]}"; do
	cp "$program" "$tmp/$kind"
	if [ "$kind" = eats ]; then
		start_target "$kind" bash -c "echo \$\$ >$oom_group/cgroup.procs && exec $tmp/eats"
	else
		start_target "$kind" "$tmp/$kind"
	fi
	pid[$kind]=$target_pid
	tell "$kind" "block 300" >/dev/null
done
start_daemon -c "$tmp/deaths.yaml" --record "$tmp/recording"

deaths() { curl -fsS "$daemon_url/api/v1/deaths"; }
death() { deaths | jq --arg p "$1" '[.deaths[] | select(.process == $p)][0]'; }
all_seen() { [ "$("$parkwatch" ps --json --socket "$daemon_socket" | jq '[.processes[] | select(.goroutines >= 300)] | length')" = "${#kinds[@]}" ]; }
check "all are observed" wait_until 20 all_seen
stacks_read() {
	local kind
	for kind in "${kinds[@]}"; do
		curl -fsS "$daemon_url/api/v1/goroutines?pid=${pid[$kind]}" | grep -q main.block || return 1
	done
}
check "and their stacks read" wait_until 10 stacks_read

tell exits "exit 3" >/dev/null
kill -KILL "${pid[killed]}"
tell panics panic >/dev/null
tell leaves "exit 0" >/dev/null
tell execs "exec /bin/sleep 60" >/dev/null
[ -z "$oom_group" ] || tell eats "eat 200" >/dev/null
wait "${pid[exits]}" "${pid[killed]}" "${pid[panics]}" "${pid[leaves]}" 2>/dev/null || true # reaped at once

all_dead() { [ "$(deaths | jq '.deaths | length')" = "${#kinds[@]}" ]; }
check "the end of each is kept" wait_until 15 all_dead

# where the kernel does not tell of a process that was reaped at once, nothing is said: never a guess
known() { [ "$(death "$1" | jq .end)" != '"exit status not known"' ]; }
if known exits && known panics && known leaves && known killed; then
	equal "exit code 3" "exit 3 null" "$(death exits | jq -r '"\(.how) \(.exit_status) \(.signal)"')"
	equal "SIGKILL" "exit null 9" "$(death killed | jq -r '"\(.how) \(.exit_status) \(.signal)"')"
	equal "a panic" "exit 2 (as after a panic or fatal error)" "$(death panics | jq -r .end)"
	equal "an end in order" "exit 0" "$(death leaves | jq -r .end)"
elif [ "$(printf '6.15\n%s\n' "$(uname -r)" | sort -V | head -1)" = 6.15 ]; then
	not_ok "the exit status of each" "Linux $(uname -r) tells it" "$(deaths | jq -c '.deaths[] | [.process, .end]')"
else
	skip "the exit status" "Linux $(uname -r) does not tell of processes that were reaped at once"
fi
equal "an exec is the end of the old program" exec "$(death execs | jq -r .how)"
if [ -n "$oom_group" ]; then
	equal "an OOM kill" "exit 9 true" "$(death eats | jq -r '"\(.how) \(.signal) \(.oom_killed)"')"
	contains "is said in the alert" "$("$parkwatch" alerts --json --socket "$daemon_socket" |
		jq -r '.alerts[] | select(.process == "eats" and .rule == "PW-X01") | .text')" \
		'exit 137 \(killed by SIGKILL\), OOM kill in its cgroup; 3[0-9][0-9] goroutines, 300 at main\.block'
fi
shown=$("$parkwatch" alerts show "$(death panics | jq -r .alert_id)" --socket "$daemon_socket")
contains "alerts show says how it ended" "$shown" '\(panics, pid [0-9]+\) ended: exit'
contains "and what it was doing" "$shown" '^  300 chan send, .*started at main\.block main\.go:[0-9]+$'
equal "the others were not OOM-killed" 0 "$(deaths | jq '[.deaths[] | select(.process != "eats" and .oom_killed)] | length')"

for kind in "${kinds[@]}"; do
	between "what $kind was doing: goroutines" 300 "$(death "$kind" | jq .goroutines)" 400
	equal "of them 300 in one place" "300 chan send main.block" \
		"$(death "$kind" | jq -r '.groups[0] | "\(.count) \(.wait_reason) \(.stack[0].function | sub("[.]func1$"; ""))"')"
done
between "its memory" 1000000 "$(death exits | jq .rss_bytes)" 100000000

# ---- on disk ---------------------------------------------------------------------------------------------------------
on_disk() { [ "$(find "$PARKWATCH_DEATHS" -type f | wc -l)" = "${#kinds[@]}" ]; }
check "a file of each" wait_until 10 on_disk
equal "for its owner only" "600 700" "$(stat -c %a "$(find "$PARKWATCH_DEATHS" -type f | head -1)") $(stat -c %a "$PARKWATCH_DEATHS")"
equal "with the same in it" "$(deaths | jq -S '.deaths[]' | jq -rs 'map(.process) | sort | join(" ")')" \
	"$(cat "$PARKWATCH_DEATHS"/* | jq -rs 'map(.process) | sort | join(" ")')"
counted() { [ "$(metric parkwatch_process_ends_total) $(metric parkwatch_death_records_written_total)" = "${#kinds[@]} ${#kinds[@]}" ]; }
check "counted" wait_until 5 counted
stop_daemon

# ---- replay ----------------------------------------------------------------------------------------------------------
ends() { jq -r '.transitions[] | select(.rule == "PW-X01") | "\(.process) \(.text)"' | sort; }
equal "replay tells the same ends" "$(sed -n 's/.*process=\([a-z]*\).*/\1/p' <(grep 'rule=PW-X01' "$tmp/daemon.log") | sort | tr '\n' ' ')" \
	"$("$parkwatch" replay --json "$tmp/recording" | ends | cut -d' ' -f1 | tr '\n' ' ')"
equal "word for word" "$(cat "$PARKWATCH_DEATHS"/* | jq -r '"\(.process) \(.text)"' | sort)" \
	"$("$parkwatch" replay --json "$tmp/recording" | ends)"

kill -KILL "${pid[execs]}" 2>/dev/null || true
pass
