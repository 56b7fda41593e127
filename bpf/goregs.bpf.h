/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a probe hit is, and the registers it needs. Go passes arguments in registers since 1.17 (src/cmd/compile/
 * abi-internal.md) and keeps the goroutine in R14 (amd64) or R28 (arm64); which machine register holds the goroutine
 * of this event, and which its argument, differs by site and version and is in the attach cookie.
 *
 * clang turns a switch over ctx fields into one load at a variable offset from ctx, which verifiers up to 6.18 refuse
 * ("dereference of modified ctx ptr"). So every register is loaded first and pinned by an empty asm; the switch is
 * over the copies. Loads on 5.10 to 7.2.
 */
#ifndef PW_BPF_GOREGS_H
#define PW_BPF_GOREGS_H

#include "bpf/budget.bpf.h"

#define PW_PIN(x) asm volatile("" : "+r"(x))

/* clang-format off */
/* X(number, field): amd64 as the instruction encoding numbers them, arm64 x0 to x30. */
#if defined(__TARGET_ARCH_x86)
typedef struct pt_regs pw_regs;
#define PW_REGS_IP(regs) ((regs)->ip)
#define PW_REGS(X) \
	X(0, ax) X(1, cx) X(2, dx) X(3, bx) X(5, bp) X(6, si) X(7, di) X(8, r8) X(9, r9) X(10, r10) X(11, r11) \
	X(12, r12) X(13, r13) X(14, r14) X(15, r15)
#elif defined(__TARGET_ARCH_arm64)
typedef struct user_pt_regs pw_regs;
#define PW_REGS_IP(regs) ((regs)->pc)
#define PW_REGS(X) \
	X(0, regs[0]) X(1, regs[1]) X(2, regs[2]) X(3, regs[3]) X(4, regs[4]) X(5, regs[5]) X(6, regs[6]) \
	X(7, regs[7]) X(8, regs[8]) X(9, regs[9]) X(10, regs[10]) X(11, regs[11]) X(12, regs[12]) \
	X(13, regs[13]) X(14, regs[14]) X(15, regs[15]) X(19, regs[19]) X(20, regs[20]) X(21, regs[21]) \
	X(22, regs[22]) X(23, regs[23]) X(24, regs[24]) X(25, regs[25]) X(26, regs[26]) X(28, regs[28])
#endif

#define PW_REG_LOAD(number, field) \
	__u64 reg_##number = regs->field; \
	PW_PIN(reg_##number);
#define PW_REG_CASE(number, field) \
	case number: \
		value = reg_##number; \
		break;
/* clang-format on */

/* Copies the registers that the recipe names into *ret_g and *ret_arg; one that it does not name reads as 0. */
static __always_inline void read_regs(const pw_regs *regs, __u32 g_reg, __u32 arg_reg, __u64 *ret_g, __u64 *ret_arg)
{
	__u64 value = 0;

	PW_REGS(PW_REG_LOAD)
	switch (g_reg) {
		PW_REGS(PW_REG_CASE)
	}
	*ret_g = value;
	value = 0;
	switch (arg_reg) {
		PW_REGS(PW_REG_CASE)
	}
	*ret_arg = value;
}

static __always_inline __u64 hit_cookie(void *ctx)
{
	if (pw_have_cookie)
		return bpf_get_attach_cookie(ctx);
	struct pw_bpf_address_key key = {.address = PW_REGS_IP((pw_regs *)ctx), .process = current_process()};
	__u64 *cookie = bpf_map_lookup_elem(&pw_addresses, &key);
	return cookie ? *cookie : 0;
}

/*
 * Fills hit and returns 0; -1 if this hit is not to be counted: target not armed yet, forgotten, or exec'd away, or the
 * event's window not open. What it costs is charged in any case.
 */
static __always_inline int decode_hit(void *ctx, struct pw_hit *hit)
{
	__u64 cookie = hit_cookie(ctx);

	hit->id = (__u32)cookie;
	hit->slot = cookie >> PW_COOKIE_SLOT_SHIFT;
	hit->event = (cookie >> PW_COOKIE_EVENT_SHIFT) & PW_COOKIE_EVENT_MASK;
	hit->g_reg = (cookie >> PW_COOKIE_G_SHIFT) & PW_COOKIE_REG_MASK;
	hit->arg_reg = (cookie >> PW_COOKIE_ARG_SHIFT) & PW_COOKIE_REG_MASK;
	__u32 slot = hit->slot;
	hit->target = bpf_map_lookup_elem(&pw_targets, &slot);
	if (!hit->target || !hit->id || hit->target->id != hit->id) {
		count_drop(0, PW_DROP_UNKNOWN_TARGET);
		return -1;
	}
	return charge(hit) && hit->target->armed ? 0 : -1;
}

/* The go statement that made a goroutine. 0 or -1; a failure is counted, and the hit goes to the target's totals. */
static __always_inline int read_gopc(const struct pw_hit *hit, __u64 g, __u64 *ret_gopc)
{
	if (g && !bpf_probe_read_user(ret_gopc, sizeof(*ret_gopc), (const void *)(g + hit->target->gopc_offset)))
		return 0;
	count_drop(hit->slot, PW_DROP_G_UNREADABLE);
	count_hit(hit);
	return -1;
}

#endif
