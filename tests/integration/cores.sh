#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# `parkwatch goroutines --core`: what the kernel, gdb and dlv leave of a process, against what the process said of itself.
. "$(dirname "$0")/lib.sh"
begin cores
compare=$root/tests/integration/goroutines.py
cd "$tmp"
ulimit -c unlimited
export GOTRACEBACK=crash

core() { "$parkwatch" goroutines --core "$@"; }

# crash NAME: the process of start_target or start_server dies of SIGQUIT; its core is $tmp/NAME.core
crash() {
	rm -f "$tmp"/core "$tmp"/core.*
	kill -QUIT "$2"
	wait "$2" 2>/dev/null || true
	mv "$tmp"/core* "$tmp/$1.core"
}

# ---- the kernel's, of every version and way to build -----------------------------------------------------------------
# Its own dump as it dies, written thread by thread, is the judge.
settled() { # NAME: its groups, once all of them wait: writers fill their sockets first
	tell "$1" groups >"$tmp/groups.json"
	jq -e '[.groups[] | select(.function != "" and (.reason == "runnable" or .reason == "running")) | select(.function != "main.main")] | length == 0' "$tmp/groups.json"
}

of_kernel() { # VERSION FLAVOUR
	local name=waits-$1-$2 status=0
	start_target "$name" "$(target waits "$1" "$2")"
	wait_until 20 settled "$name" || true
	crash "$name" "$target_pid"
	core "$tmp/$name.core" --format debug2 >"$tmp/p.debug2" 2>"$tmp/err" || status=$?
	equal "go$1 $2: status 0, nothing on stderr" "0 0" "$status $(wc -c <"$tmp/err")"
	check "go$1 $2: every frame and offset is that of the dying program's own dump" "$compare" crash "$tmp/p.debug2" "$tmp/$name.err"
	core "$tmp/$name.core" --json >"$tmp/p.json"
	check "go$1 $2: groups and counts are those it told while it lived" "$compare" groups "$tmp/p.json" "$tmp/groups.json"
}

case $(cat /proc/sys/kernel/core_pattern) in
core | core.%p) kernel_writes=true ;;
*) kernel_writes=false ;;
esac
if $kernel_writes; then
	for version in 1.19 1.21 1.22 1.23 1.24 1.25 1.26 1.27; do of_kernel $version stripped; done
	of_kernel 1.19 cgo-stripped
	of_kernel 1.24 pie-stripped
	of_kernel 1.24 pie-cgo-stripped
	of_kernel 1.27 external-stripped

	# What most cores are of: somebody panicked.
	for version in 1.19 1.24 1.27; do
		rm -f "$tmp"/core "$tmp"/core.*
		start_target "panic$version" "$(target running $version stripped)" panic
		wait "$target_pid" 2>/dev/null || true
		mv "$tmp"/core* "$tmp/panic.core"
		core "$tmp/panic.core" --format debug2 >"$tmp/p.debug2"
		check "go$version: a panic: every frame and offset is that of its own dump" "$compare" crash "$tmp/p.debug2" "$tmp/panic$version.err"
		equal "go$version: down to the line that did it" 'main.follow(...)' "$(grep -A2 '^panic(' "$tmp/p.debug2" | tail -1)"
		contains "go$version: which leads the page" "$(core "$tmp/panic.core")" '^panicking +1  running in main\.follow main\.go:[0-9]+$'
	done

	# A goroutine that nothing interrupts runs to the end: where, stands on the signal stack of its thread.
	export GODEBUG=asyncpreemptoff=1
	for version in 1.19 1.27; do
		start_target "running$version" "$(target running $version stripped)" forever
		sleep 0.2 # until it runs: it cannot say so
		crash "running$version" "$target_pid"
		core "$tmp/running$version.core" --format debug2 >"$tmp/p.debug2"
		equal "go$version: a goroutine that runs in a signal handler's shadow has its stack" 4 "$(grep -c '^main\.forever(' "$tmp/p.debug2")"
		check "go$version: which is, to the instruction, its own" "$compare" crash "$tmp/p.debug2" "$tmp/running$version.err"
	done
	unset GODEBUG

	start_nats
	crash nats "$server_pid"
	core "$tmp/nats.core" --format debug2 >"$tmp/p.debug2"
	check "nats: every frame and offset is that of its own dump" "$compare" crash "$tmp/p.debug2" "$tmp/nats.log"
else
	skip "cores of the kernel" "kernel.core_pattern is $(cat /proc/sys/kernel/core_pattern)"
fi

# ---- gdb's, and dlv's, of a live process -------------------------------------------------------------------------------
# Stacks of goroutines that ran: each ends where its go statement began it, and has no frame that it cannot have.
plausible() { # DEBUG2
	awk -v RS= '/^goroutine [0-9]+ \[running\]/ && !/stack unavailable/ {
		stacks++
		gsub(/\([^\n]*\n\t[^\n]*/, ""); gsub(/^goroutine[^\n]*\n/, ""); gsub(/\ncreated by .*/, ""); gsub(/\n/, ";")
		if ($0 !~ /^((main\.inner;)?(main\.middle;)*main\.outer|(time\.(now|runtimeNow|Now);)*main\.clock|main\.allocate|main\.grow|(main\.deep;)*main\.grow\.func1)$/)
			print
	}' "$1"
}

seen=0
for version in 1.19 1.27; do
	start_target "gcore$version" "$(target running $version plain)"
	for _ in 1 2; do
		gcore -o "$tmp/gcore" "$target_pid" >"$tmp/gcore.log" 2>&1
		core "$tmp/gcore.$target_pid" --json >"$tmp/p.json"
		core "$tmp/gcore.$target_pid" --format debug2 >"$tmp/p.debug2"
		running=$(grep -c '\[running\]' "$tmp/p.debug2" || true)
		unknown=$(grep -c 'stack unavailable' "$tmp/p.debug2" || true)
		[ "$running" -gt "$unknown" ] && seen=$((seen + running - unknown))
		[ "$running" = 0 ] || equal "go$version, gcore: stacks of $running that ran are possible ones" "" "$(plausible "$tmp/p.debug2")"
		rm "$tmp/gcore.$target_pid"
	done
	stop_target "gcore$version"
done
between "gcore: goroutines that ran have stacks" 4 $seen 100

start_target dlv "$(target running 1.19 plain)"
dlv_dump() { printf 'dump %s\nquit\nn\n' "$tmp/dlv.core" | timeout 60 dlv attach "$target_pid" --allow-non-terminal-interactive=true; }
check "dlv writes a core" dlv_dump
core "$tmp/dlv.core" --format debug2 >"$tmp/p.debug2"
equal "dlv: without NT_FILE the name on the stack leads to the executable" 4 "$(grep -c '^created by main.main' "$tmp/p.debug2")"
equal "dlv: stacks of those that ran are possible ones" "" "$(plausible "$tmp/p.debug2")"
stop_target dlv

# ---- what a core does not say is absent --------------------------------------------------------------------------------
start_target gdb "$(target waits 1.24 pie-stripped)"
gcore -o "$tmp/gdb" "$target_pid" >"$tmp/gcore.log" 2>&1
file=$tmp/gdb.$target_pid
stop_target gdb
core "$file" --json >"$tmp/p.json"
"$parkwatch" goroutines --json-schema >"$tmp/schema.json"
check "the JSON is as its schema says" "$compare" schema "$tmp/schema.json" "$tmp/p.json"
equal "it says what it is of" '[true,null]' "$(jq -c '[.from_core, ([.groups[].age_ns] | unique[])]' "$tmp/p.json")"
equal "and of when" "$(stat -c %Y "$file")" "$(jq -r '.taken_at | sub("\\.[0-9]+Z"; "Z") | fromdate' "$tmp/p.json")"
equal "nothing ran, nobody knows how often" '[null]' "$(jq -c '[.groups[].runs] | unique' "$tmp/p.json")"
equal "deadlines are unknown, but that there is none is not" '[null,0]' "$(jq -c '[.groups[].waiting_on | values | .deadline] | unique' "$tmp/p.json")"
contains "the page says so, and no age" "$(core "$file" | head -1)" '^waits-1\.24-pie.* \(core of pid [0-9]+, go1\.24[.0-9]*, written 20[-0-9T:.]+Z\): [0-9]+ goroutines in [0-9]+ groups$'
lacks "no ages on the page" "$(core "$file" --top 100)" ', (alive )?for |oldest|born 0|runs/s|never ran'
core "$file" --format pprof -o "$tmp/p.pb.gz"
equal "pprof has no sample type for it" 'goroutine/count[dflt]' \
	"$("$("$root/scripts/toolchains" 1.24)" tool pprof -raw "$tmp/p.pb.gz" 2>/dev/null | grep -A1 '^Samples' | tail -1)"
equal "--diff: a later core against an earlier one" 0 "$(core "$file" --json --diff "$tmp/p.json" | jq '[.groups[].growth] | map(fabs) | add')"

# ---- the executable ----------------------------------------------------------------------------------------------------
cp "$(target waits 1.24 pie-stripped)" "$tmp/moved"
contains "--exe" "$(core "$file" --exe "$tmp/moved" | head -1)" 'core of pid'
one_line_error "--exe: another build" 2 "is not the executable of the core: it is build .*, the core is of build" "$parkwatch" goroutines --core "$file" --exe "$(target waits 1.27 pie-stripped)"
one_line_error "--exe: not Go" 2 "'/bin/ls' is not a Go program" "$parkwatch" goroutines --core "$file" --exe /bin/ls
one_line_error "--exe: none" 3 "cannot open the executable '/nonexistent'" "$parkwatch" goroutines --core "$file" --exe /nonexistent
# Its program is rebuilt, or gone.
cp "$(target idle 1.24 stripped)" "$tmp/program"
start_target program "$tmp/program"
gcore -o "$tmp/program.core" "$target_pid" >"$tmp/gcore.log" 2>&1
mv "$tmp/program.core.$target_pid" "$tmp/program.core"
stop_target program
cp --remove-destination "$(target idle 1.27 stripped)" "$tmp/program"
one_line_error "rebuilt since" 2 "no longer the executable of the core.*; give the right one with --exe" "$parkwatch" goroutines --core "$tmp/program.core"
rm "$tmp/program"
one_line_error "gone" 3 "cannot open the executable '$tmp/program'.*give it with --exe" "$parkwatch" goroutines --core "$tmp/program.core"

# ---- cores that are cut, or none -----------------------------------------------------------------------------------------
cut_to_tenths() { # CORE: "answers refusals", of nine
	local size part status answers=0 refusals=0
	size=$(stat -c %s "$1")
	for part in 1 2 3 4 5 6 7 8 9; do
		cp --sparse=always "$1" "$tmp/cut" && truncate -s $((size * part / 10)) "$tmp/cut"
		status=0
		timeout 60 "$parkwatch" goroutines --core "$tmp/cut" --json >"$tmp/p.json" 2>"$tmp/err" || status=$?
		case $status in
		0) [ "$(jq '.missing_bytes > 0' "$tmp/p.json")" = true ] && answers=$((answers + 1)) ;;
		2) [ "$(wc -l <"$tmp/err")" = 1 ] && refusals=$((refusals + 1)) ;;
		esac
	done
	echo $answers $refusals
}
read -r answers refusals <<<"$(cut_to_tenths "$file")"
equal "gdb's core cut to tenths: what is left with what is missing, or one sentence why not" 9 $((answers + refusals))
if $kernel_writes; then
	read -r answers refusals <<<"$(cut_to_tenths "$tmp/waits-1.24-stripped.core")"
	equal "the kernel's: all nine" 9 $((answers + refusals))
	between "the kernel's: most of them with goroutines" 6 "$answers" 9
fi
head -c 100 "$file" >"$tmp/cut"
one_line_error "cut behind its header" 2 "it is cut, or lies" "$parkwatch" goroutines --core "$tmp/cut"
gzip -c1 "$tmp/cut" >"$tmp/packed"
one_line_error "compressed" 2 "it is compressed: unpack it first \(gzip -d" "$parkwatch" goroutines --core "$tmp/packed"
: >"$tmp/gcore.empty"
one_line_error "an executable" 2 "an executable or a library, not a core file" "$parkwatch" goroutines --core "$parkwatch"
one_line_error "a text" 2 "not an ELF file" "$parkwatch" goroutines --core "$root/Makefile"
one_line_error "nothing" 2 "shorter than" "$parkwatch" goroutines --core "$tmp/gcore.empty"
one_line_error "no file" 3 "cannot open '/nonexistent'" "$parkwatch" goroutines --core /nonexistent
printf '\x04' | dd of="$tmp/cut" bs=1 seek=18 conv=notrunc status=none
printf '\x00' | dd of="$tmp/cut" bs=1 seek=19 conv=notrunc status=none
one_line_error "another machine" 2 "it was made on machine 4" "$parkwatch" goroutines --core "$tmp/cut"
printf '\x01' | dd of="$tmp/cut" bs=1 seek=4 conv=notrunc status=none
one_line_error "32 bits" 2 "not 64-bit" "$parkwatch" goroutines --core "$tmp/cut"
sleep 60 &
started+=($!)
gcore -o "$tmp/sleep" $! >"$tmp/gcore.log" 2>&1
one_line_error "of a program that is not Go" 2 "is not a Go program" "$parkwatch" goroutines --core "$tmp/sleep.$!"

# ---- mistakes ------------------------------------------------------------------------------------------------------------
one_line_error "--core and -p" 3 "which of the two" "$parkwatch" goroutines --core "$file" -p 1
one_line_error "--core and --over" 3 "nothing in it changes" "$parkwatch" goroutines --core "$file" --over 3s
one_line_error "--core and --min-age" 3 "since when" "$parkwatch" goroutines --core "$file" --min-age 3s
one_line_error "--exe alone" 3 "goes with --core" "$parkwatch" goroutines -p 1 --exe "$file"
one_line_error "no such goroutine" 2 "the core has no goroutine 999999" "$parkwatch" goroutines --core "$file" --goroutine 999999

pass
