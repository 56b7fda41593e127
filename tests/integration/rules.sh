#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Rules on recordings: those of leaks and their twins in tests/recordings are judged as they ever were; `rules test` and
# `replay --rules` do what they say. No root, no Go program.
. "$(dirname "$0")/lib.sh"
begin rules

recordings=$root/tests/recordings
while IFS= read -r line; do
	case $line in
	"ok "*) ok "recording: ${line#ok * - }" ;;
	"not ok "*) not_ok "recording: ${line#not ok * - }" ;;
	esac
done < <("$parkwatch" rules test "$recordings"/*.yaml)
check "all of them are fine" "$parkwatch" rules test "$recordings"/*.yaml

# ---- what does not come, comes late, or comes beside it --------------------------------------------------------------
leak=$recordings/send-1.19.pwrec.gz
expect() { # YAML: runs `rules test`; sets said and status
	printf 'recording: %s\n%s\n' "$leak" "$1" >"$tmp/test.yaml"
	status=0
	said=$("$parkwatch" rules test "$tmp/test.yaml" 2>&1) || status=$?
}
expect $'expect: [{rule: PW-G01}, {rule: PW-G03}]\nothers: any'
equal "one that does not fire is not ok" 1 "$status"
contains "and named" "$said" '^not ok 2 - PW-G03$'
expect $'expect: [{rule: PW-G01, between: [0, 1s]}]\nothers: any'
contains "nor is one that fires late; what did is shown" "$said" '^#   what did: PW-G01 main.start, info, gone, fired after [0-9.]+s$'
expect 'expect: [{rule: PW-G01}]'
contains "nor what fires beside it" "$said" '^not ok 2 - nothing else fires$'
contains "which is shown" "$said" '^#   PW-X01 main.start, info, gone'
expect $'expect: [{rule: PW-G01, count: 2}]\nothers: any'
contains "nor another number" "$said" '^not ok 1 - PW-G01: 1 instead of 2$'
fast='rules: {PW-G08: {enabled: no}, PW-X01: {enabled: no}, PW-G10: {bucket: 1s, age: 2s, life: 20s, min_added: 20, min_slope: 10, confirm: 2, warmup: 0, clear: 3s}}'
expect "$fast"$'\nservices: {"le*": {rules: {PW-G01: {level: critical}}}}\nexpect: [{rule: PW-G01, level: critical, lowered: no}]'
equal "other rules, of a service" 0 "$status"
expect "$fast"$'\nbenign: [{created: main, blocked: main, reason: x, max: 1000, expires: 2099-01-01}]\nexpect: [{rule: PW-G01, level: info, lowered: yes}]'
equal "and a benign list, can be tested on it" 0 "$status"

# ---- mistakes ----------------------------------------------------------------------------------------------------------
wrong() { # NAME PATTERN YAML
	printf '%s\n' "$3" >"$tmp/wrong.yaml"
	one_line_error "$1" 3 "$2" "$parkwatch" rules test "$tmp/wrong.yaml"
}
wrong "an unknown key" "wrong.yaml:2:1: unknown key 'expct': did you mean 'expect'" $'recording: a\nexpct: []'
wrong "an unknown key of an alert" "wrong.yaml:2:11: unknown key 'rul': did you mean 'rule'" $'recording: a\nexpect: [{rul: a}]'
wrong "an unknown rule" "wrong.yaml:2:17: there is no rule 'PW-G99'" $'recording: a\nexpect: [{rule: PW-G99}]'
wrong "a mistake in its rules" "wrong.yaml:2:19: unknown key 'tik': did you mean 'tick'" $'recording: a\nrules: {PW-G08: { tik: 1s}}'
wrong "no recording" "wrong.yaml:1:1: it must name a recording" 'expect: []'
wrong "a recording that is not there" "cannot read '.*/nothing'" 'recording: nothing'

# ---- replay --------------------------------------------------------------------------------------------------------------
gzip -dc "$leak" >"$tmp/plain"
equal "a gzipped recording is judged as the plain one" "$("$parkwatch" replay --json "$tmp/plain")" "$("$parkwatch" replay --json "$leak")"
printf '%s\n' "${fast/PW-X01: {enabled: no\}, /}" >"$tmp/other.yaml"
rules_of() { jq -r '.transitions[] | select(.rule != "PW-X01") | "\(.rule) \(.owner)"' | sort -u | tr '\n' ' '; }
equal "it is judged by its own rules" "PW-G01 team-leak " "$("$parkwatch" replay --json "$leak" | rules_of)"
equal "or by others, whole" "PW-G01 null " "$("$parkwatch" replay --json --rules "$tmp/other.yaml" "$leak" | rules_of)"
printf 'rules: {PW-G01: {enabled: no}, PW-X01: {enabled: no}}\n' >"$tmp/other.yaml"
equal "which may say nothing" "" "$("$parkwatch" replay --json --rules "$tmp/other.yaml" "$leak" | rules_of)"
pass
