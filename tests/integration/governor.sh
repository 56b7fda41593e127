#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The budget on programs that would cost far more than it: parks, then spawns and exits are sampled in windows, what that
# costs stays within the budget, estimates say how far off they may be and are not further off, and everything says so.
# Runs alone: it holds costs against a budget.
. "$(dirname "$0")/lib.sh"
begin governor

# ---- a leak is found in every state of the governor: two daemons that are asked again at the end ----------------------
rules='rules: {PW-G08: {tick: 1s, age: 2s, min_count: 20, baseline_margin: 0, rising_ticks: 4, warmup: 0, clear: 2s}, PW-G09: {window: 1s, min_rate: 20, hold: 3s, kept: 0.1}}'
cp "$(target leak_chan 1.19 stripped)" "$tmp/leaky"
start_target leak "$tmp/leaky" -rate 50
leak_pid=$target_pid
daemons=()
for budget in 0 0.0002; do # no probes; windows only
	printf 'interval: 1s\nbudget: %s\ninclude: ["%s/*"]\n%s\n' "$budget" "$tmp" "$rules" >"$tmp/leak-$budget.yaml"
	start_daemon -c "$tmp/leak-$budget.yaml" --socket "$tmp/leak-$budget.sock"
	daemons+=("$budget $daemon_url $daemon_pid")
done

start_target pingpong "$(target pingpong 1.24 stripped)"
pid=$target_pid
busy() { # MS: hands values to and fro for so long, in the background; settle waits for the end of it
	echo "measure $1" >&"${target_in[pingpong]}"
}
settle() { read -r -t 120 settled <&"${target_out[pingpong]}"; }

# ---- trace -----------------------------------------------------------------------------------------------------------
busy 7000
"$parkwatch" trace -p "$pid" -d 5s --json >"$tmp/sampled.json" 2>"$tmp/sampled.err"
settle
contains "trace says on stderr that it samples, and why" "$(cat "$tmp/sampled.err")" \
	"sampled: park sampled for [0-9.]+s: counting each one would cost [0-9.]+% of a CPU, the budget is 1%; --budget none lifts it"
equal "its JSON marks parks, and only parks" "park sampled false false true" \
	"$(jq -r '.governor | "\(.state) \(.spawned.sampled) \(.exited.sampled) \(.parked.sampled)"' "$tmp/sampled.json")"
between "it had windows" 1 "$(jq .governor.windows "$tmp/sampled.json")" 60
check "it says how far off parks may be" jq -e '.governor.parked.error > 0' "$tmp/sampled.json"
equal "totals and statements say the same" "$(jq '[.sites[].parked] | add / 1000 | floor' "$tmp/sampled.json")" \
	"$(jq '.totals.parked / 1000 | floor' "$tmp/sampled.json")"

busy 5000
text=$("$parkwatch" trace -p "$pid" -d 4s -q 2>/dev/null)
settle
contains "the table marks parks" "$text" "PARKS \(SAMPLED\)"
contains "with their error" "$text" "[0-9]+ \(\+- [0-9]+\) parks"

busy 3000
"$parkwatch" trace -p "$pid" -d 2s --json --budget none >"$tmp/free.json" 2>"$tmp/free.err"
settle
lacks "without a budget nothing is sampled" "$(cat "$tmp/free.err")" "sampled"
equal "nor in its JSON" "continuous false 0" \
	"$(jq -r '.governor | "\(.state) \(.parked.sampled) \(.parked.error)"' "$tmp/free.json")"

busy 3000
"$parkwatch" trace -p "$pid" -d 2s --json --runs --budget none -q >"$tmp/runs.json"
settle
ran=$(jq '[.sites[].ran // 0] | add' "$tmp/runs.json") parked=$(jq .totals.parked "$tmp/runs.json")
# two maps, read one after the other while it goes on: 996520 and 996538 were seen
check "who parks runs again: --runs counts it ($ran runs, $parked parks)" [ "$parked" -gt 1000 -a "$ran" -ge $((parked / 100 * 99)) ]
stop_target pingpong

# ---- estimates and costs, held against what the programs say of themselves --------------------------------------------
python3 "$root/tests/integration/governor.py" "$parkwatch" "$(target pingpong 1.24 stripped)" "$(target spawnstorm 1.24 stripped)" \
	"$(target httpserver 1.24)" >"$tmp/judged" 2>&1 || true
while read -r word rest; do
	case $word in
	ok) ok "${rest#- }" ;;
	not) not_ok "${rest#ok - }" ;;
	*) echo "# $word $rest" ;;
	esac
done <"$tmp/judged"
contains "all of it was judged" "$(cat "$tmp/judged")" '^judged$'

# ---- the leak, by memory alone and with everything sampled ------------------------------------------------------------
for each in "${daemons[@]}"; do
	read -r budget daemon_url daemon_pid <<<"$each"
	socket=$tmp/leak-$budget.sock
	fires() { "$parkwatch" alerts --json --socket "$socket" | jq -e '[.alerts[] | select(.state == "firing") | .rule] | sort == ["PW-G08", "PW-G09"]'; }
	check "a leak fires at budget $budget, also as a storm" wait_until 30 fires
	states=$(metrics | grep -E '^parkwatch_probe_governor' || true)
	if [ "$budget" = 0 ]; then
		contains "budget 0: no probes" "$states" 'state="off"'
		equal "no hit" "0" "$(metric parkwatch_probe_hits_total | awk '{ sum += $1 } END { print sum + 0 }')"
		contains "ps says why" "$("$parkwatch" ps --socket "$socket")" "the budget is 0: no probes"
	else
		contains "budget $budget: all is sampled" "$states" 'state="spawn, exit and park sampled'
		contains "ps says sampled" "$("$parkwatch" ps --socket "$socket")" "^ *$leak_pid .* sampled "
	fi
	stop_daemon
done

pass
