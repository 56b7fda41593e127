#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The daemon as a service: readiness, watchdog, its web faces, a quiet end.
. "$(dirname "$0")/lib.sh"
begin daemon

# ---- systemd ---------------------------------------------------------------------------------------------------------
python3 - "$tmp/notify.sock" >"$tmp/notify.log" <<'PYTHON' &
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
    print(s.recv(4096).decode().replace("\n", " "), flush=True)
PYTHON
started+=($!)
wait_until 5 test -S "$tmp/notify.sock"
start_target counts "$(target counts 1.24 stripped)"
NOTIFY_SOCKET=$tmp/notify.sock WATCHDOG_USEC=1000000 start_daemon
heard() { grep -q "$1" "$tmp/notify.log"; }
check "READY=1 when the first picture is out" wait_until 5 heard '^READY=1 STATUS=observing [0-9]* Go process'
check "WATCHDOG=1 twice in an interval" wait_until 3 eval '[ $(grep -c WATCHDOG=1 "$tmp/notify.log") -ge 3 ]'
kill -HUP "$daemon_pid"
check "RELOADING=1 with its time" wait_until 3 heard '^RELOADING=1 MONOTONIC_USEC=[0-9]'
check "and READY=1 again" wait_until 3 eval '[ $(grep -c READY=1 "$tmp/notify.log") -ge 2 ]'

# ---- web faces -------------------------------------------------------------------------------------------------------
equal "/-/healthy" healthy "$(curl -fsS "$daemon_url/-/healthy")"
equal "/-/ready" ready "$(curl -fsS "$daemon_url/-/ready")"
contains "/ links to the metrics" "$(curl -fsS "$daemon_url/")" 'href="/metrics"'
equal "what is not there: 404" 404 "$(curl -s -o /dev/null -w '%{http_code}' "$daemon_url/nothing")"
equal "POST: 405" 405 "$(curl -s -o /dev/null -w '%{http_code}' -X POST "$daemon_url/metrics")"
equal "/api/v1/ps is what ps --json prints" \
	"$("$parkwatch" ps --json --socket "$daemon_socket" | jq -c '[.processes[].pid]')" \
	"$(curl -fsS "$daemon_url/api/v1/ps" | jq -c '[.processes[].pid]')"
equal "the socket is for root and its group" 660 "$(stat -c %a "$daemon_socket")"
equal "over the socket too" ready "$(curl -fsS --unix-socket "$daemon_socket" http://localhost/-/ready)"
listening=$(ss -Hltnp 2>/dev/null | grep "pid=$daemon_pid," || true)
lacks "it listens on loopback only" "$listening" '(0\.0\.0\.0|\*|\[::\]):[0-9]+ '
one_line_error "a second daemon does not take the socket" 3 "another parkwatch daemon" \
	"$parkwatch" daemon --listen none --socket "$daemon_socket"

# ---- threads and privilege -------------------------------------------------------------------------------------------
equal "no new privileges" 1 "$(awk '/^NoNewPrivs/ { print $2 }' "/proc/$daemon_pid/status")"
effective=$((16#$(awk '/^CapEff/ { print $2 }' "/proc/$daemon_pid/status")))
allowed=$((1 << 39 | 1 << 38 | 1 << 19 | 1 << 2 | 1 << 21 | 1 << 24)) # BPF PERFMON SYS_PTRACE DAC_READ_SEARCH, SYS_ADMIN SYS_RESOURCE
equal "capabilities that are not needed are gone" 0 $((effective & ~allowed))
if [ "$(metrics | grep -o 'attach_method="[a-z_]*"')" = 'attach_method="uprobe_multi"' ]; then
	equal "with uprobe_multi CAP_SYS_ADMIN too" 0 $((effective & 1 << 21))
fi

# ---- ticks are on time -----------------------------------------------------------------------------------------------
tell counts "leak 20000" >/dev/null
before=$(metric parkwatch_ticks_total)
sleep 5
between "a tick each second" 4 $(($(metric parkwatch_ticks_total) - before)) 6
between "none more than 50 ms late, with 20,000 goroutines to read" 0 "$(metric parkwatch_tick_late_max_seconds)" 0.05
own=$(tell counts stats | jq .goroutines)
check "all of them are counted" wait_until 5 eval "[ \"\$(metric go_goroutines 'pid=\"$target_pid\"')\" = $own ]"

# ---- the end ---------------------------------------------------------------------------------------------------------
start=$(date +%s%N)
status=0
stop_daemon || status=$?
equal "SIGTERM: status 0" 0 "$status"
between "within 4 s" 0 $((($(date +%s%N) - start) / 1000000)) 4000
check "STOPPING=1" wait_until 2 heard '^STOPPING=1'
check "the socket is gone" test ! -e "$daemon_socket"
equal "the target works on" true "$(tell counts "run 5" | jq .ok)"

# ---- the socket of a daemon that was killed is replaced --------------------------------------------------------------
start_daemon
kill -KILL "$daemon_pid"
wait "$daemon_pid" 2>/dev/null || true
check "a killed daemon leaves its socket" test -S "$daemon_socket"
start_daemon
equal "the next one takes its place" ready "$(curl -fsS --unix-socket "$daemon_socket" http://localhost/-/ready)"
stop_daemon

# ---- without events --------------------------------------------------------------------------------------------------
copy=$tmp/parkwatch-copy
cp "$parkwatch" "$copy"
parkwatch_full=$parkwatch
cat >"$tmp/memory-only" <<SCRIPT
#!/bin/bash
exec setpriv --bounding-set -sys_admin,-bpf,-perfmon "$copy" "\$@"
SCRIPT
chmod +x "$tmp/memory-only"
parkwatch=$tmp/memory-only
start_daemon
check "without CAP_BPF it goes on with memory" wait_until 10 eval "[ \"\$(metric go_goroutines 'pid=\"$target_pid\"')\" = $own ]"
equal "and says so" 0 "$(metric parkwatch_events_possible)"
contains "in the log, with the remedy" "$(cat "$tmp/daemon.log")" "no events on this host: .*CAP_BPF"
stop_daemon
parkwatch=$parkwatch_full

pass
