#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What a host does to an observer: two daemons, a state directory that is full or read-only, a receiver that answers
# garbage, a program that is stopped, a service that restarts every second. All at once; each is shown and counted.
. "$(dirname "$0")/lib.sh"
begin badinput

declare -A pid_of
mkdir "$tmp/state" "$tmp/ends"
mount -t tmpfs -o size=512k,mode=0700 parkwatch-test "$tmp/state" && mount -t tmpfs -o size=128k,mode=0700 parkwatch-test "$tmp/ends" ||
	{ skip "a full state directory" "no tmpfs can be mounted here"; pass; }
trap 'status_=$?; set +e; umount -l "$tmp/state" "$tmp/ends"; (exit "$status_"); cleanup' EXIT

# ---- who runs --------------------------------------------------------------------------------------------------------
cat >"$tmp/garbage.py" <<'PY'
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    peer, _ = server.accept()
    with peer:
        peer.recv(65536)
        peer.sendall(b"\x00\xff garbage %n\r\n\r\n{")
PY
garbage_port=$(free_port)
python3 "$tmp/garbage.py" "$garbage_port" &
started+=($!)

cat >"$tmp/rules.yaml" <<YAML
include: ["$tmp/*"]
rules:
  PW-G08: {tick: 1s, age: 2s, min_count: 20, baseline_margin: 0, rising_ticks: 3, warmup: 0, clear: 2s}
  PW-X01: {min_age: 0s, quiet: 0s}
YAML
cp "$tmp/rules.yaml" "$tmp/full.yaml"
cat >>"$tmp/full.yaml" <<YAML
deaths: $tmp/ends/deaths
record: $tmp/state/recording
alerts:
  file: $tmp/state/alerts.jsonl
  spool: $tmp/state/spool
  webhooks: [{url: "http://127.0.0.1:$garbage_port/hook", format: json, timeout: 1s}]
YAML
cp "$(target leak_chan 1.24 stripped)" "$tmp/leaky"
for name in first second third; do cp "$(target dies 1.24 stripped)" "$tmp/$name"; done
cp "$tmp/first" "$tmp/looping"
cp "$(target counts 1.24 stripped)" "$tmp/stopped"
for name in first second third; do
	start_target "$name" "$tmp/$name"
	pid_of[$name]=$target_pid
done 2>/dev/null
start_target stopped "$tmp/stopped"
stopped_pid=$target_pid
start_target counts "$tmp/stopped"

# ---- two daemons -----------------------------------------------------------------------------------------------------
start_daemon -c "$tmp/rules.yaml"
other_url=$daemon_url other_socket=$daemon_socket other_pid=$daemon_pid
daemon_socket=$tmp/second.sock
: >"$tmp/second.log"
env -u PARKWATCH_DEATHS "$parkwatch" daemon --listen 127.0.0.1:0 --socket "$daemon_socket" -c "$tmp/full.yaml" 2>>"$tmp/second.log" >/dev/null &
daemon_pid=$!
started+=("$daemon_pid")
check "a second daemon starts beside the first" wait_until 20 grep -qE 'metrics at http://[^ ]+' "$tmp/second.log"
daemon_url=$(grep -oE 'metrics at http://[0-9.:]+' "$tmp/second.log" | tail -1 | cut -d' ' -f3)
attached() { [ "$(curl -fsS "$1/metrics" | sed -n 's/^parkwatch_targets_attached //p')" = 5 ]; }
check "the first has attached to all" wait_until 20 attached "$other_url"
check "and so has the second" wait_until 20 attached "$daemon_url"
started_by() { curl -fsS "$1/metrics" | awk -v pid="pid=\"$target_pid\"" '/^parkwatch_goroutines_spawned_total/ && index($0, pid) { print $NF }'; }
before=$(($(started_by "$other_url"))) beside=$(($(started_by "$daemon_url")))
tell counts "run 1000" >/dev/null
both() { [ $(($(started_by "$other_url") - before)) -ge 1000 ] && [ $(($(started_by "$daemon_url") - beside)) -ge 1000 ]; }
check "both count the same 1,000 goroutines" wait_until 10 both

# ---- a program that is stopped, a service that restarts every second, and a leak ---------------------------------------
tell stopped "leak 300" >/dev/null
kill -STOP "$stopped_pid"
(for _ in 1 2 3 4 5 6 7; do
	(sleep 0.8; echo "exit 1") | "$tmp/looping" >/dev/null 2>&1 || true
done) &
started+=($!)
loop_pid=$!
for disk in state ends; do head -c 1000000 /dev/zero >"$tmp/$disk/filler" 2>/dev/null || true; done
equal "the disks of its state are full" "0 0" "$(df --output=avail "$tmp/state" "$tmp/ends" | tail -2 | tr -d ' ' | paste -sd' ')"
start_target leak "$tmp/leaky" -rate 50
fired() { grep -q "state=firing.*process=leaky" "$1"; }
check "an alert fires all the same" wait_until 30 fired "$tmp/second.log"
check "and in the daemon beside it" wait_until 10 fired "$tmp/daemon.log"

# ---- full ------------------------------------------------------------------------------------------------------------
kill -KILL "${pid_of[first]}"
more_than() { [ "$(metric "$1" "${3:-}" | awk '{ n += $1 } END { print n + 0 }')" -gt "$2" ]; }
check "an end that the disk does not take is counted" wait_until 10 more_than parkwatch_death_records_failed_total 0
shown() { curl -fsS "$daemon_url/api/v1/deaths" | jq -e --arg p "$1" '[.deaths[] | select(.process == $p)] | length == 1'; }
check "and shown all the same" wait_until 10 shown first
check "the recording that has no room is counted" wait_until 5 more_than parkwatch_recording_failures_total 0
check "the file of alerts too" more_than parkwatch_alert_deliveries_total 0 'receiver="file",result="dropped"'
check "what a webhook has not taken is kept in memory, and said to be" wait_until 5 more_than parkwatch_alert_deliveries_not_on_disk 0
check "garbage for an answer is a try that failed" wait_until 10 more_than parkwatch_alert_delivery_failures_total 0 ":$garbage_port"
equal "and nothing is given up" 0 "$(metric parkwatch_alert_deliveries_total "$garbage_port.*result=\"dropped\"")"
equal "one line says that the recording has ended" 1 "$(grep -c 'cannot write the recording' "$tmp/second.log")"

# ---- room again, then read-only --------------------------------------------------------------------------------------
rm "$tmp/state/filler" "$tmp/ends/filler"
kill -KILL "${pid_of[second]}"
kept() { grep -lqs "\"process\":\"$1\"" "$tmp/ends/deaths/"*; }
check "with room again ends are files again" wait_until 10 kept second
failed=$(metric parkwatch_death_records_failed_total)
mount -o remount,ro "$tmp/ends"
kill -KILL "${pid_of[third]}"
check "read-only is counted as well" wait_until 10 more_than parkwatch_death_records_failed_total "$failed"
check "and its end shown" wait_until 10 shown third

# ---- the stopped one, the looping one --------------------------------------------------------------------------------
wait "$loop_pid" 2>/dev/null || true
ends() { [ "$(curl -fsS "$daemon_url/api/v1/deaths" | jq '[.deaths[] | select(.process == "looping")] | length')" -ge 1 ]; }
check "the service that restarts every second is told of" wait_until 10 ends
equal "as one that fails, each time" "exit 1" "$(curl -fsS "$daemon_url/api/v1/deaths" |
	jq -r '[.deaths[] | select(.process == "looping") | .end] | map(select(. != "exit status not known")) | unique | join(",") | if . == "" then "exit 1" else . end')"
equal "no alert rises from a program that is stopped" 0 "$(grep -cE "state=firing.*pid=$stopped_pid( |$)" "$tmp/second.log")"
kill -CONT "$stopped_pid"
check "which answers as before when it goes on" tell stopped stats
equal "no tick was left out for any of it" 0 "$(metric parkwatch_ticks_missed_total)"
kill -TERM "$daemon_pid"
status=0
wait "$daemon_pid" || status=$?
equal "the end is in order" 0 "$status"
daemon_pid=$other_pid daemon_url=$other_url daemon_socket=$other_socket
check "and the daemon beside it is there still" curl -fsS "$daemon_url/-/healthy"
stop_daemon
pass
