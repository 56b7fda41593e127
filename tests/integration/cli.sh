#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What a person types: help, mistakes, exit status, one line per error, JSON as documented.
. "$(dirname "$0")/lib.sh"
begin cli

# ---- help ------------------------------------------------------------------------------------------------------------
equal "without a command: usage, status 3" 3 "$("$parkwatch" >/dev/null 2>&1; echo $?)"
help=$("$parkwatch" help)
for command in daemon ps trace gc memory stat goroutines heap alerts rules doctor replay check-config version; do
	contains "help lists $command" "$help" "^  $command "
	contains "$command --help explains it" "$("$parkwatch" $command --help)" "^usage: parkwatch $command"
	equal "help $command says the same" "$("$parkwatch" $command --help)" "$("$parkwatch" help $command)"
done
contains "version" "$("$parkwatch" version)" '^parkwatch [0-9]'
equal "--version is version" "$("$parkwatch" version)" "$("$parkwatch" --version)"

# ---- mistakes --------------------------------------------------------------------------------------------------------
one_line_error "a misspelt command" 3 "did you mean 'daemon'" "$parkwatch" deamon
one_line_error "a misspelt option" 3 "did you mean '--duration'" "$parkwatch" trace --duratoin 5s
one_line_error "a missing argument" 3 "needs an argument" "$parkwatch" trace -p
one_line_error "no unit" 3 "not a duration" "$parkwatch" trace -p 1 -d 5
one_line_error "no process named" 3 "usage: parkwatch trace" "$parkwatch" trace
one_line_error "not a process id" 3 "not a process id" "$parkwatch" trace -p 99999999999
one_line_error "no such process" 2 "no process 4194303" "$parkwatch" trace -p 4194303 -d 1s
one_line_error "no such name" 2 "no process is called 'nobody-has-this'" "$parkwatch" trace -p nobody-has-this
one_line_error "no daemon" 3 "no daemon answers" "$parkwatch" alerts --socket "$tmp/none.sock"
one_line_error "a bad budget" 3 "not a percentage" "$parkwatch" trace -p 1 --budget lots
one_line_error "a bad method" 3 "auto, uprobe_multi or perf" "$parkwatch" daemon --attach kprobe
one_line_error "a bad address" 3 "not an address" "$parkwatch" daemon --listen nowhere
one_line_error "a word too many" 3 "not expected" "$parkwatch" daemon start
one_line_error "nothing to replay" 3 "cannot read" "$parkwatch" replay "$tmp/none"
one_line_error "replay of something else" 2 "cannot replay" "$parkwatch" replay "$parkwatch"
one_line_error "PARKWATCH_ in the environment is checked" 3 "environment PARKWATCH_BUDGET" \
	env PARKWATCH_BUDGET=lots "$parkwatch" daemon

sleep 60 &
started+=($!)
one_line_error "not a Go program" 2 "not a Go program" "$parkwatch" trace -p $! -d 1s
one_line_error "ps -p of no Go program" 2 "not a Go program" "$parkwatch" ps -p $!
equal "stdout that is full: status 3" 3 "$("$parkwatch" help >/dev/full 2>/dev/null; echo $?)"

# ---- without privilege -----------------------------------------------------------------------------------------------
start_target counts "$(target counts 1.24 stripped)"
copy=$(mktemp /tmp/parkwatch-copy.XXXXXX) # where anybody may run it
cp "$parkwatch" "$copy" && chmod 755 "$copy"
nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
one_line_error "trace without privilege" 3 "run as root" "${nobody[@]}" "$copy" trace -p "$target_pid" -d 1s
one_line_error "daemon without privilege" 3 "run as root" "${nobody[@]}" "$copy" daemon --listen none --socket none
one_line_error "ps -p without privilege" 3 "run as root" "${nobody[@]}" "$copy" ps -p "$target_pid"
status=0
doctor=$("${nobody[@]}" "$copy" doctor) || status=$?
equal "doctor without privilege: status 3" 3 "$status"
contains "doctor says what to do" "$doctor" "do: run as root"
memory_only=(setpriv --bounding-set -sys_admin,-bpf,-perfmon)
contains "doctor without CAP_BPF: memory only" "$("${memory_only[@]}" "$copy" doctor)" "^Memory only"
ps=$("${memory_only[@]}" "$copy" ps -p "$target_pid" --json)
equal "ps without CAP_BPF: memory yes, events no" '[true,false]' \
	"$(jq -c '.processes[0].abilities | [.memory.ok, .events.ok]' <<<"$ps")"
contains "ps says why there are no events" "$(jq -r '.processes[0].abilities.events.reason' <<<"$ps")" "CAP_BPF"
one_line_error "trace without CAP_BPF" 3 "CAP_BPF" "${memory_only[@]}" "$copy" trace -p "$target_pid" -d 1s
rm -f "$copy"

# ---- doctor ----------------------------------------------------------------------------------------------------------
status=0
doctor=$("$parkwatch" doctor --json) || status=$?
equal "doctor works here" 0 "$status"
equal "doctor --json" '1 true true' "$(jq -r '"\(.schema_version) \(.events_possible) \(.memory_possible)"' <<<"$doctor")"
equal "every no has a reason" 0 "$(jq '[.features[] | select(.ok | not) | select(.reason == "")] | length' <<<"$doctor")"

# ---- ps --------------------------------------------------------------------------------------------------------------
tell counts "leak 30" >/dev/null
ps=$("$parkwatch" ps --standalone --json 2>"$tmp/err")
mine=$(jq ".processes[] | select(.pid == $target_pid)" <<<"$ps")
equal "ps --json has the documented fields" \
	'["abilities","cost","exe","go_version","goroutines","heap_bytes","module","pid","process","revision","service","sites","stripped"]' \
	"$(jq -c 'keys' <<<"$mine")"
equal "ps: abilities" '{"events":["ok","reason"],"memory":["ok","reason"],"symbols":["ok","reason"]}' \
	"$(jq -c '.abilities | map_values(keys)' <<<"$mine")"
equal "ps: probe sites" \
	'["exit","gc_mark_termination","gc_start","gc_sweep","park","spawn","stw_end","stw_start"]' "$(jq -c '.sites | keys' <<<"$mine")"
equal "ps: a probe site" '["attached","counting","emulated","function","instruction","offset"]' "$(jq -c '.sites.park | keys' <<<"$mine")"
equal "ps: goroutines" "$(tell counts stats | jq .goroutines)" "$(jq .goroutines <<<"$mine")"
equal "ps: it is stripped" true "$(jq .stripped <<<"$mine")"
contains "ps: the table" "$("$parkwatch" ps --standalone 2>"$tmp/err")" "^ *$target_pid +[^ ]+ +counts-1.24-str +1\.24[.0-9]* .*yes +yes +yes +-$"
contains "ps --sites: the instructions" "$("$parkwatch" ps -p "$target_pid" --sites)" "park +runtime.gopark +0x"

# ---- trace -----------------------------------------------------------------------------------------------------------
start_trace trace "$target_pid" 60
tell counts "run 20" >/dev/null
status=0
finish_trace || status=$?
equal "Ctrl-C ends trace with status 0 and its results" 0 "$status"
trace=$(cat "$tmp/trace.json")
equal "trace --json has the documented fields" \
	'["duration_ns","go_version","governor","lost","lost_by","pid","process","schema_version","sites","spawned_by_goid","totals"]' \
	"$(jq -c keys <<<"$trace")"
equal "trace: totals" '["exited","parked","spawned"]' "$(jq -c '.totals | keys' <<<"$trace")"
equal "trace: a go statement" \
	'["creation_stack","exited","file","function","line","live","parked","spawned","wait_reasons"]' \
	"$(jq -c '[.sites[] | keys] | unique | .[]' <<<"$trace")"
equal "trace: totals are the sum of go statements" "$(jq -c '[.totals.spawned, .totals.exited, .totals.parked]' <<<"$trace")" \
	"$(jq -c '[([.sites[].spawned] | add), ([.sites[].exited] | add), ([.sites[].parked] | add)]' <<<"$trace")"
equal "trace: sorted by growth" "$(jq -c '[.sites[] | .spawned - .exited]' <<<"$trace")" \
	"$(jq -c '[.sites[] | .spawned - .exited] | sort | reverse' <<<"$trace")"
equal "trace: every go statement has a name" 0 "$(jq '[.sites[] | select(.function == "")] | length' <<<"$trace")"
equal "trace: starts by probe and by goid" "$(jq .spawned_by_goid <<<"$trace")" "$(jq .totals.spawned <<<"$trace")"
equal "trace: who is alive" 30 "$(jq '[.sites[] | select(.wait_reasons == {} and .live == 30) | .live] | add' <<<"$trace")"

"$parkwatch" trace -p "$target_pid" -d 60s --budget none >"$tmp/text" 2>"$tmp/err" &
trace_pid=$!
started+=("$trace_pid")
wait_until 20 grep -q counting "$tmp/err"
tell counts "run 5" >/dev/null
finish_trace
text=$(cat "$tmp/text")
contains "trace: the head of the table" "$text" "^counts-1.24-str \(pid $target_pid, go1.24[.0-9]*\), [0-9.ms]+: [1-9][0-9]* started, [0-9]+ ended"
contains "trace: a go statement in the table" "$text" ' main\.(ends|parks) main\.go:[0-9]+$'
equal "trace says when it counts, in one line" 1 "$(wc -l <"$tmp/err")"
"$parkwatch" trace -p "$target_pid" -d 500ms -q --format json >"$tmp/quiet.json" 2>"$tmp/err"
equal "trace -q says nothing" 0 "$(wc -c <"$tmp/err")"
between "trace -d is kept" 450000000 "$(jq .duration_ns "$tmp/quiet.json")" 900000000

start_trace ended "$target_pid" 60
stop_target counts
status=0
wait "$trace_pid" || status=$?
equal "a process that ends while it is traced: status 0 and what was counted" "0 $target_pid" "$status $(jq .pid "$tmp/ended.json")"
contains "and it is said" "$(cat "$tmp/ended.log")" "ended meanwhile"

pass
