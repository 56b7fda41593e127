#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# `parkwatch goroutines` against what programs say of themselves: every kind of wait, every format. Real servers: judges.sh.
. "$(dirname "$0")/lib.sh"
begin goroutines
compare=$root/tests/integration/goroutines.py
pprof() { "$("$root/scripts/toolchains" 1.24)" tool pprof "$@"; }
look() { "$parkwatch" goroutines -p "$@"; }

"$parkwatch" goroutines --json-schema >"$tmp/schema.json"

# ---- every kind of wait, old and new ---------------------------------------------------------------------------------
for version in 1.19 1.24 1.27; do
	start_target "waits$version" "$(target waits $version stripped)"
	tell "waits$version" "groups" >"$tmp/groups.json"
	tell "waits$version" "dump $tmp/dump" >/dev/null
	status=0
	look "$target_pid" --json >"$tmp/p.json" 2>"$tmp/err" || status=$?
	equal "go$version: status 0, nothing on stderr" "0 0" "$status $(wc -c <"$tmp/err")"
	check "go$version: groups and counts are the program's own" "$compare" groups "$tmp/p.json" "$tmp/groups.json"
	look "$target_pid" --format debug2 >"$tmp/p.debug2"
	check "go$version: every frame and offset is that of the runtime's own dump" "$compare" dump "$tmp/p.debug2" "$tmp/dump"
	check "go$version: the JSON is as its schema says" "$compare" schema "$tmp/schema.json" "$tmp/p.json"
	equal "go$version: the fields that were promised, in that order, and no others at the top" \
		'[["schema_version","pid","process","go_version","taken_at","duration_ns","total","skipped","groups"],["count","status","wait_reason","age_ns","runs","stack","created_by","labels","waiting_on","diagnosis"],[["min","median","max","at_least"],["function","file","line","inlined"],["function","file","line"],["kind","nil","closed","len","cap","receivers","senders","fd","deadline"],["rule","verdict","text"]]]' \
		"$(jq -c '[keys_unsorted, (.groups[0] | keys_unsorted[:10]), ([.groups[] | select(.waiting_on.kind == "channel" and .diagnosis and .created_by)][0] | [.age_ns, .stack[0], .created_by, .waiting_on, .diagnosis] | map(keys_unsorted[:9]))]' "$tmp/p.json")"
	equal "go$version: nothing stood but was said to run" "0" \
		"$(jq '[.groups[] | select(.wait_reason == "chan send" and .runs > 0)] | length' "$tmp/p.json")"
	equal "go$version: nil channels and empty selects are certain" '["certain"]' \
		"$(jq -c '[.groups[] | select(.diagnosis.rule == "PW-G02") | .diagnosis.verdict] | unique' "$tmp/p.json")"
	equal "go$version: seven of them" 7 "$(jq '[.groups[] | select(.diagnosis.rule == "PW-G02") | .count] | add' "$tmp/p.json")"
	equal "go$version: labels" '{"kind":"labelled"}' "$(jq -c '.groups[] | .labels | select(. != {})' "$tmp/p.json")"

	look "$target_pid" --once --format pprof -o "$tmp/p.pb.gz"
	equal "go$version: the file is ours alone" 600 "$(stat -c %a "$tmp/p.pb.gz")"
	pprof -raw "$tmp/p.pb.gz" >"$tmp/raw" 2>"$tmp/err" || cat "$tmp/err"
	contains "go$version: pprof reads sample types" "$(cat "$tmp/raw")" '^goroutine/count.* waiting/nanoseconds'
	contains "go$version: pprof reads the mapping and its build ID" "$(grep -A3 '^Mappings' "$tmp/raw")" '^1: 0x[0-9a-f]+/0x[0-9a-f]+/0x.*waits'
	equal "go$version: pprof counts as we do" \
		"$(jq '[.groups[] | select((.diagnosis.rule // "") != "PW-D01") | .count] | add' "$tmp/p.json")" \
		"$(awk '/^Samples:/ { on = 1; next } /^Locations/ { on = 0 } on && /^ +[0-9]+ +[0-9]+:/ { sum += $1 } END { print sum }' "$tmp/raw")"
	contains "go$version: pprof -top names the leak" "$(pprof -top -cum "$tmp/p.pb.gz" 2>/dev/null)" ' main\.channels\.func1\.1$'
	stop_target "waits$version"
done

# ---- the other versions: what each waits for, in the runtime's own words ------------------------------------------------
for version in 1.21 1.22 1.23 1.25 1.26; do
	start_target "waits$version" "$(target waits $version stripped)"
	tell "waits$version" "dump $tmp/dump" >/dev/null
	look "$target_pid" --once --format debug2 >"$tmp/p.debug2"
	check "go$version: every frame and offset is that of the runtime's own dump" "$compare" dump "$tmp/p.debug2" "$tmp/dump"
	stop_target "waits$version"
done

# ---- views of one program --------------------------------------------------------------------------------------------
start_target waits "$(target waits 1.24 stripped)"
text=$(look "$target_pid")
contains "text: the biggest first" "$(sed -n 3p <<<"$text")" '^biggest +7  chan receive in main\.channels\.func1\.1 main\.go:[0-9]+'
contains "text: ages are lower bounds" "$text" '^7 chan receive, for at least 1\.0s, never ran between the looks$'
contains "text: what they wait on" "$text" '    on channel with 1 of 1 buffered, 0 receivers, 6 senders'
contains "text: the reading" "$text" 'PW-G02, certain: Blocked for ever'
lacks "text: the runtime's own are summed up" "$text" 'bgsweep'
equal "--with reason" 6 "$(look "$target_pid" --once --json --with reason=sleep | jq .total)"
equal "--with label" 2 "$(look "$target_pid" --once --json --with label:kind=labelled | jq .total)"
equal "--with another label" 0 "$(look "$target_pid" --once --json --with label:kind=other | jq .total)"
equal "--blocked" 4 "$(look "$target_pid" --once --json --blocked 'sync\.\(\*Cond\)\.Wait' | jq .total)"
equal "--created" 12 "$(look "$target_pid" --once --json --created '^main\.timers' | jq .total)"
equal "--min-age: those that stand still for so long, sleepers do not" '[0,7]' \
	"$(look "$target_pid" --json --min-age 1500ms 2>/dev/null | jq -c '[([.groups[] | select(.age_ns.min < 1500000000)] | length), ([.groups[] | select(.wait_reason == "chan receive") | .count] | max)]')"
equal "--top: so many on the page" '2 1' "$(look "$target_pid" --once --top 2 | awk '/^[0-9]/ { groups++ } /^and [0-9]+ goroutines in [0-9]+ more groups \(--top\)$/ { rest++ } END { print groups, rest }')"
equal "--min-count" 7 "$(look "$target_pid" --once --json --min-count 7 | jq '[.groups[].count] | min')"
equal "--by reason: one group each" 1 "$(look "$target_pid" --once --json --by reason | jq '[.groups[] | select(.wait_reason == "chan receive" and .diagnosis.rule != "PW-D01")] | length')"
equal "--by site: one group per go statement" "$(look "$target_pid" --once --json --by site | jq '[.groups[].created_by | values] | length')" \
	"$(look "$target_pid" --once --json --by site | jq '[.groups[].created_by | values] | unique | length')"
equal "--by label" '[2]' "$(look "$target_pid" --once --json --by label:kind | jq -c '[.groups[] | select(.labels.kind == "labelled") | .count]')"
goid=$(look "$target_pid" --once --format debug2 | sed -n 's/^goroutine \([0-9]*\) \[select (no cases)\]:/\1/p' | head -1)
contains "--goroutine: one, with all that is known" "$(look "$target_pid" --goroutine "$goid")" "^goroutine $goid of .*select \(no cases\)"
goid=$(look "$target_pid" --once --format debug2 | sed -n 's/^goroutine \([0-9]*\) \[select\]:/\1/p' | head -1)
equal "--goroutine: each case of its select" 2 "$(look "$target_pid" --once --goroutine "$goid" | grep -c '^    case channel with ')"
one_line_error "--goroutine: none of that number" 2 "no goroutine 999999" "$parkwatch" goroutines -p "$target_pid" --once --goroutine 999999
look "$target_pid" --once --format svg >"$tmp/p.svg"
check "the flame graph is XML" python3 -c 'import sys, xml.etree.ElementTree as t; t.parse(sys.argv[1])' "$tmp/p.svg"
lacks "the flame graph needs nothing else" "$(sed 's|http://www.w3.org/2000/svg||' "$tmp/p.svg")" '(src|href)=|https?:'
contains "folded" "$(look "$target_pid" --once --format folded)" '^main\.channels\.func1\.1;runtime\.chanrecv1;runtime\.chanrecv;runtime\.gopark;\[chan receive\] 7$'
over=$(look "$target_pid" --over 2s --every 50ms --json)
between "--over: seven receivers wait seven times as long" 13000000000 \
	"$(jq '[.groups[] | select(.stack[3].function == "main.channels.func1.1") | .time_ns.waiting] | add' <<<"$over")" 16500000000
between "--over: looks" 15 "$(jq .looks <<<"$over")" 45
check "--over: as the schema says" "$compare" schema "$tmp/schema.json" /dev/stdin <<<"$over"
stop_target waits

# ---- mistakes --------------------------------------------------------------------------------------------------------
one_line_error "no process" 3 "usage: parkwatch goroutines" "$parkwatch" goroutines
one_line_error "a format that is none" 3 "none of text" "$parkwatch" goroutines -p 1 --format xml
one_line_error "a regular expression that is none" 3 "no regular expression" "$parkwatch" goroutines -p 1 --blocked '('
one_line_error "a profile that is none" 3 "is not the JSON" "$parkwatch" goroutines -p 1 --diff "$root/Makefile"
one_line_error "--over and --once" 3 "adds up many looks" "$parkwatch" goroutines -p 1 --over 1s --once
one_line_error "rules explain of none" 3 "did you mean 'PW-G02'" "$parkwatch" rules explain PW-GO2
contains "rules explain" "$("$parkwatch" rules explain PW-G02)" "nil channel, empty select"

# ---- growth ----------------------------------------------------------------------------------------------------------
start_target counts "$(target counts 1.24 stripped)"
look "$target_pid" --once --json -o "$tmp/old.json"
tell counts "leak 30" >/dev/null
diff=$(look "$target_pid" --json --diff "$tmp/old.json")
equal "--diff: what has grown" 30 "$(jq '[.groups[] | select(.growth > 0) | .growth] | add' <<<"$diff")"
equal "--diff: and it is the biggest" 30 "$(jq '.groups[0].growth' <<<"$diff")"
contains "--diff: as text" "$(look "$target_pid" --diff "$tmp/old.json")" '^growing +\+30  '
stop_target counts

pass
