#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Stacks and ages in the daemon: there from the first second, right, cheap, and asked for by `parkwatch goroutines`.
. "$(dirname "$0")/lib.sh"
begin snapshots

cat >"$tmp/config.yaml" <<YAML
include: ["$tmp/*"]
snapshot_interval: 1s
YAML
cp "$(target waits 1.24 stripped)" "$tmp/waits"
cp "$(target counts 1.19 stripped)" "$tmp/counts"
cp "$(target many_stacks 1.24 plain)" "$tmp/many"
start_target waits "$tmp/waits"
waits_pid=$target_pid
start_target counts "$tmp/counts"
counts_pid=$target_pid
tell counts "leak 30" >/dev/null
expected=$(tell waits expect | jq .goroutines)
start_daemon --budget none -c "$tmp/config.yaml"
waits="pid=\"$waits_pid\""
counts="pid=\"$counts_pid\""

# ---- from the first second -------------------------------------------------------------------------------------------
sum() { metric "$@" | awk '{ n += $1 } END { print n + 0 }'; }
check "a go statement known only from before attach is there from the first second" wait_until 2 eval \
	"[ \"\$(metric parkwatch_goroutines '$counts.*wait_reason=\"chan receive\"' | sort -n | tail -1)\" = 30 ]"
stacks_read() { [ -n "$(metric parkwatch_snapshot_duration_seconds "$1")" ]; }
check "stacks of both are read" wait_until 5 eval "stacks_read '$waits' && stacks_read '$counts'"
user() { metric parkwatch_goroutines_by_status "$waits" | awk '{ n += $1 } END { print n }'; }
equal "totals by status are all goroutines" "$(($(metric go_goroutines "$waits") + $(metric parkwatch_goroutines_system "$waits")))" "$(user)"
equal "each program's goroutine is among them" "$expected" "$(metric go_goroutines "$waits")"
named() { [ "$(metric parkwatch_goroutines_parked_in "$counts.*function=\"main.bodyLeak\"")" = 30 ]; }
check "where they are parked has a name" wait_until 5 named

# ---- the same groups as the command's own look, on every version ------------------------------------------------------
declare -A version_of
for version in 1.19 1.21 1.22 1.23 1.24 1.25 1.26 1.27; do
	cp "$(target waits $version stripped)" "$tmp/waits$version"
	start_target "waits$version" "$tmp/waits$version"
	version_of[$target_pid]=$version
done
groups() { jq -c '[.groups[] | select(.created_by.function // "" | startswith("main.")) |
	{count, status, wait_reason, created: "\(.created_by.function) \(.created_by.line)",
	stack: ([.stack[] | select(.function != "runtime.goexit") | "\(.function) \(.line)"] | .[:60]), # records keep 64
	on: ((.waiting_on // {}) | [.kind, .nil, .closed, .len, .cap, .receivers, .senders, .fd, .cases, .period, .owner, .sync]),
	runs: (.runs | type), reading: ((.diagnosis // {}) | [.rule, .verdict])}] | sort_by(tojson)'; }
by_daemon() { curl -fsS "$daemon_url/api/v1/goroutines?pid=$1"; }
looks=()
for pid in "${!version_of[@]}"; do
	"$parkwatch" goroutines -p "$pid" --json --socket none >"$tmp/look$pid.json" &
	looks+=($!)
done
wait "${looks[@]}"
for pid in $(printf '%s\n' "${!version_of[@]}" | sort -n); do
	version=${version_of[$pid]}
	groups <"$tmp/look$pid.json" >"$tmp/own.json"
	same() { by_daemon "$pid" | groups | cmp -s - "$tmp/own.json"; }
	if wait_until 15 same; then ok "go$version: the daemon's groups, stacks, objects and readings are those of the command's own look"; else
		not_ok "go$version: the daemon's groups, stacks, objects and readings are those of the command's own look" \
			"$(diff <(jq . "$tmp/own.json") <(by_daemon "$pid" | groups | jq .) | head -30)"
	fi
	between "go$version: and they are many" 25 "$(jq length "$tmp/own.json")" 100
done
check "they are as the schema has it" eval 'by_daemon $pid >"$tmp/daemon.json" && "$parkwatch" goroutines --json-schema >"$tmp/schema.json" &&
	"$root/tests/integration/goroutines.py" schema "$tmp/schema.json" "$tmp/daemon.json"'
for pid in "${!version_of[@]}"; do stop_target "waits${version_of[$pid]}"; done

# ---- how long --------------------------------------------------------------------------------------------------------
oldest() { metric parkwatch_parked_age_seconds "$counts.*function=\"main\\\\.leak\".*quantile=\"$1\""; }
older() { [ "$(oldest 0.5 | awk -v s="$1" '{ print ($1 >= s) }' | sort | tail -1)" = 1 ]; }
check "parked ages grow with the daemon" wait_until 20 older 3
look() { "$parkwatch" goroutines -p "$waits_pid" --json "$@"; }
since() { jq -r '[.groups[] | select(.wait_reason == "chan send") | .age_ns.max] | max' "$@"; }
check "a daemon that has watched for a while" wait_until 15 eval '[ "$(look --once --socket "$daemon_socket" | since)" -ge 4000000000 ]'
look --once --socket "$daemon_socket" >"$tmp/asked.json"
look --socket none >"$tmp/alone.json"
between "alone, ages are those of two looks" 900000000 "$(since "$tmp/alone.json")" 3900000000
between "from the daemon they are its own, in one look" 4000000000 "$(since "$tmp/asked.json")" 300000000000
equal "only said where they are" "string null" "$(jq -r '.ages_since | type' "$tmp/asked.json" "$tmp/alone.json" | paste -sd' ')"
"$parkwatch" goroutines --json-schema >"$tmp/schema.json"
check "as the schema has it" "$root/tests/integration/goroutines.py" schema "$tmp/schema.json" "$tmp/asked.json"
contains "in text too" "$("$parkwatch" goroutines -p "$waits_pid" --once --socket "$daemon_socket" | head -1)" \
	'; ages since [0-9]{2}:[0-9]{2}:[0-9]{2} UTC from the daemon$'
tell waits "wake 4" >/dev/null # each of four runs once and parks again, at the same place
woken() { jq '[.groups[] | select(any(.stack[]; .function == "main.channels.func9.1")) | .age_ns.max] | max' "$1"; }
look --once --socket "$daemon_socket" >"$tmp/woken.json"
between "who ran since has no age from before" 0 "$(woken "$tmp/woken.json")" 2500000000
between "where it had one" 4000000000 "$(since "$tmp/woken.json")" 300000000000
equal "--min-age waits for nobody" 0 "$(timeout 3 "$parkwatch" goroutines -p "$waits_pid" --min-age 4s --socket "$daemon_socket" >/dev/null; echo $?)"
look --once --min-age 4s --socket "$daemon_socket" >"$tmp/old.json"
equal "nor does --once, where the daemon knows the ages" '[true,true]' \
	"$(jq -c '[(.groups | length) > 5, all(.groups[]; .age_ns.min >= 4000000000)]' "$tmp/old.json")"
one_line_error "--once --min-age, and nobody knows the ages" 3 "no daemon has watched process $waits_pid" \
	"$parkwatch" goroutines -p "$waits_pid" --once --min-age 4s --socket none

# An answer about another process, of the same number or not, gives nobody an age.
curl -fsS --unix-socket "$daemon_socket" "http://localhost/api/v1/ages?pid=$counts_pid" >"$tmp/ages.bin"
python3 - "$tmp/liar.sock" "$tmp/ages.bin" <<'PY' &
import http.server, socketserver, sys
body = open(sys.argv[2], "rb").read()
class Liar(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
    def address_string(self): return "local"
socketserver.UnixStreamServer(sys.argv[1], Liar).serve_forever()
PY
started+=($!)
wait_until 10 test -S "$tmp/liar.sock"
equal "ages of another process are nobody's" null "$(look --once --socket "$tmp/liar.sock" | jq .ages_since)"
equal "and those of this one are its own" "string" \
	"$("$parkwatch" goroutines -p "$counts_pid" --json --once --socket "$tmp/liar.sock" | jq -r '.ages_since | type')"
equal "a process that nobody watches has none" 404 \
	"$(curl -sS -o /dev/null -w '%{http_code}' --unix-socket "$daemon_socket" "http://localhost/api/v1/ages?pid=1")"

# ---- events against the snapshot -------------------------------------------------------------------------------------
attached() { [ "$(metric parkwatch_target_ability "$counts.*ability=\"events\"")" = 1 ]; }
check "events are counted" wait_until 10 attached
tell counts "run 50" >/dev/null
agree() { # 0 for each, and that is said of ten of them
	metric parkwatch_goroutines_drift_by_site "$counts" | awk '{ bad += $1 != 0; n++ } END { exit !(n >= 10 && !bad) }'
}
check "at rest events and census agree for each go statement" wait_until 10 agree ||
	metrics | grep '^parkwatch_goroutines_drift_by_site' | grep -v ' 0$'

# ---- 100,000 goroutines ----------------------------------------------------------------------------------------------
start_target many "$tmp/many"
many="pid=\"$target_pid\""
tell many "start 100000" >/dev/null
deep() { [ "$(metric parkwatch_goroutines_parked_in "$many.*function=\"main\\\\.descend\"" | sort -n | tail -1)" = 100000 ]; }
check "100,000 stacks are read" wait_until 40 deep
seldom() { metric parkwatch_snapshot_interval_seconds "$many" | awk '{ exit !($1 > 1) }'; }
check "and more seldom than asked for" wait_until 10 seldom
cost() { metric parkwatch_snapshot_cpu_seconds "$many"; }
between "so seldom that they cost 0.2% of a CPU" 0.19 \
	"$(awk -v c="$(cost)" -v i="$(metric parkwatch_snapshot_interval_seconds "$many")" 'BEGIN { print 100 * c / i }')" 0.21
echo "  # $(cost) s CPU every $(metric parkwatch_snapshot_interval_seconds "$many") s; latest tick $(metric parkwatch_tick_late_max_seconds) s"
between "no tick was held up" 0 "$(metric parkwatch_tick_late_max_seconds)" 0.25

# ---- ends in the middle of it ----------------------------------------------------------------------------------------
stop_target many
for n in 1 2 3 4; do
	start_target "many$n" "$tmp/many"
	tell "many$n" "start 30000" >/dev/null
	wait_until 5 eval "[ -n \"\$(metric go_goroutines 'pid=\"$target_pid\"')\" ]"
	sleep "0.$((n * 17 % 10))"
	stop_target "many$n"
done
check "four that died while they were read have left the picture" wait_until 10 eval \
	"[ -z \"\$(metric go_goroutines 'pid=\"$target_pid\"')\" ]"
fresh() { metric parkwatch_data_age_seconds "$waits.*section=\"snapshot\"" | awk '{ exit !($1 < 2.5) }'; }
check "the others are looked at as before" wait_until 5 fresh
stop_daemon
equal "the daemon had no complaint" 0 "$(grep -c 'something could not be done' "$tmp/daemon.log")"
pass
