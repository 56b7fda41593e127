/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* For tests of one BPF program file, included before it: a target in slot 3, a goroutine, and what was counted. */
#ifndef PW_TEST_BPF_HARNESS_H
#define PW_TEST_BPF_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bpf/goregs.bpf.h"

#define TARGET 77U
#define SLOT   3U
#define GOPC   0x4be6fcULL

#if defined(__TARGET_ARCH_x86)
#define G_REG  14
#define ARG_REG 1
#define SET_G(regs, value)   ((regs)->r14 = (unsigned long)(value))
#define SET_ARG(regs, value) ((regs)->cx = (unsigned long)(value))
#else
#define G_REG  28
#define ARG_REG 2
#define SET_G(regs, value)   ((regs)->regs[28] = (value))
#define SET_ARG(regs, value) ((regs)->regs[2] = (value))
#endif

struct goroutine { /* stands for a runtime.g */
	uint64_t start, gopc;
	uint8_t waitreason;
};

static __attribute__((unused)) uint64_t cookie_of(uint32_t id, uint32_t slot, uint64_t event, uint64_t g_reg, uint64_t arg_reg)
{
	return id | arg_reg << PW_COOKIE_ARG_SHIFT | g_reg << PW_COOKIE_G_SHIFT | event << PW_COOKIE_EVENT_SHIFT |
	       (uint64_t)slot << PW_COOKIE_SLOT_SHIFT;
}

static __attribute__((unused)) struct pw_bpf_target *target(void)
{
	uint32_t slot = SLOT;

	return bpf_map_lookup_elem(&pw_targets, &slot);
}

static __attribute__((unused)) __u32 *gate(void)
{
	uint32_t slot = SLOT;

	return bpf_map_lookup_elem(&pw_gates, &slot);
}

static __attribute__((unused)) int begin(void **state)
{
	(void)state;
	host_reset();
	*gate() = ~0U;
	*target() = (struct pw_bpf_target){.id = TARGET,
					   .armed = 1,
					   .gopc_offset = offsetof(struct goroutine, gopc),
					   .startpc_offset = offsetof(struct goroutine, start),
					   .waitreason_offset = offsetof(struct goroutine, waitreason)};
	return 0;
}

static __attribute__((unused)) int end(void **state)
{
	(void)state;
	host_reset();
	return 0;
}

static __attribute__((unused)) uint64_t drops(enum pw_drop drop)
{
	uint32_t slot = SLOT;
	struct pw_bpf_stats *stats = bpf_map_lookup_elem(&pw_stats, &slot);

	return stats->drops[drop];
}

static __attribute__((unused)) uint64_t unplaced_hits(enum pw_bpf_event event)
{
	uint32_t slot = SLOT;
	struct pw_bpf_stats *stats = bpf_map_lookup_elem(&pw_stats, &slot);

	return stats->hits[event];
}

static __attribute__((unused)) struct pw_bpf_site site_counts(uint64_t gopc)
{
	struct pw_bpf_site_key key = {.target = TARGET, .gopc = gopc};
	struct pw_bpf_site *site = bpf_map_lookup_elem(&pw_sites, &key);

	return site ? *site : (struct pw_bpf_site){0};
}

#endif
