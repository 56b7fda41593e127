#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Growth by survivors on live programs: each kind of leak is found under its rule, at its line; each healthy twin, which
# starts as many that end, is not. Windows are shortened by configuration; replay says the same again.
. "$(dirname "$0")/lib.sh"
begin growth

cat >"$tmp/fast.yaml" <<YAML
include: ["$tmp/*"]
snapshot_interval: 1s
memory_interval: 1s
services:
  "leak-*": {name: leak, owner: team-leak, rules: {PW-G06: {level: critical}}}
  "twin-*": twin
benign:
- {created: '^main\.start$', blocked: '[cC]ond', reason: by design, max: 100000, expires: 2099-01-01}
rules:
  PW-G02: {age: 2s}
  PW-G04: {enabled: no}
  PW-G08: {enabled: no}
  PW-G09: {window: 1s, min_rate: 100, hold: 3s, warmup: 0}
  PW-H01: {bucket: 500ms, min_growth_mb: 4, novel_mb: 1, confirm: 2}
  PW-H03: {bucket: 3s, confirm: 2}
  PW-G10: {bucket: 1s, age: 2s, life: 20s, min_added: 20, min_slope: 10, confirm: 2, warmup: 0, clear: 3s}
YAML
declare -A rule=([send]=PW-G01 [receive]=PW-G01 [select]=PW-G03 [waitgroup]=PW-G05 [cond]=PW-G05 [sleep]=PW-G06
	[ticker]=PW-G06 [mutex]=PW-G10 [nil]=PW-G02 [iterator]=PW-G11)
declare -A pid_of

start_kind() { # NAME VERSION KIND [ARGS...]
	local name=$1 version=$2 kind=$3
	shift 3
	cp "$(target grows "$version" stripped)" "$tmp/$name"
	"$tmp/$name" -kind "$kind" -rate 8 "$@" >/dev/null 2>"$tmp/$name.err" </dev/null &
	pid_of[$name]=$!
	started+=("$!")
}

start_drain() { # NAME VERSION ARGS...
	cp "$(target drains "$2" stripped)" "$tmp/$1"
	"$tmp/$1" "${@:3}" >/dev/null 2>"$tmp/$1.err" </dev/null &
	pid_of[$1]=$!
	started+=("$!")
}

for version in 1.19 1.24 1.27; do
	start_drain "storm-$version" "$version" -kind storm -rate 200
	start_drain "twin-storm-$version" "$version" -kind storm -rate 200 -heal
	for kind in send select waitgroup ticker nil; do start_kind "leak-$kind-$version" "$version" "$kind"; done
	start_kind "twin-send-$version" "$version" send -heal 1500ms
	start_kind "twin-select-$version" "$version" select -heal 4s
done
start_hoard() { # NAME ARGS...
	cp "$(target hoards 1.24 stripped)" "$tmp/$1"
	"$tmp/$1" "${@:2}" >/dev/null 2>"$tmp/$1.err" </dev/null &
	hoard_pid=$!
	started+=("$!")
}
# In 128 MB each: 90 MB at first and 0.3 MB more a second; and 100 MB always.
for version in 1.19 1.24 1.27; do
	for name in fills twin-full; do
		memory_group "$name-$version" $((128 << 20)) 2>"$tmp/group.err" ||
			not_ok "$name-$version: a cgroup with a limit" "$(cat "$tmp/group.err")"
		cp "$(target hoards "$version" stripped)" "$tmp/$name-$version"
		bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$memory_group" "$tmp/$name-$version" \
			$([ "$name" = fills ] && echo -start 9000 -rate 30 || echo -start 10000 -cap 10000) >/dev/null 2>"$tmp/$name-$version.err" </dev/null &
		pid_of[$name-$version]=$!
		started+=("$!")
	done
done
start_hoard twin-hoard -cap 200
start_hoard hoard
for kind in receive cond sleep mutex iterator; do start_kind "leak-$kind-1.27" 1.27 "$kind"; done
for kind in sleep ticker mutex nil iterator; do start_kind "twin-$kind-1.27" 1.27 "$kind" -heal 3s; done
# The rules read memory, so they fire in every state of the governor: without probes, and with all events in windows.
governed=()
for budget in 0 0.0002; do
	{ printf 'budget: %s\n' "$budget" && sed "s|^include: .*|include: [\"$tmp/leak-*-1.27\"]|" "$tmp/fast.yaml"; } >"$tmp/$budget.yaml"
	start_daemon -c "$tmp/$budget.yaml" --socket "$tmp/$budget.sock"
	mv "$tmp/daemon.log" "$tmp/$budget.log"
	governed+=("$budget $daemon_url $daemon_pid")
done
PARKWATCH_ALERTS_FILE=$tmp/alerts.jsonl start_daemon -c "$tmp/fast.yaml" --record "$tmp/recording"

fired() { # PID: the rules that have fired for it
	"$parkwatch" alerts --json --socket "$daemon_socket" | jq -r ".alerts[] | select(any(.processes[]; .pid == $1)) | .rule" | sort -u | tr '\n' ' '
}
says() { [ -n "$(fired "$1")" ]; }
for name in "${!pid_of[@]}"; do
	[ "${name%%-*}" = leak ] || continue
	kind=$(cut -d- -f2 <<<"$name")
	wait_until 60 says "${pid_of[$name]}" || true
	equal "$name is found under its rule" "${rule[$kind]} " "$(fired "${pid_of[$name]}")"
done
alert=$("$parkwatch" alerts --json --socket "$daemon_socket" | jq ".alerts[] | select(any(.processes[]; .pid == ${pid_of[leak-send-1.19]}))")
equal "with the go statement" "main.start 120" "$(jq -r '"\(.statement.function) \(.statement.line)"' <<<"$alert")"
contains "the stack it is parked on" "$(jq -r '.blocked[0].function' <<<"$alert")" '^main\.'
between "how fast it grows: 8 a second" 20000 "$(jq .growth_per_h <<<"$alert")" 36000
between "how many became old" 20000 "$(jq .arrivals_per_h <<<"$alert")" 36000
equal "that none of the old ones ended" 0 "$(jq '.exits_per_h | floor' <<<"$alert")"
contains "in a sentence" "$(jq -r .text <<<"$alert")" 'are parked in chan send: \+[0-9,]+/h over [0-9]+[sm]'
for version in 1.19 1.24 1.27; do
	storm() { "$parkwatch" alerts --json --socket "$daemon_socket" | jq ".alerts[] | select(.pid == ${pid_of[storm-$version]} and .rule == \"PW-G09\")"; }
	check "go$version: a storm whose goroutines stay" wait_until 60 eval '[ -n "$(storm)" ]'
	equal "go$version: ... at its line" main.storm "$(storm | jq -r .statement.function)"
	between "go$version: ... with its rate" 150 "$(storm | jq .value)" 260
	contains "go$version: ... in a sentence" "$(storm | jq -r .text)" 'goroutines are started a second and (9.|100)% of them stay'
done
hoards() { "$parkwatch" alerts --json --socket "$daemon_socket" | jq ".alerts[] | select(.pid == $hoard_pid and .rule == \"PW-H01\")"; }
check "a heap that climbs is found" wait_until 60 eval '[ -n "$(hoards)" ]'
equal "... with the line whose memory grows, not the one that only allocates" main.keep "$(hoards | jq -r '.growing[0].function')"
between "... nearly all of it" 0.8 "$(hoards | jq '.growing[0].share')" 1
between "... at 2 MB a second" 5.4e9 "$(hoards | jq '.growing[0].growth_per_h')" 9e9
contains "... in a sentence" "$(hoards | jq -r .text)" 'most at main\.keep \(main\.go:[0-9]+\): \+[0-9]+ MB in [0-9.]+s$'
contains "... and in the text" "$("$parkwatch" alerts --socket "$daemon_socket")" '^  growing: main\.keep main\.go:[0-9]+ \+[0-9.]+ MiB in [0-9.]+s \([0-9]+%\)'
check "... looked at for the alert, not before" jq -e '(.fired | sub("\\.[0-9]+"; "") | fromdate) as $fired |
	(.growing_read | sub("\\.[0-9]+"; "") | fromdate) >= $fired - 1' <<<"$(hoards)"
for version in 1.19 1.24 1.27; do
	limit() { "$parkwatch" alerts --all --json --socket "$daemon_socket" | jq ".alerts[] | select(.process == \"fills-$version\" and .rule == \"PW-H03\")"; }
	check "go$version: the limit of its cgroup is near" wait_until 60 eval '[ -n "$(limit)" ]'
	equal "go$version: ... which is critical, and of 128 MiB" "critical 134217728" "$(limit | jq -r '"\(.level) \(.limit)"')"
	between "go$version: ... by seconds" 0 "$(limit | jq .eta_s)" 300
done
twins() { # the alerts of twins
	"$parkwatch" alerts --json --socket "$daemon_socket" | jq -r '.alerts[] | select(.service == "twin") | "\(.process) \(.rule) \(.text)"'
}
equal "no twin is accused" "" "$(twins)"

# ---- the same leaks, in the other states of the governor --------------------------------------------------------------
main_daemon="$daemon_url $daemon_pid $daemon_socket"
for each in "${governed[@]}"; do
	read -r budget daemon_url daemon_pid <<<"$each"
	daemon_socket=$tmp/$budget.sock
	for kind in "${!rule[@]}"; do
		wait_until 60 says "${pid_of[leak-$kind-1.27]}" || true
		equal "budget $budget: leak-$kind is found" "${rule[$kind]} " "$(fired "${pid_of[leak-$kind-1.27]}")"
	done
	states=$(metrics | grep -oE '^parkwatch_probe_governor.*state="[^"]*"' | sed 's/.*state=//' | sort -u | tr '\n' ' ')
	equal "budget $budget: the governor's state" "$([ "$budget" = 0 ] && echo '"off" ' || echo '"spawn, exit and park sampled" ')" "$states"
	stop_daemon
done
read -r daemon_url daemon_pid daemon_socket <<<"$main_daemon"
of_kind() { # KIND FILTER
	"$parkwatch" alerts --json --socket "$daemon_socket" | jq -r ".alerts[] | select(any(.processes[]; .pid == ${pid_of[leak-$1-1.27]})) | $2"
}
equal "a service has levels and an owner of its own" "critical team-leak" "$(of_kind ticker '"\(.level) \(.owner)"' | sort -u)"
contains "what is there by design says so" "$(of_kind cond '"\(.level) \(.lowered) \(.benign)"')" \
	'^info true by design, [0-9]+ of at most 100000, until 2099-01-01$'
sed -i 's/owner: team-leak/owner: team-two/' "$tmp/fast.yaml" # the recording holds this reload
handed_over() { [ "$(of_kind ticker .owner | sort -u)" = team-two ]; }
check "a new owner is taken over" wait_until 10 handed_over

# ---- the end, and the recording ---------------------------------------------------------------------------------------
# Go 1.19 has another name for a function literal in a package variable.
equal "one leak in two processes, of two builds, is one incident" 2 "$("$parkwatch" alerts --json --socket "$daemon_socket" |
	jq ".alerts[] | select(any(.processes[]; .pid == ${pid_of[leak-send-1.24]})) | .processes | length")"
kill -KILL "${pid_of[leak-send-1.19]}" "${pid_of[leak-send-1.24]}"
gone() { grep -q "state=gone.*process=leak-send-1.19" "$tmp/daemon.log"; }
check "a process that ends takes its alert along" wait_until 15 gone
goes_on() { [ "$(fired "${pid_of[leak-send-1.24]}")" = "" ] && [ "$(fired "${pid_of[leak-send-1.27]}")" = "PW-G01 " ]; }
check "but not one that goes on in another process" wait_until 15 goes_on
stop_daemon
transitions() { jq -r '.transitions[] | "\(.state) \(.pid) \(.rule) \(.n // 0)"'; }
said=$(grep -oE 'parkwatch_(rule|state|pid|count)=[^ ]+' "$tmp/daemon.log" | cut -d= -f2 | paste -d' ' - - - - | awk '{ print $2, $3, $1, $4 }')
equal "replay says what the daemon said, number for number" "$said" "$("$parkwatch" replay --json "$tmp/recording" | transitions)"
equal "and to the last byte" "$(sort "$tmp/alerts.jsonl")" "$("$parkwatch" replay --json "$tmp/recording" | jq -c '.transitions[]' | sort)"
pass
