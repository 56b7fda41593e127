#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The systemd unit: clean, hardened, and enough: the daemon works as an unprivileged user with exactly the capabilities
# and the system calls that the unit leaves it.
. "$(dirname "$0")/lib.sh"
begin dist

make -s -C "$root" install DESTDIR="$tmp/image" PREFIX=/usr >"$tmp/make.log" 2>&1 && ok "make install" || not_ok "make install" "$(cat "$tmp/make.log")"
unit=$tmp/image/usr/lib/systemd/system/parkwatch.service
contains "the unit starts what was installed" "$(cat "$unit")" '^ExecStart=/usr/bin/parkwatch daemon'
check "installed: program, man page, drop-in, alerting rules" ls "$tmp/image/usr/bin/parkwatch" "$tmp/image/usr/share/man/man8/parkwatch.8" \
	"$tmp/image/usr/share/parkwatch/older-kernels.conf" "$tmp/image/usr/share/parkwatch/parkwatch.rules.yml"

# ---- alerting rules for Prometheus -----------------------------------------------------------------------------------
rules=$tmp/image/usr/share/parkwatch/parkwatch.rules.yml
if promtool=$(server promtool 2>"$tmp/promtool.log"); then
	check "promtool check rules" "$promtool" check rules "$rules"
	check "promtool test rules" "$promtool" test rules "$root/tests/integration/rules.test.yml"
else
	skip "promtool check and test rules" "$(tail -1 "$tmp/promtool.log")"
fi
tested=$(grep -oE 'alertname: [A-Za-z]+' "$root/tests/integration/rules.test.yml" | sort -u | sed 's/alertname/alert/')
equal "each rule is tested" "$(grep -oE 'alert: [A-Za-z]+' "$rules" | sort -u)" "$tested"
# Each metric that a rule asks for is one that parkwatch exports: a name in its program, or a name of go_ that it composes.
grep -oE '\b(parkwatch|go|process)_[a-z0-9_]+' <(sed '/^ *#/d; /summary:\|description:\|name:/d' "$rules") | sort -u >"$tmp/asked"
between "metrics are asked for" 15 "$(wc -l <"$tmp/asked")" 60
strings -a "$parkwatch" | sort -u >"$tmp/strings"
equal "that are exported" "" "$(comm -23 "$tmp/asked" "$tmp/strings" | tr '\n' ' ')"

# verify wants the program where the unit says it is
mkdir -p "$tmp/units/parkwatch.service.d"
sed "s|^ExecStart=/usr/bin/parkwatch|ExecStart=$parkwatch|" "$unit" >"$tmp/units/parkwatch.service"
verify() { systemd-analyze verify --man=no "$tmp/units/parkwatch.service" 2>&1; }
equal "systemd-analyze verify has nothing to say" "" "$(verify)"
exposure=$(systemd-analyze security --offline=true --no-pager "$tmp/units/parkwatch.service" | grep -oE 'level for [^ ]+ [0-9.]+' | grep -oE '[0-9.]+$')
between "systemd-analyze security: 3.0 or better" 0.1 "$exposure" 3.0
cp "$root/scripts/dist/older-kernels.conf" "$tmp/units/parkwatch.service.d/"
equal "and nothing with the drop-in for older kernels" "" "$(verify)"

# as the unit runs it: another uid, its capabilities as ambient ones, no new privileges
capabilities() { # SETTING: "+bpf,+perfmon,..."
	sed -n "s/^$1=//p" "$unit" | tr 'A-Z' 'a-z' | sed 's/cap_/+/g; s/ /,/g'
}
ambient=$(capabilities AmbientCapabilities) bounding=$(capabilities CapabilityBoundingSet)
as_unit=(setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs --inh-caps "-all,$ambient"
	--ambient-caps "-all,$ambient" --bounding-set "-all,$bounding")
start_target counts "$(target counts 1.24 stripped)"
chmod 755 "$tmp"
mkdir -m 777 "$tmp/run"
: >"$tmp/daemon.log"
port=$(free_port)
strace -f -q -o "$tmp/calls" -e signal=none "${as_unit[@]}" \
	"$parkwatch" daemon --attach uprobe_multi --listen "127.0.0.1:$port" --socket "$tmp/run/api.sock" 2>>"$tmp/daemon.log" &
tracer=$!
started+=("$tracer")
daemon_url=http://127.0.0.1:$port
spawned() { metrics | awk -v pid="pid=\"$target_pid\"" '/^parkwatch_goroutines_(spawned|started)_total|^parkwatch_spawn/ && index($0, pid) { n += $NF } END { exit !(n >= 1000) }'; }
wait_until 40 curl -fsS "$daemon_url/-/ready" && ok "the daemon starts as that user" || not_ok "the daemon starts as that user" "$(tail -5 "$tmp/daemon.log")"
wait_until 60 eval 'metric parkwatch_target_ability "ability=\"events\".*pid=\"$target_pid\"|pid=\"$target_pid\".*ability=\"events\"" | grep -qx 1' &&
	ok "it attaches to another user's process" || not_ok "it attaches to another user's process" "$(tail -5 "$tmp/daemon.log")"
tell counts "run 1000" >/dev/null
wait_until 20 spawned && ok "and counts" || not_ok "and counts" "$(metrics | grep "$target_pid" | head -20)"
json=$("$parkwatch" ps --json --socket "$tmp/run/api.sock")
equal "its memory is read too" true "$(jq --argjson pid "$target_pid" '.processes[] | select(.pid == $pid) | .abilities.memory.ok' <<<"$json")"
daemon_pid=$(pgrep -P "$tracer" | head -1)
kill -TERM "$daemon_pid"
wait_until 20 eval '! kill -0 $daemon_pid' && ok "it ends" || not_ok "it ends"
wait "$tracer" || true

# the calls that it made against those the unit allows; up to its own execve it was not it
expand() { # SET-OR-CALL...: names of system calls
	local item
	for item; do
		case $item in
		@*) expand $(systemd-analyze syscall-filter "$item" | sed -n '2,$s/^ *//p' | grep -v '^#') ;;
		*) echo "$item" ;;
		esac
	done
}
filters() { sed -n "s/^SystemCallFilter=$1//p" "$unit"; }
expand $(filters '' | grep -v '^~') | sort -u >"$tmp/allow"
expand $(filters '~') | sort -u >"$tmp/deny"
awk -v program="$parkwatch" '
	index($0, "execve(\"" program) { on = 1; next }
	on && match($0, /^[0-9]+ +[a-z_0-9]+\(/) { name = substr($0, RSTART, RLENGTH - 1); sub(/^[0-9]+ +/, "", name); print name }' "$tmp/calls" |
	sort -u >"$tmp/made"
between "system calls were seen" 40 "$(wc -l <"$tmp/made")" 300
equal "the unit allows every system call that was made" "" "$(comm -23 "$tmp/made" <(comm -23 "$tmp/allow" "$tmp/deny") | tr '\n' ' ')"
pass
