#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Where alerts go: a file, a command, a receiver of JSON that is away for a while, and Debian's Alertmanager.
. "$(dirname "$0")/lib.sh"
begin sinks

# ---- a receiver of JSON, started later; Alertmanager from the start ----------------------------------------------------
hook_port=$(free_port) am_port=$(free_port)
cat >"$tmp/hook.py" <<'PY'
import http.server, sys
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Authorization") != "Bearer sesame":
            self.send_error(401)
            return
        open(sys.argv[2], "ab").write(body + b"\n")
        self.send_response(204)
        self.end_headers()
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Hook).serve_forever()
PY
start_hook() {
	python3 "$tmp/hook.py" "$hook_port" "$tmp/hooked" &
	hook_pid=$!
	started+=("$hook_pid")
}
printf 'route: {receiver: r, group_wait: 1s, group_interval: 1s}\nreceivers: [{name: r}]\n' >"$tmp/am.yml"
# It wants its templates where the package would have put them: in a mount namespace of its own, they are there.
start_server alertmanager "http://127.0.0.1:$am_port/-/ready" unshare -m bash -c '
	mount -t tmpfs none /usr/share && mkdir -p /usr/share/prometheus && cp -r "${1%/usr/bin/*}/usr/share/prometheus/alertmanager" /usr/share/prometheus/ &&
	exec "$@"' _ "$(server alertmanager)" --config.file="$tmp/am.yml" --storage.path="$tmp/am" \
	--web.listen-address="127.0.0.1:$am_port" --cluster.listen-address=

echo sesame >"$tmp/token"
mkdir -m 777 "$tmp/paged"
chmod 755 "$tmp"
cat >"$tmp/sinks.yaml" <<YAML
include: ["$tmp/*"]
services:
  "leaky*": leaky
alerts:
  file: $tmp/alerts.jsonl
  exec: [/bin/sh, -c, 'cat >"\$(mktemp "\$0/XXXXXX")"; id -u >"\$0.uid"', $tmp/paged]
  spool: $tmp/spool
  webhooks:
  - url: http://127.0.0.1:$am_port/
  - {url: "http://127.0.0.1:$hook_port/hook?key=secret", format: json, token_file: $tmp/token}
rules:
  PW-G08: {tick: 1s, age: 2s, min_count: 20, baseline_margin: 0, rising_ticks: 4, warmup: 0, clear: 2s}
YAML
touch "$tmp/paged.uid"
chmod 666 "$tmp/paged.uid"
shown=$("$parkwatch" check-config "$tmp/sinks.yaml")
contains "check-config names the receivers" "$shown" "^alerts.webhooks +json http://127.0.0.1:$hook_port +file"
lacks "and keeps what is secret in a URL" "$shown" "secret"

cp "$(target leak_chan 1.24 stripped)" "$tmp/leaky"
start_target leak "$tmp/leaky" -rate 50
start_daemon -c "$tmp/sinks.yaml"

# ---- firing ----------------------------------------------------------------------------------------------------------
in_file() { [ "$(jq -r 'select(.service == "leaky") | .state' "$tmp/alerts.jsonl" 2>/dev/null | grep -c "^$1$")" = "${2:-1}" ]; }
check "the alert is a line of the file" wait_until 40 in_file firing
equal "which is for its owner only" 600 "$(stat -c %a "$tmp/alerts.jsonl")"
id=$(jq -r .id "$tmp/alerts.jsonl")
paged() { [ "$(cat "$tmp"/paged/* 2>/dev/null | jq -r "select(.id == \"$id\") | .state" | grep -c "^$1$")" = 1 ]; }
check "the command got it" wait_until 10 paged firing
equal "as nobody" 65534 "$(cat "$tmp/paged.uid")"
am() { curl -fsS "http://127.0.0.1:$am_port/api/v2/alerts?$1"; }
am_has() { [ "$(am "$1" | jq "[.[] | select(.annotations.parkwatch_id == \"$id\")] | length")" = "$2" ]; }
check "Alertmanager has it" wait_until 10 am_has active=true 1
equal "with labels to route by" "PW-G08 leaky info" "$(am active=true | jq -r '.[0].labels | "\(.alertname) \(.service) \(.severity)"')"
contains "and a sentence" "$(am active=true | jq -r '.[0].annotations.summary')" "goroutines started at"
waits() { [ "$(metric parkwatch_alert_deliveries_waiting "receiver=\"json http://127.0.0.1:$hook_port\"")" = "$1" ]; }
check "the receiver that is away is waited for" wait_until 10 waits 1
down() { [ "$(metric parkwatch_alert_receiver_up "receiver=\"json ")" = 0 ]; }
check "and is down in the metrics" wait_until 5 down
check "the log says so, once" wait_until 5 grep -q "json http://127.0.0.1:$hook_port does not take alerts" "$tmp/daemon.log"
equal "what waits is on disk" 1 "$(cat "$tmp"/spool/*/* | grep -c "$id")"

# ---- kill -9 of the daemon: what waits is delivered by the next one ----------------------------------------------------
kill -KILL "$daemon_pid"
wait "$daemon_pid" 2>/dev/null || true
start_hook
start_daemon -c "$tmp/sinks.yaml"
hooked() { [ "$(jq -r ".alerts[] | select(.id == \"$id\") | .state" "$tmp/hooked" 2>/dev/null | grep -c "^$1$")" -ge 1 ]; }
check "what waited for the receiver arrives after a crash of ours" wait_until 20 hooked firing
check "and waits no longer" wait_until 20 waits 0
check "the same alert fires again in the new daemon" wait_until 40 in_file firing 2
check "Alertmanager takes it for the one it has" am_has active=true 1

# ---- reload, gone ----------------------------------------------------------------------------------------------------
mv "$tmp/alerts.jsonl" "$tmp/alerts.jsonl.1"
sed -i "s|  file: .*|  file: $tmp/other.jsonl|" "$tmp/sinks.yaml"
kill -HUP "$daemon_pid"
check "a reload" wait_until 5 grep -q "configuration read again" "$tmp/daemon.log"
stop_target leak
moved() { [ "$(jq -r "select(.id == \"$id\") | .state" "$tmp/other.jsonl" 2>/dev/null)" = gone ]; }
check "names another file, which gets the end" wait_until 20 moved
check "the command too" wait_until 10 paged gone
check "the receiver too" wait_until 10 hooked gone
check "Alertmanager has none that is active" wait_until 10 am_has active=true 0
failed=$(metric parkwatch_alert_delivery_failures_total 'receiver="(file|log|alertmanager)' | awk '{ s += $1 } END { print s + 0 }')
equal "no try failed but those of the absent receiver" 0 "$failed"
stop_daemon
check "no process of ours is left" wait_until 35 eval '! pgrep -P "$daemon_pid" && ! pgrep -x parkwatch-exec -f "$tmp"'

# ---- mistakes --------------------------------------------------------------------------------------------------------
printf 'alerts: {file: /no/such/dir/alerts.jsonl}\n' >"$tmp/wrong.yaml"
one_line_error "a file that cannot be written stops the start" 3 "cannot write alerts to '/no/such/dir/alerts.jsonl'" \
	"$parkwatch" daemon -c "$tmp/wrong.yaml" --listen none --socket none
pass
