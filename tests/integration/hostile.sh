#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Targets whose files, memory and names lie, and targets that die at the wrong moment: each costs us that target only.
. "$(dirname "$0")/lib.sh"
begin hostile

go=$(target idle 1.24 plain)
size=$(python3 - "$go" <<'PY'
import sys; sys.path.insert(0, "tests/integration")
from hostile import Elf
elf = Elf(sys.argv[1]); print(len(elf.content(".go.buildinfo")), len(elf.content(".gopclntab")))
PY
)
cat >"$tmp/sleeper.c" <<C
#include <unistd.h>
asm(".section .go.buildinfo,\"aw\"\n.balign 16\n.fill ${size% *}, 1, 1\n"
    ".section .gopclntab,\"a\"\n.balign 32\n.fill ${size#* }, 1, 1\n.text\n");
int main(void) { for (;;) pause(); }
C
gcc -O1 -o "$tmp/sleeper" "$tmp/sleeper.c"
mkdir "$tmp/bin"
python3 tests/integration/hostile.py "$go" "$tmp/sleeper" "$tmp/bin" >"$tmp/list"

start_daemon
pids=()
while read -r path; do
	"$path" </dev/null >/dev/null 2>&1 &
	started+=("$!")
	pids+=("$!")
done <"$tmp/list"
# a name of escape sequences, quotes and newlines
name=$'evil\n"}\e[2J%n'
cp "$go" "$tmp/bin/$name"
"$tmp/bin/$name" </dev/null >/dev/null 2>&1 &
started+=("$!")
honest=$go
"$honest" </dev/null >/dev/null 2>&1 &
honest_pid=$!
started+=("$honest_pid")
sleep 4

alive=0
for pid in "${pids[@]}"; do kill -0 "$pid" 2>/dev/null && alive=$((alive + 1)); done
equal "all hostile programs run" "${#pids[@]}" "$alive"
check "the daemon is well" curl -fsS "$daemon_url/-/healthy"
wait_until 20 eval "metrics | grep '^parkwatch_target_ability' | grep 'pid=\"$honest_pid\"' | grep 'ability=\"events\"' | grep -q ' 1$'" &&
	ok "an honest program beside them is observed" || not_ok "an honest program beside them is observed" "$(tail -5 "$tmp/daemon.log")"
late=$(metric parkwatch_tick_late_max_seconds)
between "no tick was more than 50 ms late because of one" 0 "${late:-missing}" 0.050
metrics >"$tmp/metrics"
check "metrics stay well-formed" "$(server promtool)" check metrics <"$tmp/metrics"
lacks "no control character reaches metrics" "$(cat "$tmp/metrics")" $'\e'
"$parkwatch" ps >"$tmp/ps" 2>&1 || true
lacks "nor the terminal" "$(cat "$tmp/ps")" $'\e'
"$parkwatch" ps --json >"$tmp/ps.json" 2>/dev/null || true
check "ps --json is JSON" jq -e '.processes | length > 3' "$tmp/ps.json"
lacks "no control character reaches the log" "$(cat "$tmp/daemon.log")" $'\e'
between "the log stays short" 0 "$(wc -l <"$tmp/daemon.log")" 150

# one at a time, alone with the reader: an answer or one line, never a crash or a hang
while read -r path; do
	"$path" </dev/null >/dev/null 2>&1 &
	pid=$!
	started+=("$pid")
	status=0
	timeout 15 "$parkwatch" trace -p "$pid" -d 50ms --quiet --format json >"$tmp/out" 2>"$tmp/err" || status=$?
	case $status in
	0) check "${path##*/}: traced" jq -e .totals "$tmp/out" ;;
	2) equal "${path##*/}: one line says why not" 1 "$(wc -l <"$tmp/err")" ;;
	*) not_ok "${path##*/}: status $status" "$(head -5 "$tmp/err")" ;;
	esac
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null || true
done <"$tmp/list"

# killed in the middle of reads and attaches
for i in $(seq 60); do
	"$go" </dev/null >/dev/null 2>&1 &
	pid=$!
	("$parkwatch" trace -p "$pid" -d 200ms --quiet >/dev/null 2>>"$tmp/killed") &
	sleep "0.$((i % 6))$((i % 10))"
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
done
wait $(jobs -p | tail -1) 2>/dev/null || true
sleep 1
lacks "targets killed while they are attached: no crash" "$(cat "$tmp/killed")" 'Segmentation|AddressSanitizer|Aborted'
check "and the daemon is well" curl -fsS "$daemon_url/-/healthy"
status=0
stop_daemon || status=$?
equal "the daemon ends with status 0" 0 "$status"
pass
