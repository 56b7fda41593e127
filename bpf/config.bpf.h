/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Options that hold for the whole daemon, set before loading; a branch behind a false one is never verified. */
#ifndef PW_BPF_CONFIG_H
#define PW_BPF_CONFIG_H

#include <vmlinux.h>

#include <bpf/bpf_helpers.h>

#include "bpf/shared.h"

/* bpf_get_attach_cookie exists (5.15). If not, the map `addresses` says what a hit is. */
const volatile __u32 pw_have_cookie __weak = 1;
/* bpf_ktime_get_boot_ns exists (5.8; tried). */
const volatile __u32 pw_have_boot_clock __weak = 1;
/* Our pid namespace, if it is not the initial one; inode 0: it is. */
const volatile __u64 pw_pidns_device __weak = 0;
const volatile __u64 pw_pidns_inode __weak = 0;
/* How many entries of each map one target may fill; user space sets it by the maps' real sizes. */
const volatile __u32 pw_share_sites __weak = PW_BPF_SITES_MAX / PW_BPF_SHARES;
const volatile __u32 pw_share_reasons __weak = PW_BPF_REASONS_MAX / PW_BPF_SHARES;
const volatile __u32 pw_share_creations __weak = PW_BPF_CREATIONS_MAX / PW_BPF_SHARES;

#endif
