#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The configuration file: the shipped sample, precedence, mistakes, reload.
. "$(dirname "$0")/lib.sh"
begin config

# ---- the sample ------------------------------------------------------------------------------------------------------
sample=$root/scripts/dist/parkwatch.yaml
printf '\n' >"$tmp/empty.yaml"
defaults=$("$parkwatch" check-config "$tmp/empty.yaml" | awk '{ print $1, $2 }')
equal "the sample holds every default as it is" "$defaults" "$("$parkwatch" check-config "$sample" | awk '{ print $1, $2 }')"
while read -r key _; do
	contains "the sample has ${key##*.}" "$(cat "$sample")" "^ *${key##*.}:"
done <<<"$defaults"

# ---- where a value comes from ----------------------------------------------------------------------------------------
cat >"$tmp/a.yaml" <<YAML
budget: 0.5
include: ["counts*"]
services:
  "counts*": bank
rules:
  PW-G08:
    tick: 1s
YAML
shown=$(PARKWATCH_INTERVAL=2s "$parkwatch" check-config "$tmp/a.yaml")
contains "from the file, with its line" "$shown" "^budget +0.5 +file $tmp/a.yaml:1$"
contains "of a rule" "$shown" "^rules.PW-G08.tick +1s +file $tmp/a.yaml:7$"
contains "from the environment" "$shown" "^interval +2s +environment$"
contains "by default" "$shown" "^attach +auto +default$"
equal "as JSON" '"0.5" "file" 1' "$("$parkwatch" check-config --json "$tmp/a.yaml" |
	jq -r '.settings[] | select(.key == "budget") | "\"\(.value)\" \"\(.source)\" \(.line)"')"

# ---- mistakes --------------------------------------------------------------------------------------------------------
wrong() { # NAME PATTERN TEXT
	printf '%s\n' "$3" >"$tmp/wrong.yaml"
	one_line_error "$1" 3 "$2" "$parkwatch" check-config "$tmp/wrong.yaml"
	one_line_error "$1: the daemon does not start" 3 "$2" "$parkwatch" daemon -c "$tmp/wrong.yaml" --socket none --listen none
}
wrong "an unknown key" "wrong.yaml:1:1: unknown key 'lissen': did you mean 'listen'" "lissen: none"
wrong "an unknown rule" "wrong.yaml:2:3: unknown key 'PW-G80': did you mean 'PW-G08'" $'rules:\n  PW-G80: {}'
wrong "a value without a unit" "wrong.yaml:1:11: interval: '10' is not a duration" "interval: 10"
wrong "broken YAML" "wrong.yaml:[0-9]+:[0-9]+: " "a: [b"
one_line_error "a file that is named but not there" 3 "cannot read configuration" "$parkwatch" check-config "$tmp/none.yaml"

# ---- reload ----------------------------------------------------------------------------------------------------------
start_target counts "$(target counts 1.24 stripped)"
start_daemon -c "$tmp/a.yaml"
service_is() { [ "$("$parkwatch" ps --json --socket "$daemon_socket" | jq -r ".processes[] | select(.pid == $target_pid) | .service")" = "$1" ]; }
check "a service gets its name" wait_until 10 service_is bank
good() { [ "$(metric parkwatch_config_last_reload_successful)" = "$1" ]; }
budget_is() { [ "$(metric parkwatch_budget_percent)" = "$1" ]; }
check "the budget is in force" wait_until 5 budget_is 0.5
sed -i 's/^budget: .*/budget: 0.25/' "$tmp/a.yaml"
kill -HUP "$daemon_pid"
check "SIGHUP reads it again" wait_until 5 budget_is 0.25
target_budget_is() { [ "$(metric parkwatch_probe_budget_percent "pid=\"$target_pid\"")" = "$1" ]; }
check "also for a process that is observed already" wait_until 15 target_budget_is 0.25
check "and says so" wait_until 5 good 1
printf 'budgte: 1\n' >>"$tmp/a.yaml"
kill -HUP "$daemon_pid"
check "a bad file is noticed" wait_until 5 good 0
contains "with line, column and suggestion" "$(cat "$tmp/daemon.log")" "a.yaml:8:1: unknown key 'budgte': did you mean 'budget'"
contains "ps says so" "$("$parkwatch" ps --socket "$daemon_socket")" "^the configuration is wrong, that of 20.*Z stays in force: .*a.yaml:8:1: unknown key 'budgte'"
check "and the good one stays in force" budget_is 0.25
sed -i '/budgte/d; s/^budget: .*/budget: none/' "$tmp/a.yaml"
kill -HUP "$daemon_pid"
check "the next good one is taken" wait_until 15 good 1
equal "no budget: no metric" "" "$(metric parkwatch_budget_percent)"
sed -i 's/"counts\*": bank/"counts*": vault/; 1i interval: 1s' "$tmp/a.yaml"
kill -HUP "$daemon_pid"
check "an observed process gets its new name" wait_until 15 service_is vault
sleep 2
young=0
for _ in 1 2 3 4 5 6; do # with the 10 s of before most looks would see an old one
	awk -v age="$(metric parkwatch_data_age_seconds "pid=\"$target_pid\".*section=\"census\"")" 'BEGIN { exit !(age != "" && age < 2.5) }' && young=$((young + 1))
	sleep 0.7
done
between "and a census in each of the new, shorter intervals" 5 "$young" 6
sed -i '/services:/d; /"counts\*": vault/d' "$tmp/a.yaml"
kill -HUP "$daemon_pid"
check "a name that is no longer given goes" wait_until 10 eval '! service_is vault'
judged() { metric parkwatch_rule_evaluated_total | grep -qv '^0$'; }
check "how often each rule judged is a metric" wait_until 30 judged
rules() { "$parkwatch" rules list --json --socket "$daemon_socket" | jq -r "$1"; }
equal "what a rule misses is told" "no memory limit of a cgroup holds for it" "$(rules '.processes[].off["PW-H03"] | sub("its memory has not been looked at yet"; "no memory limit of a cgroup holds for it")' | head -1)"
equal "... where nothing is missing, nothing is" null "$(rules '.processes[0].off["PW-G08"]')"
contains "ps says so too" "$("$parkwatch" ps --socket "$daemon_socket")" "$target_pid counts.*, rules off: .*PW-G11 .iter.Pull came with Go 1.23|, rules off: .*PW-H03"
printf 'services: {"*": {rules: {PW-G08: {enabled: no}}}}\n' >>"$tmp/a.yaml"
disabled() { [ "$(rules '.processes[0].off["PW-G08"]')" = "disabled by the configuration" ]; }
check "... a rule that a service has disabled is off there" wait_until 15 disabled
equal "... but not for all" true "$(rules '.rules[] | select(.id == "PW-G08") | .enabled')"
contains "... and the table shows both" "$("$parkwatch" rules list --socket "$daemon_socket")" 'rules off: .*PW-G08 .disabled by the configuration'
sed -i 's/^include: .*/include: ["nothing-is-called-so"]/' "$tmp/a.yaml"
kill -HUP "$daemon_pid"
check "a process that is no longer included is left" wait_until 10 eval '! metrics | grep -q "pid=\"$target_pid\""'

# ---- without a signal: whatever way the file changes ----------------------------------------------------------------------
# As a ConfigMap has it: the file is a link into a link to a directory. And its owner is somebody else, who alone may read it.
mkdir -p "$tmp/map/..one" "$tmp/map/..two"
printf 'log_level: info\nhost_budget: 3\n' >"$tmp/map/..one/a.yaml"
printf 'log_level: info\nhost_budget: 4\n' >"$tmp/map/..two/a.yaml"
chown -R 12345 "$tmp/map"
chmod 600 "$tmp/map"/..*/a.yaml
ln -s ..one "$tmp/map/..data"
ln -s ..data/a.yaml "$tmp/map/a.yaml"
stop_daemon
start_daemon -c "$tmp/map/a.yaml"
reads() { grep -c "configuration read again\|configuration in force stays" "$tmp/daemon.log"; }
said=0
within_a_second() { # NAME PATTERN: the daemon says that within a second, once
	local name=$1 pattern=$2 i
	for ((i = 0; i < 100; i++)); do
		[ "$(reads)" -gt "$said" ] && break
		sleep 0.01
	done
	equal "$name: seen within a second, once" $((said + 1)) "$(reads)"
	said=$(reads)
	contains "$name: and what came of it" "$(grep "configuration" "$tmp/daemon.log" | tail -1)" "$pattern"
}
host_budget_is() { [ "$(metric parkwatch_host_budget_percent)" = "$1" ]; }
check "what is in force at first" wait_until 5 host_budget_is 3
ln -s ..two "$tmp/map/..new"
mv -T "$tmp/map/..new" "$tmp/map/..data"
within_a_second "the link of a directory is swapped" "configuration read again from"
check "and the new one is in force" wait_until 5 host_budget_is 4
sed -i 's/4/5/' "$tmp/map/..two/a.yaml" # writes a new file and renames it over the old one
within_a_second "a rename" "configuration read again from"
printf 'host_budget: 6\n' >"$tmp/map/..two/a.yaml"
within_a_second "a write in place" "configuration read again from"
check "and that is in force" wait_until 5 host_budget_is 6
printf 'host_budgte: 7\n' >"$tmp/map/..two/a.yaml"
within_a_second "a mistake" "a.yaml:1:1: unknown key 'host_budgte': did you mean 'host_budget'[?]; the configuration in force stays"
check "is a metric" wait_until 5 good 0
rm "$tmp/map/..two/a.yaml"
within_a_second "a file that is gone" "cannot read configuration .*a.yaml': No such file or directory; the configuration in force stays"
check "the last good one is in force all the time" host_budget_is 6
printf 'host_budget: 7\n' >"$tmp/map/..two/a.yaml"
within_a_second "a file that is there again" "configuration read again from"
check "and is taken" wait_until 5 host_budget_is 7
equal "all of them are counted" "4 2" "$(metric parkwatch_config_reloads_total 'result="taken"') $(metric parkwatch_config_reloads_total 'result="refused"')"
stop_daemon

pass
