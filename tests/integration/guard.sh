#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The guard of the budget on a program that parks as often as it can: it detaches, it says so everywhere, it tries again.
. "$(dirname "$0")/lib.sh"
begin guard

start_target pingpong "$(target pingpong 1.24 stripped)"
pid=$target_pid
busy() { # MS: hands values to and fro for so long, in the background; settle waits for the end of it
	echo "measure $1" >&"${target_in[pingpong]}"
}
settle() { local line; read -r -t 120 line <&"${target_out[pingpong]}"; }

# ---- trace -----------------------------------------------------------------------------------------------------------
busy 9000
"$parkwatch" trace -p "$pid" -d 4s --json >"$tmp/guarded.json" 2>"$tmp/guarded.err"
settle
contains "trace says on stderr that it is partial" "$(cat "$tmp/guarded.err")" \
	"park probe detached after [0-9.a-z]+: probes cost [0-9.]+% of a CPU, the budget is 1%; parks are partial"
equal "and in its JSON" "park detached parked" "$(jq -r '"\(.guard.state) \(.guard.partial | join(","))"' "$tmp/guarded.json")"
between "with when" 0 "$(jq .guard.detached_after_ns "$tmp/guarded.json")" 4000000000

busy 9000
text=$("$parkwatch" trace -p "$pid" -d 3s -q 2>/dev/null)
settle
contains "the table marks parks" "$text" "PARKS \(PARTIAL\)"

busy 9000
"$parkwatch" trace -p "$pid" -d 4s --json --budget none >"$tmp/free.json" 2>"$tmp/free.err"
settle
lacks "without a budget nothing is partial" "$(cat "$tmp/free.err")" "partial"
equal "nor in its JSON" "continuous" "$(jq -r '"\(.guard.state)\(.guard.partial | join(","))"' "$tmp/free.json")"
check "it counts more parks" [ "$(jq .totals.parked "$tmp/free.json")" -gt "$(jq .totals.parked "$tmp/guarded.json")" ]

busy 5000
"$parkwatch" trace -p "$pid" -d 2s --json --runs --budget none -q >"$tmp/runs.json"
settle
ran=$(jq '[.sites[].ran // 0] | add' "$tmp/runs.json") parked=$(jq .totals.parked "$tmp/runs.json")
# two maps, read one after the other while it goes on: 996520 and 996538 were seen
check "who parks runs again: --runs counts it ($ran runs, $parked parks)" [ "$parked" -gt 1000 -a "$ran" -ge $((parked / 100 * 99)) ]

# ---- the daemon ------------------------------------------------------------------------------------------------------
printf 'interval: 1s\nbudget: 1\ninclude: ["pingpong*"]\n' >"$tmp/guard.yaml"
start_daemon -c "$tmp/guard.yaml"
mine="pid=\"$pid\""
attached() { [ "$(metric parkwatch_target_ability "$mine.*ability=\"events\"")" = 1 ]; }
guard_is() { [ "$(metric parkwatch_probe_guard "$mine.*state=\"$1\"")" = 1 ]; }
check "attached" wait_until 10 attached
check "at rest all is attached" wait_until 5 guard_is continuous
lacks "and ps has no remark" "$("$parkwatch" ps --socket "$daemon_socket")" "detached"
busy 4000
check "the park probe is detached within 6 s" wait_until 6 guard_is "park detached"
settle
detached_at=$(date +%s)
ps=$("$parkwatch" ps --socket "$daemon_socket")
contains "ps says so" "$ps" "^$pid [^,]*, events: park probe detached .* ago: probes cost [0-9.]+% of a CPU, the budget is 1%; parks are not counted, tried again in [0-9.]+s"
json=$("$parkwatch" ps --json --socket "$daemon_socket" | jq ".processes[] | select(.pid == $pid)")
contains "ps --json says so" "$(jq -r .abilities.events.reason <<<"$json")" "^park probe detached .*tried again in [0-9.]+s"
no_park() { "$parkwatch" ps --json --socket "$daemon_socket" | jq -e ".processes[] | select(.pid == $pid) | .sites | (.park.attached | not) and .spawn.attached"; }
check "ps --json: spawns are attached, parks are not" wait_until 5 no_park
contains "ps --sites too" "$("$parkwatch" ps --sites --socket "$daemon_socket")" "^ *park .* no( |$)"

# ---- it tries again: 30 s after the first detach -----------------------------------------------------------------------
check "it comes back" wait_until 45 guard_is continuous
between "after its 30 s" 26 $(($(date +%s) - detached_at)) 40
lacks "and ps says nothing more" "$("$parkwatch" ps --socket "$daemon_socket")" "detached"

# ---- a new budget on SIGHUP holds for who is observed already ----------------------------------------------------------
sed -i 's/^budget: .*/budget: none/' "$tmp/guard.yaml"
kill -HUP "$daemon_pid"
check "no budget: no metric" wait_until 5 eval '[ -z "$(metric parkwatch_probe_budget_percent "$mine")" ]'
busy 4000
sleep 3
guard_now=$(metrics | grep "^parkwatch_probe_guard{.*$mine" || true)
settle
contains "without one it stays attached" "$guard_now" 'state="continuous"'
stop_daemon

pass
