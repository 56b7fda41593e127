# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What integration tests have in common. A script sources it, says begin, checks things, and must reach pass.
#
# A test is a line: "ok - name", "not ok - name" (with what was expected before it), "skip - name: reason".
# Everything that was started ends with the script; $tmp is its own directory.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
parkwatch=${PARKWATCH:-$root/build/parkwatch}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/parkwatch-test.XXXXXX")
export PARKWATCH_DEATHS=$tmp/deaths # not the host's
reached_pass=false
failures=0
started=()          # pids of ours
memory_groups=()    # cgroups of ours
declare -A target_in target_out target_pid_of

begin() {
	test_name=$1
	[ -x "$parkwatch" ] || { echo "not ok - $test_name: $parkwatch is missing, run make"; exit 1; }
}

ok() { echo "ok - $1"; }

not_ok() { # NAME [LINE...]: what was seen goes before it, indented
	local name=$1
	shift
	printf '  # %s\n' "$@"
	echo "not ok - $name"
	failures=$((failures + 1))
}

skip() { echo "skip - $1: $2"; }

pass() {
	reached_pass=true
	exit $((failures > 0))
}

cleanup() {
	local status=$? pid group
	set +e
	for pid in "${started[@]}"; do kill -CONT "$pid" 2>/dev/null; kill -TERM "$pid" 2>/dev/null; done
	for pid in "${started[@]}"; do
		for _ in $(seq 50); do
			kill -0 "$pid" 2>/dev/null || break
			sleep 0.1
		done
		kill -KILL "$pid" 2>/dev/null
	done
	wait 2>/dev/null
	for group in "${memory_groups[@]}"; do wait_until 5 rmdir "$group"; done
	if ! $reached_pass; then
		echo "not ok - ${test_name:-${0##*/}}: did not reach the end (status $status)"
		[ -s "$tmp/daemon.log" ] && tail -60 "$tmp/daemon.log"
		status=1
	fi
	rm -rf "$tmp"
	exit "$status"
}
trap cleanup EXIT
trap 'exit 143' TERM INT

# ---- checks ----------------------------------------------------------------------------------------------------------

check() { # NAME COMMAND...: the command succeeds
	local name=$1 output
	shift
	if output=$("$@" 2>&1); then ok "$name"; else not_ok "$name" "$* failed:" "$(tail -15 <<<"$output")"; fi
}

equal() { # NAME EXPECTED ACTUAL
	if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "expected: $2" "actual:   $3"; fi
}

between() { # NAME LOW VALUE HIGH
	if awk -v l="$2" -v v="$3" -v h="$4" 'BEGIN { exit !(v ~ /^-?[0-9.]+(e[-+]?[0-9]+)?$/ && v + 0 >= l && v + 0 <= h) }'; then ok "$1"; else
		not_ok "$1" "expected: $2 to $4" "actual:   $3"
	fi
}

contains() { # NAME TEXT PATTERN (extended regular expression)
	if grep -qE -- "$3" <<<"$2"; then ok "$1"; else not_ok "$1" "expected: a match of $3" "actual:   $(head -15 <<<"$2")"; fi
}

lacks() { # NAME TEXT PATTERN
	if grep -qE -- "$3" <<<"$2"; then not_ok "$1" "unexpected: $(grep -E -- "$3" <<<"$2" | head -5)"; else ok "$1"; fi
}

one_line_error() { # NAME STATUS PATTERN COMMAND...: exits so, with one line on stderr that matches, nothing on stdout
	local name=$1 status=$2 pattern=$3 actual=0
	shift 3
	timeout 60 "$@" >"$tmp/out" 2>"$tmp/err" || actual=$?
	if [ "$actual" = "$status" ] && [ "$(wc -l <"$tmp/err")" = 1 ] && grep -qE -- "$pattern" "$tmp/err"; then
		ok "$name"
	else
		not_ok "$name" "expected: status $status, one line with $pattern" "actual:   status $actual, $(head -5 "$tmp/err")"
	fi
}

wait_until() { # SECONDS COMMAND...: polls until it succeeds
	local deadline=$(($(date +%s%N) + $1 * 1000000000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s%N)" -lt "$deadline" ] || return 1
		sleep 0.1
	done
}

# ---- programs under observation --------------------------------------------------------------------------------------

target() { # BEHAVIOUR VERSION FLAVOUR: its path, built if need be
	"$root/scripts/targets" "$1" "$2" "${3:-plain}" 2>"$tmp/targets.log" || { tail -5 "$tmp/targets.log" >&2; return 1; }
}

start_target() { # NAME PATH [ARGS...]: a program of tests/targets, told by `tell NAME`; sets target_pid
	local name=$1 ready
	shift
	mkfifo "$tmp/$name.in" "$tmp/$name.out"
	"$@" <"$tmp/$name.in" >"$tmp/$name.out" 2>"$tmp/$name.err" &
	target_pid=$!
	started+=("$target_pid")
	exec {in}>"$tmp/$name.in" {out}<"$tmp/$name.out"
	target_in[$name]=$in target_out[$name]=$out target_pid_of[$name]=$target_pid
	read -r -t 20 ready <&"$out" || { echo "not ok - $name did not start: $(tail -3 "$tmp/$name.err")"; exit 1; }
	target_ready=$ready
}

tell() { # NAME COMMAND: its answer, one JSON line
	local answer
	echo "$2" >&"${target_in[$1]}"
	read -r -t 120 answer <&"${target_out[$1]}" || { echo "$1 did not answer '$2'" >&2; return 1; }
	[ "$(jq -r .ok <<<"$answer")" = true ] || { echo "$1: $2: $answer" >&2; return 1; }
	echo "$answer"
}

stop_target() { # NAME
	kill -KILL "${target_pid_of[$1]}" 2>/dev/null || true
	wait "${target_pid_of[$1]}" 2>/dev/null || true
}

memory_group() { # NAME BYTES: makes a cgroup with that limit, v1's or v2's, below ours; sets memory_group
	local top limit=memory.limit_in_bytes
	top=$(sed -n 's/^[0-9]*:\([^:]*,\)*memory\(,[^:]*\)*:/\/sys\/fs\/cgroup\/memory/p' /proc/self/cgroup)
	if [ -n "$top" ]; then
		[ -d "$top" ] || top=/sys/fs/cgroup/memory
	else
		limit=memory.max top=$(sed -n 's/^0::/\/sys\/fs\/cgroup/p' /proc/self/cgroup)
		[ -d "$top" ] || top=/sys/fs/cgroup
		grep -q memory "$top/cgroup.subtree_control" || echo +memory >"$top/cgroup.subtree_control" || return
	fi
	memory_group=$top/$(basename "$tmp")-$1
	mkdir "$memory_group" || return
	memory_groups+=("$memory_group")
	echo "$2" >"$memory_group/$limit" || return
	if [ "$limit" = memory.max ]; then echo 0 >"$memory_group/memory.swap.max" || true; fi # without swap there is no such file
}

# ---- parkwatch -------------------------------------------------------------------------------------------------------

start_trace() { # NAME PID SECONDS [ARGS...]: counts in the background; back when it counts. finish_trace gets its JSON
	local name=$1 pid=$2 seconds=$3
	shift 3
	rm -f "$tmp/$name.json" "$tmp/$name.log" # the child makes them anew, a moment later
	"$parkwatch" trace -p "$pid" -d "${seconds}s" --format json --budget none "$@" >"$tmp/$name.json" 2>"$tmp/$name.log" &
	trace_pid=$!
	started+=("$trace_pid")
	if ! wait_until 20 grep -qs counting "$tmp/$name.log"; then
		not_ok "$name attaches" "$(cat "$tmp/$name.log" 2>&1)"
		return 1
	fi
}

finish_trace() { # ends it early with SIGINT and waits for its result
	kill -INT "$trace_pid" 2>/dev/null || true
	wait "$trace_pid"
}

start_daemon() { # [ARGS...]: sets daemon_pid, daemon_url, daemon_socket; back when it is ready
	daemon_socket=$tmp/api.sock
	: >"$tmp/daemon.log"
	"$parkwatch" daemon --listen 127.0.0.1:0 --socket "$daemon_socket" "$@" >"$tmp/daemon.out" 2>>"$tmp/daemon.log" &
	daemon_pid=$!
	started+=("$daemon_pid")
	wait_until 20 grep -qE 'metrics at http://[^ ]+' "$tmp/daemon.log" || { echo "the daemon did not start:"; tail "$tmp/daemon.log"; exit 1; }
	daemon_url=$(grep -oE 'metrics at http://[0-9.:]+' "$tmp/daemon.log" | tail -1 | cut -d' ' -f3)
	wait_until 20 curl -fsS "$daemon_url/-/ready"
}

stop_daemon() {
	kill -TERM "$daemon_pid" 2>/dev/null || true
	wait "$daemon_pid"
}

metrics() { curl -fsS "$daemon_url/metrics"; }

metric() { # NAME [LABEL-PATTERN]: values of its samples whose labels match
	metrics | awk -v name="$1" -v labels="${2:-}" '
		index($0, name) == 1 && substr($0, length(name) + 1, 1) ~ /[{ ]/ && (labels == "" || $0 ~ labels) { print $NF }'
}

# ---- Debian's and npm's servers, on loopback --------------------------------------------------------------------------

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

server() { "$root/scripts/servers" "$1"; } # NAME: path of its binary

start_server() { # NAME READY-URL COMMAND...: sets server_pid
	local name=$1 url=$2
	shift 2
	"$@" >"$tmp/$name.log" 2>&1 </dev/null &
	server_pid=$!
	started+=("$server_pid")
	wait_until 40 curl -fsS -o /dev/null "$url" || { tail -5 "$tmp/$name.log"; echo "not ok - $name starts"; exit 1; }
}

start_prometheus() { # [SCRAPED ADDRESS...]: sets server_pid, prometheus_url
	local port address
	port=$(free_port)
	mkdir -p "$tmp/prometheus"
	{
		echo "global: {scrape_interval: 1s}"
		echo "scrape_configs:"
		echo "- {job_name: test, static_configs: [{targets: [127.0.0.1:$port$(for address; do printf ', %s' "$address"; done)]}]}"
	} >"$tmp/prometheus.yml"
	prometheus_url=http://127.0.0.1:$port
	start_server prometheus "$prometheus_url/-/ready" "$(server prometheus)" --config.file="$tmp/prometheus.yml" \
		--storage.tsdb.path="$tmp/prometheus" --web.listen-address="127.0.0.1:$port"
}

start_etcd() {
	local client peer
	client=$(free_port) peer=$(free_port)
	etcd_url=http://127.0.0.1:$client
	start_server etcd "$etcd_url/health" "$(server etcd)" --data-dir "$tmp/etcd" --listen-client-urls "$etcd_url" \
		--advertise-client-urls "$etcd_url" --listen-peer-urls "http://127.0.0.1:$peer" \
		--initial-advertise-peer-urls "http://127.0.0.1:$peer" --initial-cluster "default=http://127.0.0.1:$peer" --enable-pprof
}

start_nats() {
	local port
	port=$(free_port)
	nats_url=http://127.0.0.1:$port
	start_server nats "$nats_url/varz" "$(server nats)" -a 127.0.0.1 -p "$(free_port)" -m "$port"
}

start_caddy() {
	local port
	port=$(free_port)
	caddy_url=http://127.0.0.1:$port
	mkdir -p "$tmp/www"
	echo hello >"$tmp/www/index.html"
	printf '{\n admin off\n auto_https off\n}\nhttp://127.0.0.1:%s {\n root * %s\n file_server\n}\n' "$port" "$tmp/www" >"$tmp/Caddyfile"
	HOME=$tmp start_server caddy "$caddy_url/" "$(server caddy)" run --config "$tmp/Caddyfile" --adapter caddyfile
}

start_containerd() {
	mkdir -p "$tmp/containerd"
	printf 'version = 2\nroot = "%s/root"\nstate = "%s/state"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "%s/c.sock"\n[debug]\naddress = "%s/d.sock"\n' \
		"$tmp/containerd" "$tmp/containerd" "$tmp/containerd" "$tmp/containerd" >"$tmp/containerd.toml"
	"$(server containerd)" --config "$tmp/containerd.toml" >"$tmp/containerd.log" 2>&1 </dev/null &
	server_pid=$!
	started+=("$server_pid")
	wait_until 40 test -S "$tmp/containerd/c.sock" || { tail -5 "$tmp/containerd.log"; echo "not ok - containerd starts"; exit 1; }
}

start_esbuild() {
	local port
	port=$(free_port)
	esbuild_url=http://127.0.0.1:$port
	mkdir -p "$tmp/www"
	echo hello >"$tmp/www/index.html"
	# it serves until its standard input ends
	start_server esbuild "$esbuild_url/" bash -c 'exec "$@" < <(exec sleep 600)' _ \
		"$(server esbuild)" --servedir="$tmp/www" --serve="127.0.0.1:$port"
}
