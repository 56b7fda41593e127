#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# /metrics: what promtool and a real Prometheus say of it, and whether its numbers are the program's own.
. "$(dirname "$0")/lib.sh"
begin metrics

start_target counts "$(target counts 1.24 stripped)"
start_target old "$(target counts 1.19 stripped)"
start_daemon --budget none
mine="pid=\"${target_pid_of[counts]}\""
attached() { [ "$(metric parkwatch_target_ability "pid=\"$1\".*ability=\"events\"")" = 1 ]; }
check "attached" wait_until 10 eval "attached ${target_pid_of[counts]} && attached ${target_pid_of[old]}"

# ---- numbers are the program's own -----------------------------------------------------------------------------------
first=$(tell counts stats | jq -c .totals)
before=$(metric parkwatch_goroutines_spawned_by_goid_total "$mine")
gc_before=$(metric parkwatch_gc_cycles_total "$mine")
tell counts "run 100" >/dev/null
tell counts "gc 7" >/dev/null
tell counts "leak 40" >/dev/null
last=$(tell counts stats)
spawned=$(jq -n --argjson a "$first" --argjson b "$(jq -c .totals <<<"$last")" '$b.spawned - $a.spawned')
site_sum() { metrics | grep "^$1{" | grep "$mine" | grep 'function="main\.\|function="iter\.' | awk '{ n += $NF } END { print n + 0 }'; }
check "snapshots are in it" wait_until 15 eval '[ -n "$(metric parkwatch_snapshot_cpu_seconds "$mine")" ]'
check "spawns by go statement" wait_until 5 eval "[ \$(site_sum parkwatch_spawned_total) = $spawned ]" ||
	site_sum parkwatch_spawned_total
equal "exits by go statement" $((spawned - 40)) "$(site_sum parkwatch_exited_total)"
cycles=$(($(metric parkwatch_gc_cycles_total "$mine") - gc_before))
equal "GC cycles" "$(jq .num_gc <<<"$last")" "$cycles"
equal "go_goroutines is runtime.NumGoroutine" "$(jq .goroutines <<<"$last")" "$(metric go_goroutines "$mine")"
equal "who is parked where" 40 "$(metric parkwatch_goroutines "$mine.*function=\"main\.[a-z]*\".*wait_reason=\"chan receive\"" | sort -n | tail -1)"
between "spawns by goid: the program's and the runtime's" "$spawned" \
	$(($(metric parkwatch_goroutines_spawned_by_goid_total "$mine") - before)) $((spawned + 20))
equal "nothing lost" 0 "$(metric parkwatch_drops_total "$mine" | awk '{ n += $1 } END { print n + 0 }')"
between "the data is fresh" 0 "$(metric parkwatch_data_age_seconds "$mine.*section=\"census\"")" 2.5

# ---- formats ---------------------------------------------------------------------------------------------------------
metrics >"$tmp/metrics.txt"
if promtool=$(server promtool 2>"$tmp/promtool.log"); then
	status=0
	said=$("$promtool" check metrics <"$tmp/metrics.txt" 2>&1) || status=$?
	equal "promtool check metrics is silent" "0 " "$status $said"
else
	skip "promtool check metrics" "$(tail -1 "$tmp/promtool.log")"
fi
equal "no sample twice" "" "$(grep -v '^#' "$tmp/metrics.txt" | sed 's/ [^ ]*$//' | sort | uniq -d)"
open=$(curl -fsS -D "$tmp/headers" -H 'Accept: application/openmetrics-text; version=1.0.0' "$daemon_url/metrics")
contains "OpenMetrics by Accept" "$(cat "$tmp/headers")" 'application/openmetrics-text; version=1.0.0'
equal "OpenMetrics ends in EOF" "# EOF" "$(tail -1 <<<"$open")"
contains "0.0.4 otherwise" "$(curl -fsS -D - -o /dev/null "$daemon_url/metrics")" 'text/plain; version=0.0.4'

# ---- a real Prometheus -----------------------------------------------------------------------------------------------
if server prometheus >/dev/null 2>"$tmp/prometheus.log"; then
	start_prometheus "${daemon_url#http://}"
	query() { curl -fsS --get --data-urlencode "query=$1" "$prometheus_url/api/v1/query" | jq -r '.data.result[0].value[1]'; }
	goroutines_in_prometheus() { [ "$(query "go_goroutines{$mine}")" = "$(jq .goroutines <<<"$last")" ]; }
	check "Prometheus scrapes it" wait_until 20 goroutines_in_prometheus
	equal "the scrape is healthy" 1 "$(query "up{instance=\"${daemon_url#http://}\"}")"
	check "and is observed itself" wait_until 20 eval "[ -n \"\$(metric go_goroutines 'pid=\"$server_pid\"')\" ]"
	near_its_own() { # the two are read at different moments, and its own scrape runs on up to 6 goroutines of its own
		local own ours
		own=$(curl -fsS "$prometheus_url/metrics" | awk '/^go_goroutines / { print $2 }')
		ours=$(metric go_goroutines "pid=\"$server_pid\"")
		[ "$ours" -ge $((own - 8)) ] && [ "$ours" -le $((own + 3)) ]
	}
	check "with the goroutines that it counts itself" wait_until 15 near_its_own
else
	skip "Prometheus scrapes it" "$(tail -1 "$tmp/prometheus.log")"
fi

# ---- cardinality -----------------------------------------------------------------------------------------------------
stop_daemon
echo "metrics_sites: 3" >"$tmp/few.yaml"
start_daemon --budget none -c "$tmp/few.yaml"
check "attached again" wait_until 10 attached "${target_pid_of[counts]}"
tell counts "run 10" >/dev/null
check "go statements beyond metrics_sites are summed" wait_until 5 eval \
	"metrics | grep '^parkwatch_goroutines{' | grep '$mine' | grep -q 'site=\"other\"'"
between "and there are so many and one at most" 2 "$(metrics | grep '^parkwatch_goroutines_aged_30s{' | grep -c "$mine")" 4
equal "but not in counters, which must not fall" 0 "$(metrics | grep -E '^parkwatch_[a-z_]*_total\{' | grep -c 'site="other"')"
total=$(metric parkwatch_goroutines_spawned_total "$mine")
tell counts "run 5" >/dev/null
check "those are counted together" wait_until 5 eval '[ "$(metric parkwatch_goroutines_spawned_total "$mine")" -gt "$total" ]'
stop_daemon

pass
