# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Guest test: doctor. What this kernel allows, as parkwatch sees it: all programs load, at least one way to attach.
parkwatch doctor
parkwatch doctor | grep -q 'yes  BPF programs'
parkwatch doctor | grep -qE 'yes  (uprobe_multi|perf-event uprobes)'
echo "ok - doctor: programs load and attach"
