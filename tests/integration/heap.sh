#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# `parkwatch heap` against what programs say of their own heap: every Go version, growth, no profile, a real server.
. "$(dirname "$0")/lib.sh"
begin heap
compare=$root/tests/integration/heap.py
schema() { "$root/tests/integration/goroutines.py" schema "$tmp/schema.json" "$1"; }
look() { "$parkwatch" heap -p "$@"; }
records_of() { # TARGET FUNCTION: bytes in use that were allocated there, as the program says itself
	tell "$1" records >"$tmp/answer"
	"$compare" inuse "$tmp/answer" "$2"
}

"$parkwatch" heap --json-schema >"$tmp/schema.json"

# ---- every version: stack by stack, byte by byte ---------------------------------------------------------------------
for version in 1.19 1.21 1.22 1.23 1.24 1.25 1.26 1.27; do
	start_target "heap$version" "$(target heap $version stripped)"
	ask() { tell "heap$version" "$1" >"$tmp/answer"; }
	ask "keep small 200"
	status=0
	look "$target_pid" --json >"$tmp/early.json" 2>"$tmp/err" || status=$?
	ask records && cp "$tmp/answer" "$tmp/early.records"
	equal "go$version: status 0, nothing on stderr" "0 0" "$status $(wc -c <"$tmp/err")"
	equal "go$version: before the first GC cycle, and it says so" true "$(jq .before_gc "$tmp/early.json")"
	equal "go$version: then all that was allocated counts as in use" "$(jq .total.alloc_bytes "$tmp/early.json")" \
		"$(jq .total.inuse_bytes "$tmp/early.json")"
	for command in "keep record 300" "keep inlined 200" "keep deep 60" "keep generic 100" "keep buffer 30" "keep large 9" \
		"drop small" "gc 2" "keep small 500" "churn 2000" "gc 2"; do ask "$command"; done
	look "$target_pid" --json -o "$tmp/ours.json"
	ask records
	check "go$version: sites and numbers are those of runtime.MemProfile" "$compare" records "$tmp/ours.json" "$tmp/answer"
	check "go$version: the JSON is as its schema says" schema "$tmp/ours.json"
	look "$target_pid" --format pprof -o "$tmp/ours.pb.gz"
	ask "pprof $tmp/theirs.pb.gz"
	check "go$version: samples are those of runtime/pprof, line by line" "$compare" pprof "$tmp/ours.pb.gz" "$tmp/theirs.pb.gz"

	look "$target_pid" --classes --json -o "$tmp/classes.json"
	ask memstats
	# theirs flushes what sits in mcaches, and it has allocated since
	for size in 112 512 640; do
		between "go$version: objects of $size bytes, as MemStats counts them" 0 \
			"$(jq -n --slurpfile m "$tmp/answer" --slurpfile c "$tmp/classes.json" --argjson s $size \
				'([$m[0].by_size[] | select(.[0] == $s) | .[1] - .[2]][0]) - ([$c[0].classes[] | select(.object_bytes == $s) | .inuse_objects][0])')" 16
	done
	case $version in
	1.19 | 1.21) equal "go$version: no types, and why" '"objects carry their type from Go 1.22 on only"' "$(jq .no_types "$tmp/classes.json")" ;;
	*) equal "go$version: types of large objects, exactly" '[["main.record",300],["main.table",9]]' \
		"$(jq -c '[.types[] | select(.type | test("^main\\.")) | [.type, .inuse_objects]] | sort' "$tmp/classes.json")" ;;
	esac
	stop_target "heap$version"
done

# ---- growth: the line that leaks ---------------------------------------------------------------------------------------
start_target leak "$(target heap 1.24 stripped)"
tell leak "keep buffer 200" >/dev/null
tell leak "gc 2" >/dev/null
look "$target_pid" --json -o "$tmp/old.json"
before=$(records_of leak main.keepSmall)
tell leak "keep small 3000" >/dev/null
tell leak "drop buffer" >/dev/null
tell leak "gc 2" >/dev/null
text=$(look "$target_pid" --diff "$tmp/old.json")
contains "--diff: what grows comes first" "$(sed -n 4p <<<"$text")" '^growing +\+[0-9.]+ KiB  main\.keepSmall main\.go:[0-9]+$'
contains "--diff: what shrank is there too" "$text" '^-[0-9.]+ (MiB|KiB), now 0 B'
contains "--diff: cycles are named" "$text" 'between GC cycles [0-9]+ and [0-9]+$'
look "$target_pid" --diff "$tmp/old.json" --json -o "$tmp/diff.json"
check "--diff: the JSON is as its schema says" schema "$tmp/diff.json"
equal "--diff: growth of the site" "$(($(records_of leak main.keepSmall) - before))" \
	"$(jq '[.sites[] | select(.stack[0].function == "main.keepSmall") | .growth.inuse_bytes] | add' "$tmp/diff.json")"
before=$(records_of leak main.keepRecord)
look "$target_pid" --interval 2s --json >"$tmp/interval.json" 2>"$tmp/err" &
waiting=$!
wait_until 10 grep -q "looking again" "$tmp/err"
tell leak "keep record 500" >/dev/null
tell leak "gc 2" >/dev/null
wait "$waiting"
equal "--interval: the fastest growing site is first" '"main.keepRecord"' "$(jq '.sites[0].stack[0].function' "$tmp/interval.json")"
equal "--interval: by how much" "$(($(records_of leak main.keepRecord) - before))" "$(jq '.sites[0].growth.inuse_bytes' "$tmp/interval.json")"
contains "--interval without a GC cycle says that nothing can be seen" "$(look "$target_pid" --interval 1s 2>/dev/null)" 'no GC cycle ended in that time'
equal "--focus: only that" '["main.keepRecord"]' "$(look "$target_pid" --json --focus 'keepRecord$' | jq -c '[.sites[].stack[0].function] | unique')"
contains "--alloc: what was allocated, though it is gone" "$(look "$target_pid" --alloc --focus buffer --focus keepOne.func | head -3)" 'allocated since the start'
look "$target_pid" --format folded --focus keepRecord >"$tmp/folded"
contains "folded: bytes of the stack" "$(cat "$tmp/folded")" '^runtime\.main;main\.main;.*;main\.keepOne;main\.keepRecord [0-9]{6}$'
look "$target_pid" --format svg -o "$tmp/heap.svg"
check "svg is XML" python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' "$tmp/heap.svg"
contains "svg: widths are bytes" "$(cat "$tmp/heap.svg")" '<title>main\.keepRecord \([0-9.]+ KiB, [0-9.]+%\)</title>'
equal "the file is ours alone" 600 "$(stat -c %a "$tmp/heap.svg")"
one_line_error "not JSON of ours" 3 "is not the JSON of 'parkwatch heap'" "$parkwatch" heap -p "$target_pid" --diff "$tmp/heap.svg"
one_line_error "--inuse and --alloc" 3 'exclude each other' "$parkwatch" heap -p "$target_pid" --inuse --alloc
one_line_error "no such format" 3 'none of text' "$parkwatch" heap -p "$target_pid" --format xml
stop_target leak

# ---- no profile ----------------------------------------------------------------------------------------------------------
start_target idle "$(target idle 1.24 stripped)"
text=$(look "$target_pid")
contains "linked out: said in a sentence" "$(head -1 <<<"$text")" 'keeps no heap profile, as nothing in it refers to runtime\.MemProfile'
contains "linked out: sizes take its place" "$text" '^by size of objects'
contains "linked out: types take its place" "$text" '^by type, of objects above 512 bytes'
contains "linked out: ps says so" "$(PARKWATCH_SOCKET=none "$parkwatch" ps 2>/dev/null)" "^$target_pid .*, memory: it keeps no heap profile"
one_line_error "linked out: no stacks for pprof" 2 'no profile to show' "$parkwatch" heap -p "$target_pid" --format folded
HEAP_RATE=0 start_target zero "$(target heap 1.24 stripped)"
contains "rate 0: said" "$(look "$target_pid" | head -1)" 'MemProfileRate is 0'

# ---- in the daemon -----------------------------------------------------------------------------------------------------------
cp "$(target heap 1.24 stripped)" "$tmp/heapdaemon"
start_target daemon "$tmp/heapdaemon"
tell daemon "keep large 20" >/dev/null
tell daemon "keep record 500" >/dev/null
tell daemon "gc 2" >/dev/null
printf 'include: [heapdaemon]\n' >"$tmp/daemon.yaml"
start_daemon --config "$tmp/daemon.yaml" --record "$tmp/heap.rec"
wait_until 30 sh -c "curl -fsS $daemon_url/metrics | grep -q '^parkwatch_heap_site_inuse_bytes'"
equal "daemon: bytes in use by line" 1310720 "$(metric parkwatch_heap_site_inuse_bytes 'function="main.keepLarge"')"
equal "daemon: scaled" "$(records_of daemon main.keepRecord)" "$(metric parkwatch_heap_site_inuse_bytes 'function="main.keepRecord"')"
between "daemon: at most 32 lines and the rest" 3 "$(metric parkwatch_heap_site_inuse_bytes | wc -l)" 33
stop_daemon
check "daemon: the record holds them" grep -q main.keepLarge "$tmp/heap.rec"
check "daemon: the recording is read" sh -c "'$parkwatch' replay '$tmp/heap.rec' | grep -qE '^[1-9][0-9]* records'"
stop_target daemon

# ---- where it allocates, by probes ----------------------------------------------------------------------------------------
for way in "1.19 auto" "1.24 perf" "1.27 auto"; do
	read -r version attach <<<"$way"
	start_target "sample$version" "$(target heap "$version" stripped)"
	"$parkwatch" heap -p "$target_pid" --sample 60s --json --budget none --attach "$attach" >"$tmp/sampled.json" 2>"$tmp/err" &
	sampling=$!
	wait_until 20 grep -q sampling "$tmp/err"
	for _ in 1 2 3 4; do tell "sample$version" "churn 1" >/dev/null; done
	tell "sample$version" "churn 20000" >/dev/null # 2,000 bytes are 2,048, four to a span: 39 MiB
	tell "sample$version" "keep large 100" >/dev/null
	kill -INT "$sampling"
	status=0
	wait "$sampling" || status=$?
	equal "go$version, $attach: Ctrl-C ends it with what was seen" 0 "$status"
	check "go$version, $attach: the JSON is as its schema says" schema "$tmp/sampled.json"
	between "go$version, $attach: bytes at the line that churns" 38000000 \
		"$(jq '[.sites[] | select(.stack[0].function == "main.churnOne") | .alloc_bytes] | add' "$tmp/sampled.json")" 44000000
	equal "go$version, $attach: in use is not known" null "$(jq -c '.sites[0].inuse_bytes' "$tmp/sampled.json")"
	equal "go$version, $attach: large objects, each one" 100 \
		"$(jq '[.sites[] | select(.stack[0].function == "main.keepLarge") | .alloc_objects] | add' "$tmp/sampled.json")"
	stop_target "sample$version"
done
# ---- and what that costs: within the budget, by a price that is measured --------------------------------------------------
start_target budget "$(target heap 1.24 stripped)"
(exec >/dev/null; tell budget "churn 1000000000") &
started+=("$!")
wait_until 10 sh -c "[ \$(cut -d' ' -f14 /proc/$target_pid/stat) -gt 20 ]"
alloc_bytes() { "$parkwatch" stat -p "$target_pid" --json | jq .numbers.alloc_bytes; }
before=$(alloc_bytes) from=$(date +%s%N)
"$parkwatch" heap -p "$target_pid" --sample 4s --json --budget 1 >"$tmp/sampled.json" 2>/dev/null
truth=$((($(alloc_bytes) - before) * 1000 / (($(date +%s%N) - from) / 1000000)))
check "--sample within a budget: the JSON is as its schema says" schema "$tmp/sampled.json"
between "... 1% of 4 s, and of the second that may be spent ahead" 10000000 "$(jq .cost_ns "$tmp/sampled.json")" 60000000
between "... attached for a part of the time" 0.001 "$(jq '.attached_ns / .duration_ns' "$tmp/sampled.json")" 0.3
between "... and yet about what is allocated a second" 0.6 \
	"$(jq "[.sites[].alloc_bytes] | add / ($truth * 4)" "$tmp/sampled.json")" 1.5
between "... at a price that is measured, of a stack of 32 frames" 500 "$(jq .hit_ns "$tmp/sampled.json")" 60000
stop_target budget
one_line_error "--sample and --interval" 3 'does not go with' "$parkwatch" heap -p 1 --sample 1s --interval 1s

# ---- a real server ---------------------------------------------------------------------------------------------------------
start_prometheus
wait_until 20 sh -c "curl -fsS '$prometheus_url/api/v1/query?query=up' | grep -q '\"1\"'"
same=no
for _ in 1 2 3; do # it collects when it likes: between their answer and ours a cycle may end
	curl -fsS -o "$tmp/theirs.pb.gz" "$prometheus_url/debug/pprof/heap?gc=1"
	look "$server_pid" --format pprof -o "$tmp/ours.pb.gz"
	"$compare" pprof "$tmp/ours.pb.gz" "$tmp/theirs.pb.gz" >"$tmp/differences" && same=yes && break
done
equal "prometheus: samples are those of its own /debug/pprof/heap, line by line" yes "$same"
[ "$same" = yes ] || head -5 "$tmp/differences" | cut -c1-600
pass
