#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Processes that start, exec, hide in namespaces, lose their file, opt out and end: the daemon follows each.
. "$(dirname "$0")/lib.sh"
begin lifecycle

goroutines_of() { metric go_goroutines "pid=\"$1\""; }
attached() { metric parkwatch_target_ability 'ability="events"' | head -0; [ "$(metrics | grep '^parkwatch_target_ability' | grep "pid=\"$1\"" | grep 'ability="events"' | awk '{ print $NF }')" = 1 ]; }
seen() { [ -n "$(goroutines_of "$1")" ]; }
spawned() { # by the program's own go statements; GC workers come when it is their time, named or not yet
	metrics | awk -v pid="pid=\"$pid\"" '/^parkwatch_spawned_total/ && index($0, pid) && /function="(main|iter)\./ { s += $NF } END { print s + 0 }'
}
unseen() { ! metrics | grep -q "pid=\"$1\""; }

start_daemon

# ---- starts and ends -------------------------------------------------------------------------------------------------
start_target counts "$(target counts 1.24 stripped)"
pid=$target_pid
wait_until 10 attached "$pid" && ok "a process that starts is attached" || not_ok "a process that starts is attached" "$(tail -3 "$tmp/daemon.log")"
tell counts "leak 50" >/dev/null
own=$(tell counts stats | jq .goroutines)
wait_until 5 eval "[ \"\$(goroutines_of $pid)\" = $own ]" && ok "go_goroutines is runtime.NumGoroutine" ||
	not_ok "go_goroutines is runtime.NumGoroutine" "expected $own" "actual $(goroutines_of "$pid")"
cycles() { echo $(for kind in cycles mark_terminations sweeps; do metric "parkwatch_gc_${kind}_total" "pid=\"$pid\""; done); }
read -r before _ <<<"$(cycles)"
runs=$(tell counts stats | jq .num_gc)
tell counts "gc 7" >/dev/null
runs=$(($(tell counts stats | jq .num_gc) - runs + before))
wait_until 5 eval "[ \"\$(cycles)\" = '$runs $runs $runs' ]" && ok "GC cycles, mark terminations and sweeps are the program's own" ||
	not_ok "GC cycles, mark terminations and sweeps are the program's own" "expected $runs each" "actual $(cycles)"
stop_target counts
wait_until 5 unseen "$pid" && ok "a process that ended is forgotten" || not_ok "a process that ended is forgotten"
rm -f "$tmp"/counts.*

# ---- exec ------------------------------------------------------------------------------------------------------------
start_target exec "$(target exec_loop 1.19 stripped)"
pid=$target_pid
wait_until 10 attached "$pid" || not_ok "exec_loop is attached"
echo "exec $(target counts 1.27 stripped)" >&"${target_in[exec]}"
read -r -t 20 _ <&"${target_out[exec]}"
version() { metrics | grep '^go_info' | grep "pid=\"$pid\"" | grep -oE 'version="[^"]*"'; }
wait_until 10 eval "version | grep -q 1.27" && ok "exec of another Go program under the same pid is a new target" ||
	not_ok "exec of another Go program under the same pid is a new target" "$(version)"
wait_until 10 attached "$pid" && ok "and is attached" || not_ok "and is attached" "$(tail -3 "$tmp/daemon.log")"
tell exec "gc 1" >/dev/null # starts the runtime's own goroutines, which the program does not count
sleep 2
before=$(spawned)
tell exec "run 50" >/dev/null
own=$(tell exec stats | jq .totals.spawned)
wait_until 5 eval "[ \$((\$(spawned) - $before)) = $own ]" && ok "what it starts is counted once" ||
	not_ok "what it starts is counted once" "expected $own" "actual $(($(spawned) - before))"
echo "exec /bin/sleep 60" >&"${target_in[exec]}"
stop_target exec
rm -f "$tmp"/exec.*

# ---- exec of itself: the attach survives in the kernel, the counts must not mix -----------------------------------------
start_target again "$(target exec_loop 1.24 stripped)"
pid=$target_pid
wait_until 10 attached "$pid" || not_ok "exec_loop 1.24 is attached"
echo "exec" >&"${target_in[again]}"
read -r -t 20 _ <&"${target_out[again]}"
sleep 2
wait_until 10 attached "$pid" && ok "exec of the same file is followed" || not_ok "exec of the same file is followed" "$(tail -3 "$tmp/daemon.log")"
stop_target again
rm -f "$tmp"/again.*

# ---- files that go away ----------------------------------------------------------------------------------------------
cp "$(target counts 1.19 stripped)" "$tmp/deleted"
start_target deleted "$tmp/deleted"
rm "$tmp/deleted"
wait_until 10 attached "$target_pid" && ok "a deleted binary is attached" || not_ok "a deleted binary is attached" "$(tail -3 "$tmp/daemon.log")"
cp "$(target counts 1.24 stripped)" "$tmp/replaced"
start_target replaced "$tmp/replaced"
cp "$(target counts 1.27 stripped)" "$tmp/new" && mv "$tmp/new" "$tmp/replaced"
wait_until 10 attached "$target_pid" && ok "a replaced binary is attached as what runs" || not_ok "a replaced binary is attached as what runs"
contains "and its version is that of the running one" "$(metrics | grep '^go_info' | grep "pid=\"$target_pid\"")" 'version="go1.24'
cat >"$tmp/memfd.py" <<'PY'
import os, sys
fd = os.memfd_create("service", 0)
with open(sys.argv[1], "rb") as source:
    os.write(fd, source.read())
os.execve(fd, ["service"], os.environ)
PY
start_target memfd python3 "$tmp/memfd.py" "$(target counts 1.24 stripped)"
wait_until 10 attached "$target_pid" && ok "an executable memfd is attached" || not_ok "an executable memfd is attached" "$(tail -3 "$tmp/daemon.log")"

# ---- other namespaces ------------------------------------------------------------------------------------------------
mkdir -p "$tmp/root"
cp "$(target counts 1.24 stripped)" "$tmp/root/service"
start_target contained unshare --pid --mount --fork --kill-child --root "$tmp/root" /service
inner=$(pgrep -P "$target_pid")
wait_until 10 attached "$inner" && ok "a process in another mount and pid namespace is attached" ||
	not_ok "a process in another mount and pid namespace is attached" "$(tail -3 "$tmp/daemon.log")"
tell contained "gc 1" >/dev/null
sleep 2
before=$(pid=$inner; spawned)
tell contained "run 50" >/dev/null
own=$(tell contained stats | jq .totals.spawned)
pid=$inner
wait_until 5 eval "[ \$((\$(spawned) - $before)) = $own ]" && ok "and counted" || not_ok "and counted" "expected $own" "actual $(($(spawned) - before))"

# ---- left alone ------------------------------------------------------------------------------------------------------
start_target off env PARKWATCH=off "$(target counts 1.24 plain)"
sleep 2.5
unseen "$target_pid" && ok "PARKWATCH=off: the daemon leaves it alone" || not_ok "PARKWATCH=off: the daemon leaves it alone"
one_line_error "PARKWATCH=off: trace says so" 2 'PARKWATCH=off' "$parkwatch" trace -p "$target_pid" -d 1s

# ---- 10,000 that do not stay -----------------------------------------------------------------------------------------
short=$(target shortlived 1.24 stripped)
for _ in $(seq 10000); do "$short"; done
wait_until 5 curl -fsS "$daemon_url/-/healthy" && ok "10,000 short-lived processes: the daemon is well" ||
	not_ok "10,000 short-lived processes: the daemon is well" "$(tail -3 "$tmp/daemon.log")"
descriptors=$(ls "/proc/$daemon_pid/fd" | wc -l)
between "and holds no descriptor for each" 1 "$descriptors" 300
between "its log is short" 0 "$(wc -l <"$tmp/daemon.log")" 100
status=0
stop_daemon || status=$?
equal "SIGTERM ends it with status 0" 0 "$status"
pass
