#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What gets stuck without growing, on live programs: locks that nobody unlocks, finalizers that do not end,
# recursion. Found after we attach and before; healthy
# twins, which look the same for a while, are not accused. Windows are shortened by configuration; replay says the same.
. "$(dirname "$0")/lib.sh"
begin stuck

cat >"$tmp/fast.yaml" <<YAML
include: ["$tmp/*"]
snapshot_interval: 1s
services: # one each: alerts of one service are told once for all its processes
$(for version in 1.19 1.24 1.27; do
	for kind in leak-{mutex,late,abba,rwmutex,finalizer,recursion,cleanup,queued,ends} twin-{mutex,finalizer,recursion,stopped}; do
		echo "  \"$kind-$version\": $kind-$version"
	done
done)
rules:
  PW-G08: {enabled: no}
  PW-G04: {age: 3s, warn_age: 6s, critical_waiters: 3, critical_share: 0.3}
  PW-F01: {age: 3s, warn_age: 6s}
  PW-C02: {min_mb: 4, window: 10s}
YAML
declare -A pid_of

start() { # NAME VERSION ARGS...
	local name=$1-$2
	cp "$(target stuck "$2" stripped)" "$tmp/$name"
	"$tmp/$name" -kind "${@:3}" >/dev/null 2>"$tmp/$name.err" </dev/null &
	pid_of[$name]=$!
	started+=("$!")
}

for version in 1.19 1.24 1.27; do
	start leak-mutex "$version" mutex
	start leak-late "$version" mutex -after 8s
	start leak-abba "$version" abba
	start leak-rwmutex "$version" rwmutex
	start twin-mutex "$version" ok-mutex
	start leak-finalizer "$version" finalizer
	start twin-finalizer "$version" ok-finalizer
	start leak-recursion "$version" recursion
	start twin-recursion "$version" ok-recursion -after 7s
done
start leak-ends 1.27 mutex -end 11s
start leak-queued 1.24 finalizer -after 8s
for version in 1.24 1.27; do start leak-cleanup "$version" cleanup; done
start twin-stopped 1.27 ok-mutex
sleep 1
kill -STOP "${pid_of[twin-stopped-1.27]}"
start_daemon -c "$tmp/fast.yaml" --record "$tmp/recording"

alert() { # NAME RULE: its alert
	"$parkwatch" alerts --json --socket "$daemon_socket" | jq "[.alerts[] | select(.pid == ${pid_of[$1]} and .rule == \"$2\")][0] // empty"
}
found() { [ -n "$(alert "$1" "$2")" ]; }
field() { jq -r "$2" <<<"$1"; }

for version in 1.19 1.24 1.27; do
	for kind in mutex rwmutex abba late; do
		check "go$version: $kind: a lock that nobody unlocks is found" wait_until 60 found "leak-$kind-$version" PW-G04
	done
	alert=$(alert "leak-mutex-$version" PW-G04)
	equal "go$version: ... three wait" 3 "$(field "$alert" .n)"
	equal "go$version: ... for one mutex" "sync.Mutex 1" "$(field "$alert" '"\(.wait_object.type) \(.locks)"')"
	equal "go$version: ... who holds it" "main.(*store).hold chan receive" "$(field "$alert" '"\(.holder.function) \(.holder.wait_reason)"')"
	contains "go$version: ... in a sentence" "$(field "$alert" .text)" \
		'^3 goroutines wait for a sync.Mutex at main.\(\*store\).get \(main.go:[0-9]+\) that nobody has unlocked for [0-9.ms]+\. Goroutine [0-9]+ seems to hold it, itself in chan receive at main.\(\*store\).hold'
	equal "go$version: an RWMutex" sync.RWMutex "$(field "$(alert "leak-rwmutex-$version" PW-G04)" .wait_object.type)"
	alert=$(alert "leak-abba-$version" PW-G04)
	equal "go$version: two in a circle" 2 "$(field "$alert" '.circle | length')"
	contains "go$version: ... in a sentence" "$(field "$alert" .text)" 'in a circle: goroutines ([0-9]+) -> [0-9]+ -> \1$'
	equal "go$version: ... are told once" 1 "$("$parkwatch" alerts --json --socket "$daemon_socket" | jq "[.alerts[] | select(.pid == ${pid_of[leak-abba-$version]})] | length")"
done

# ---- finalizers --------------------------------------------------------------------------------------------------------
for name in leak-finalizer-1.19 leak-finalizer-1.24 leak-finalizer-1.27 leak-cleanup-1.24 leak-cleanup-1.27 leak-queued-1.24; do
	check "$name: a finalizer that stands still is found" wait_until 60 found "$name" PW-F01
	alert=$(alert "$name" PW-F01)
	contains "$name: ... in a sentence" "$(field "$alert" .text)" \
		'^the (finalizer|cleanup) main\.[a-z0-9.]+ \([a-z_0-9]+.go:[0-9]+\) has been in (semacquire|sync.Mutex.Lock) for [0-9.ms]+: no other runs, [0-9]+ wait'
	equal "$name: ... with its stack" 'main.(*store).get' "$(field "$alert" '[.blocked[].function | select(startswith("main."))][0]')"
	equal "$name: ... and who seems to hold the lock" 'main.(*store).hold' "$(field "$alert" .holder.function)"
	equal "$name: ... and it is told once" "$name PW-F01" "$("$parkwatch" alerts --json --socket "$daemon_socket" | jq -r "[.alerts[] | select(.pid == ${pid_of[$name]}) | .rule][0:2] | \"$name \" + join(\" \")")"
done
equal "Go 1.24 runs cleanups as it runs finalizers" finalizers "$(field "$(alert leak-cleanup-1.24 PW-F01)" .unit)"
equal "Go 1.27 has a queue for them" cleanups "$(field "$(alert leak-cleanup-1.27 PW-F01)" .unit)"
finalizer_level() { field "$(alert leak-finalizer-1.27 PW-F01)" .level; }
check "it becomes a warning" wait_until 30 eval '[ "$(finalizer_level)" = warning ]'

# ---- stacks ------------------------------------------------------------------------------------------------------------
for version in 1.19 1.24 1.27; do
	check "go$version: a stack that grows is found" wait_until 60 found "leak-recursion-$version" PW-C02
	alert=$(alert "leak-recursion-$version" PW-C02)
	equal "go$version: ... critical" "critical bytes" "$(field "$alert" '"\(.level) \(.unit)"')"
	between "go$version: ... with its size" 3000000 "$(field "$alert" .value)" 200000000
	between "go$version: ... and seconds until it is at its limit" 20 "$(field "$alert" '.eta_s | floor')" 2000
	contains "go$version: ... in a sentence" "$(field "$alert" .text)" \
		'^the stack of goroutine [0-9]+, started at main\.[a-z0-9.]+ \(main.go:[0-9]+\), grows by [0-9.]+ [kM]B a second: [0-9.]+ [kM]B of [0-9.]+ MB, recursing in main.dig \(main.go:[0-9]+\); the program dies at 1.0 GB, in [0-9hms.]+$'
done

# ---- levels, ends, twins -----------------------------------------------------------------------------------------------
level() { field "$(alert leak-mutex-1.27 PW-G04)" .level; }
check "many of the program's goroutines wait: critical" wait_until 30 eval '[ "$(level)" = critical ]'
resolved() { grep -q "state=resolved.*process=leak-ends-1.27" "$tmp/daemon.log"; }
check "it is resolved when it is unlocked" wait_until 30 resolved
twins() { "$parkwatch" alerts --json --socket "$daemon_socket" | jq -r '.alerts[] | select(.service | startswith("twin")) | "\(.process) \(.rule) \(.text)"'; }
equal "no twin is accused" "" "$(twins)"
kill -CONT "${pid_of[twin-stopped-1.27]}"

# ---- the recording ----------------------------------------------------------------------------------------------------
stop_daemon
transitions() { jq -r '.transitions[] | "\(.state) \(.pid) \(.rule) \(.n // 0)"'; }
said=$(grep -oE 'parkwatch_(rule|state|pid|count)=[^ ]+' "$tmp/daemon.log" | cut -d= -f2 | paste -d' ' - - - - | awk '{ print $2, $3, $1, $4 }')
equal "replay says what the daemon said, number for number" "$said" "$("$parkwatch" replay --json "$tmp/recording" | transitions)"
pass
