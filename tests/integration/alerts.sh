#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A leak is found, said everywhere once, and resolved; its healthy twin stays silent; a recording tells the same again.
. "$(dirname "$0")/lib.sh"
begin alerts

cat >"$tmp/fast.yaml" <<YAML
include: ["$tmp/*"]
services:
  "leaky*": leaky
  "healthy*": healthy
rules:
  PW-G08:
    tick: 1s
    age: 2s
    min_count: 20
    baseline_margin: 0
    rising_ticks: 4
    warmup: 0
    clear: 2s
YAML
# Copies, so that nobody else's programs are in the picture.
cp "$(target leak_chan 1.19 stripped)" "$tmp/leaky"
cp "$(target ok_chan 1.19 stripped)" "$tmp/healthy"
cp "$(target counts 1.24 stripped)" "$tmp/counts-copy"
start_target leak "$tmp/leaky" -rate 50
leak_pid=$target_pid
start_target ok "$tmp/healthy" -rate 50
start_target counts "$tmp/counts-copy"
start_daemon -c "$tmp/fast.yaml" --record "$tmp/recording"

# ---- firing ----------------------------------------------------------------------------------------------------------
alerts() { "$parkwatch" alerts --json --socket "$daemon_socket"; }
fires() { [ "$(alerts | jq "[.alerts[] | select(.service == \"$1\" and .state == \"firing\")] | length")" = "${2:-1}" ]; }
check "the leak fires within 30 s" wait_until 30 fires leaky
alert=$(alerts | jq '.alerts[] | select(.service == "leaky")')
equal "rule, process, pid" "PW-G08 $leak_pid" "$(jq -r '"\(.rule) \(.pid)"' <<<"$alert")"
equal "the go statement" "main.main.func1 17" "$(jq -r '"\(.statement.function) \(.statement.line)"' <<<"$alert")"
equal "the wait reason" "chan send" "$(jq -r .wait_reason <<<"$alert")"
between "the count" 20 "$(jq .n <<<"$alert")" 5000
between "growth per hour" 10000 "$(jq .growth_per_h <<<"$alert")" 500000
contains "a sentence" "$(jq -r .text <<<"$alert")" "goroutines started at main.main.func1"
line=$(grep 'rule=PW-G08' "$tmp/daemon.log" | grep 'service=leaky' || true)
"$parkwatch" alerts --json-schema >"$tmp/schema.json"
check "the JSON is as its schema says" "$root/tests/integration/goroutines.py" schema "$tmp/schema.json" <(alerts)
for field in created blocked floors thresholds; do check "with $field" jq -e ".$field | length > 0" <<<"$alert"; done
equal "one line in the log" 1 "$(grep -c . <<<"$line")"
for field in 'state=firing' "pid=$leak_pid" 'go_statement="main.main.func1 main.go:17"' 'wait_reason="chan send"' 'count=[0-9]+' \
	'baseline=' 'growth_per_hour=[0-9]+' 'creation_stack="main' 'parked_stack="main.main.func1.1 main.go:17' \
	'waiting_on="[0-9]+ different channels, the oldest on one, unbuffered, 0 receivers, 1 sender'; do
	contains "the log line has ${field%%=*}" "$line" "$field"
done
equal "as a metric" 1 "$(metric parkwatch_alert "rule=\"PW-G08\".*pid=\"$leak_pid\"")"
contains "as text" "$("$parkwatch" alerts --socket "$daemon_socket")" '^PW-G08 firing .* leaky \(leaky, pid'
equal "over HTTP" "$(jq -r .id <<<"$alert")" "$(curl -fsS "$daemon_url/api/v1/alerts" | jq -r '.alerts[] | select(.service == "leaky") | .id')"

# ---- its stacks, read for it -----------------------------------------------------------------------------------------
equal "where they are parked" "main.main.func1.1 17" "$(jq -r '.blocked[0] | "\(.function) \(.line)"' <<<"$alert")"
equal "on what" "channel false 0 0 0 1" \
	"$(jq -r '.wait_object | "\(.kind) \(.closed) \(.len) \(.cap) \(.receivers) \(.senders)"' <<<"$alert")"
between "each on its own channel" 20 "$(jq .wait_object.objects <<<"$alert")" "$(jq .blocked_count <<<"$alert")"
check "a stack that was read for the alert, not before" jq -e '(.fired | sub("\\.[0-9]+"; "") | fromdate) as $fired |
	(.stacks_read | sub("\\.[0-9]+"; "") | fromdate) >= $fired - 1' <<<"$alert"
contains "in the text" "$("$parkwatch" alerts --socket "$daemon_socket")" '^  [0-9]+ parked at: main.main.func1.1 main.go:17'

check "what was not seen is known: next to nothing" jq -e '.loss < 0.5 and .loss_detail.gaps != null' <<<"$alert"
check "what else rose: its goroutines, of all" eval 'alerts | jq -e ".alerts[] | select(.service == \"leaky\") |
	.co_moving[] | select(.what == \"goroutines\" and .to > .from)"'

# ---- one page --------------------------------------------------------------------------------------------------------
show() { "$parkwatch" alerts show "$@" --socket "$daemon_socket"; }
id=$(jq -r .id <<<"$alert")
page=$(show "$id")
contains "a page begins with level, rule and id" "$(head -1 <<<"$page")" "^INFO  PW-G08 firing.*\[$id\]$"
for said in '^what +[0-9,]+ goroutines started at' '^where +started at main.main.func1 main.go:17; parked at main.main.func1.1 main.go:17 in chan send' \
	'^since +[0-9-]+ [0-9:]+ UTC' '^how fast +\+[0-9,]+ an hour' '^how sure +cold; what is normal is not known; 3 thresholds crossed' \
	'^why +[0-9]+ different channels, .*1 sender' '^do +Look for the other side' "^see +parkwatch trace -p $leak_pid" \
	'^  over time: .*█' '^  [0-9,]+ parked at: main.main.func1.1' '^  started by: main.main.func1' '^  thresholds: old_parked'; do
	contains "the page has ${said%%+*}" "$page" "$said"
done
equal "the ID may be cut short" "$id" "$(show "${id:0:7}" --json | jq -r '.alerts[].id')"
check "as JSON, as its schema says" "$root/tests/integration/goroutines.py" schema "$tmp/schema.json" <(show "$id" --json)
one_line_error "a wrong ID is told which are there" 3 "no alert 'g08-none': there is '$id'" "$parkwatch" alerts show g08-none --socket "$daemon_socket"
one_line_error "a misspelt one, what was meant" 3 "no alert '${id}0': did you mean '$id'" "$parkwatch" alerts show "${id}0" --socket "$daemon_socket"
one_line_error "no ID" 3 "usage: parkwatch alerts show ID" "$parkwatch" alerts show --socket "$daemon_socket"

# ---- a pile-up that goes away ----------------------------------------------------------------------------------------
for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
	tell counts "leak 10" >/dev/null
	sleep 1
done
counts_fires() { [ "$(alerts | jq "[.alerts[] | select(.process | startswith(\"counts\")) | select(.state == \"$1\")] | length")" = 1 ]; }
check "a pile-up fires" wait_until 20 counts_fires firing
tell counts unleak >/dev/null
check "and is resolved when it is gone" wait_until 30 counts_fires resolved
equal "said once each" "1 1" "$(grep -c 'state=firing.*process=counts' "$tmp/daemon.log") $(grep -c 'state=resolved.*process=counts' "$tmp/daemon.log")"

# ---- a process that ends ---------------------------------------------------------------------------------------------
stop_target leak
check "the process of an alert ends: the alert is gone" wait_until 10 eval 'grep -q "state=gone.*service=leaky" "$tmp/daemon.log"'
end_told() { alerts | jq -r '.alerts[] | select(.service == "leaky" and .rule == "PW-X01") | .text'; }
wait_until 5 eval '[ -n "$(end_told)" ]' || true
contains "its end is told with its status" "$(end_told)" \
	'^process ended: exit 137 \(killed by SIGKILL\); [0-9,]+ goroutines, [0-9,]+ at main.main.func1.1 .* in chan send; .*1 alert open'
check "and is no metric any more" wait_until 5 eval '[ -z "$(metric parkwatch_alert "pid=\"$leak_pid\"")" ]'
equal "the healthy twin was silent" 0 "$(grep -c 'service=healthy' "$tmp/daemon.log")"
equal "each transition once in the metrics" "$(grep -cE 'state=firing|rule=PW-X01' "$tmp/daemon.log")" \
	"$(metric parkwatch_alert_transitions_total 'transition="fired"')"
stop_daemon

# ---- replay ----------------------------------------------------------------------------------------------------------
equal "a recording is for its owner only" 600 "$(stat -c %a "$tmp/recording")"
transitions() { jq -r '.transitions[] | "\(.state) \(.service) \(.statement.function) \(.n)"'; }
replayed=$("$parkwatch" replay --json "$tmp/recording")
said=$(grep -oE 'state=[a-z]+|service=[^ ]+|go_statement="[^" ]+|_count=[0-9]+' "$tmp/daemon.log" | sed 's/.*=//; s/"//' | paste -d' ' - - - -)
equal "replay says what the daemon said, number for number" "$said" "$(transitions <<<"$replayed")"
equal "with the stack that it showed" "main.main.func1.1" "$(jq -r '[.transitions[] | select(.service == "leaky" and
	.state == "firing")][0].blocked[0].function' <<<"$replayed")"
equal "and again, bit for bit" "$(md5sum <<<"$replayed")" "$("$parkwatch" replay --json "$tmp/recording" | md5sum)"
printf 'rules:\n  PW-G08:\n    enabled: no\n  PW-X01:\n    enabled: no\n' >"$tmp/off.yaml"
equal "other rules, other alerts" 0 "$("$parkwatch" replay -c "$tmp/off.yaml" --json "$tmp/recording" | jq '.transitions | length')"
contains "replay as text" "$("$parkwatch" replay "$tmp/recording")" '^[0-9]+ records, [0-9]+ transitions$'

size=$(stat -c %s "$tmp/recording")
head -c $((size / 2)) "$tmp/recording" >"$tmp/half"
status=0
half=$("$parkwatch" replay --json "$tmp/half" 2>"$tmp/err") || status=$?
equal "half a recording replays up to the cut" 0 "$status"
contains "and says that it is cut" "$(cat "$tmp/err")" "cut off"
between "with fewer records" 1 "$(jq .records <<<"$half")" "$(jq .records <<<"$replayed")"
echo "not a recording" >"$tmp/foreign"
one_line_error "a file that is no recording is not written to" 3 "foreign" \
	"$parkwatch" daemon --listen none --socket none --record "$tmp/foreign"
equal "and stays as it was" "not a recording" "$(cat "$tmp/foreign")"

pass
