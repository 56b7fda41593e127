#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Every Go version in every way of linking: one look at `waits` in all of them at once, each with goroutines in every
# wait there is. Counts, versions and abilities must be right for each.
. "$(dirname "$0")/lib.sh"
begin matrix

programs=$("$root/scripts/targets" waits all plain,stripped,external-stripped,pie-stripped,pie-external-stripped
	"$root/scripts/targets" waits 1.19,1.24,1.27 strip,cgo-stripped,pie-cgo-stripped,noopt
	"$root/scripts/targets" waits 1.21,1.24,1.27 pgo-stripped
	"$root/scripts/targets" waits 1.24 vcs-stripped)
for program in $programs; do
	name=${program##*/}
	start_target "$name" "$program"
	echo "$name $target_pid $(jq -r .go <<<"$target_ready") $(tell "$name" stats | jq .goroutines)" >>"$tmp/expected"
done
"$parkwatch" ps --standalone --json >"$tmp/ps.json"

while read -r name pid version goroutines; do
	stripped=false
	[[ $name == *strip* ]] && stripped=true
	equal "$name: version, goroutines, abilities" "$version $goroutines $stripped true true true" \
		"$(jq -r --argjson pid "$pid" '.processes[] | select(.pid == $pid) | "go\(.go_version | ltrimstr("go")) \(.goroutines) \(.stripped)" +
			" \(.abilities | [.events.ok, .memory.ok, .symbols.ok] | map(tostring) | join(" "))"' "$tmp/ps.json")"
	case $name in
	*-noopt) ;; # without inlining and with other prologues some events have only dear sites: ps says so
	*) equal "$name: every event has a site that the kernel emulates" '[8,[true]]' \
		"$(jq -c --argjson pid "$pid" '.processes[] | select(.pid == $pid) | [(.sites | length), ([.sites[].emulated] | unique)]' "$tmp/ps.json")" ;;
	esac
done <"$tmp/expected"

pid=$(awk '$1 == "waits-1.24-vcs-stripped" { print $2 }' "$tmp/expected")
go=$("$root/scripts/toolchains" 1.24)
revision=$("$go" version -m "$(target waits 1.24 vcs-stripped)" | sed -n 's/.*vcs.revision=//p')
equal "module and revision are those that Go recorded" "parkwatch.test/targets $revision" \
	"$(jq -r --argjson pid "$pid" '.processes[] | select(.pid == $pid) | "\(.module) \(.revision)"' "$tmp/ps.json")"
pass
