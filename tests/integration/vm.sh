#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The oldest and the other supported kernels, under qemu: 5.10 and 6.1 (perf events; no cookies on 5.10), 6.12 (both ways).
. "$(dirname "$0")/lib.sh"
begin vm

guest() { # SUITE TEST...: the lines of scripts/vm are the results
	local status=0
	"$root/scripts/vm" "$@" >"$tmp/vm.out" 2>&1 || status=$?
	cat "$tmp/vm.out"
	if [ $status -ne 0 ]; then
		failures=$((failures + 1))
		grep -q '^not ok - ' "$tmp/vm.out" || not_ok "scripts/vm $1" "exit status $status"
	fi
}

if ! command -v qemu-system-x86_64 >/dev/null || ! command -v busybox >/dev/null; then
	skip "kernels under qemu" "qemu-system-x86 or busybox-static is missing (scripts/install-deps test)"
	pass
fi
guest bullseye doctor counts:auto:1.19 counts:auto:1.24 counts:auto:1.27 gc:auto:1.24 heap:auto:1.24
guest bookworm doctor counts:auto:1.19 counts:auto:1.24 counts:auto:1.27 gc:auto:1.27 heap:auto:1.19 memory:1.27
guest trixie doctor counts:uprobe_multi:1.19 counts:uprobe_multi:1.24 counts:uprobe_multi:1.27 counts:perf:1.24 gc:auto:1.19 heap:uprobe_multi:1.27
pass
