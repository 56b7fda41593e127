#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What the daemon takes from its host: open files as many as it may have, and memory that it gives back.
# Runs alone: it measures memory while 80 programs run.
. "$(dirname "$0")/lib.sh"
begin resources

# ---- open files ------------------------------------------------------------------------------------------------------
# Of our own programs only: what else runs on this host must not count.
cp "$(target idle 1.24 stripped)" "$tmp/idle"
idle=$tmp/idle
printf 'include:\n  - "%s"\n' "$idle" >"$tmp/config.yaml"
soft=$(ulimit -Sn)
ulimit -Sn 256
start_daemon --config "$tmp/config.yaml" --log-level debug
ulimit -Sn "$soft"
limits() { awk '/^Max open files/ { print $4, $5 }' "/proc/$daemon_pid/limits"; }
equal "the soft limit of open files becomes the hard one" "$(ulimit -Hn) $(ulimit -Hn)" "$(limits)"
lacks "which is not worth a message" "$(cat "$tmp/daemon.log")" 'open files run out'

# ---- memory: many come and go ----------------------------------------------------------------------------------------
rss_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$daemon_pid/status"; }
found() { metrics | grep -c '^go_goroutines{' || true; }
sleep 2
first=$(rss_kb)
base=$(found)
many=()
mkfifo "$tmp/hold"
exec 8<>"$tmp/hold"
for _ in $(seq 80); do
	"$idle" <&8 >/dev/null 2>&1 &
	many+=($!)
	started+=($!)
done
check "80 programs are found" wait_until 30 eval "[ \$(found) -ge $((base + 80)) ]"
sleep 3
most=$(rss_kb)
for pid in "${many[@]}"; do kill -KILL "$pid"; done
wait "${many[@]}" 2>/dev/null || true
check "and forgotten" wait_until 20 eval "[ \$(found) -le $base ]"
wait_until 15 grep -q 'gave memory back' "$tmp/daemon.log" && ok "memory is given back" || not_ok "memory is given back"
sleep 1
echo "# resident: $first kB, with 80 more $most kB, without them $(rss_kb) kB"
between "at least half of what they took" 0 "$(rss_kb)" $((most - (most - first) / 2))
contains "in a moment" "$(grep 'gave memory back' "$tmp/daemon.log" | head -1)" 'in [0-9]{1,2}\.[0-9] ms'

# ---- open files run out ----------------------------------------------------------------------------------------------
used=$(ls "/proc/$daemon_pid/fd" | wc -l)
prlimit --pid "$daemon_pid" --nofile=$((used + 40)):$((used + 40))
start_target one "$idle"
check "that open files run out is said, with the remedy" wait_until 10 grep -q 'open files run out, [0-9]* are allowed.*LimitNOFILE=' "$tmp/daemon.log"
start_target two "$idle"
sleep 2
equal "once" 1 "$(grep -c 'open files run out' "$tmp/daemon.log")"
stop_daemon
pass
