#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Every command in README's sh blocks does what README says, with a leaking service called orders to look at.
# make test is what runs this; systemctl is told apart: there is no systemd here, so the unit it starts is verified.
. "$(dirname "$0")/lib.sh"
begin readme

mkdir -p "$tmp/bin" "$tmp/destination"
cp "$(target leak_chan 1.19 stripped)" "$tmp/bin/orders"
"$tmp/bin/orders" -rate 50 </dev/null >/dev/null 2>&1 &
started+=("$!")
ln -s "$parkwatch" "$tmp/bin/parkwatch"
export PATH=$tmp/bin:$PATH PARKWATCH_SOCKET=$tmp/api.sock
cd "$root"

printf 'include: [orders]\nrules: {PW-G08: {tick: 1s, age: 5s, min_count: 50}}\n' >"$tmp/quick.yaml"
parkwatch daemon --config "$tmp/quick.yaml" 2>"$tmp/daemon.log" &
daemon_pid=$!
started+=("$daemon_pid")
wait_until 20 curl -fsS http://127.0.0.1:10435/-/ready || not_ok "the daemon listens at the default address" "$(cat "$tmp/daemon.log")"
wait_until 40 grep -q PW-G08 "$tmp/daemon.log" || not_ok "the demo's leak raises its alert" "$(cat "$tmp/daemon.log")"

run() { # COMMAND: its status; output in $tmp/out
	case $1 in
	"make test") make -n test >"$tmp/out" 2>&1 ;;
	"make demo") make demo </dev/null >"$tmp/out" 2>&1 && grep -q "PW-G08 firing" "$tmp/out" ;;
	make | "make check" | "make test-unit") make -n ${1#make} >"$tmp/out" 2>&1 ;; # what CI runs itself
	"make install") make install DESTDIR="$tmp/destination" >"$tmp/out" 2>&1 && "$tmp/destination/usr/local/bin/parkwatch" version >>"$tmp/out" ;;
	systemctl*) test -s "$tmp/destination/usr/local/lib/systemd/system/parkwatch.service" && systemd-analyze --version >"$tmp/out" ;;
	*"daemon --record"*)
		PARKWATCH_SOCKET=none timeout --signal=TERM --preserve-status 6 $1 --listen none >"$tmp/out" 2>&1
		;;
	*) bash -c "$1" >"$tmp/out" 2>"$tmp/err" ;;
	esac
}

rm -f /tmp/parkwatch.rec
lacks "README has no blanks left to fill" "$(grep -vE '^(PW-|CAP_)' README.md)" '(^| )(BENCH|DIST_[A-Z]+|TBD)( |$|\))'
while IFS= read -r command; do
	if run "$command"; then ok "$command"; else not_ok "$command" "$(tail -10 "$tmp/out")"; fi
	case $command in
	"parkwatch ps") contains "ps shows the service" "$(cat "$tmp/out")" 'orders .*1\.19' ;;
	"parkwatch trace"*--json) check "trace --json is JSON" jq -e '.sites | length > 2' "$tmp/out" ;;
	"parkwatch trace"*) contains "trace names the line that leaks" "$(cat "$tmp/out")" 'main\.main\.func1 main\.go:17' ;;
	"parkwatch alerts") contains "the alert is as README shows it" "$(cat "$tmp/out")" 'PW-G08 firing .*orders' ;;
	"curl"*deaths*) check "what is kept of ends is JSON" jq -e "has(\"end\")" "$tmp/out" ;;
	"curl"*) contains "metrics name the process" "$(cat "$tmp/out")" '^go_goroutines\{.*orders' ;;
	"parkwatch doctor") contains "doctor has an answer for uprobe_multi" "$(cat "$tmp/out")" 'uprobe_multi' ;;
	esac
done < <(awk '/^```sh$/ { on = 1; next } /^```/ { on = 0 } on && NF' README.md)
rm -f /tmp/parkwatch.rec
pass
