/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TESTS_SUPPORT_FAKE_MEM_H
#define TESTS_SUPPORT_FAKE_MEM_H

#include "reader/facts.h"
#include "target/mem.h"
#include "target/target.h"

/* A process's memory as a few regions of bytes, read through struct pw_mem. */
#define FAKE_MEM_REGIONS_MAX 16

struct fake_mem {
	struct {
		uint64_t addr;
		size_t size;
		uint8_t *bytes;
	} regions[FAKE_MEM_REGIONS_MAX];
	size_t count;
	int error; /* != 0: what each read returns */
	/* Called after each range was copied: the target goes on while it is read. May be NULL. */
	void (*after_range)(struct fake_mem *mem, const struct pw_mem_range *range, void *context);
	void *context;
	uint64_t ranges_read;
	uint64_t ran_ns; /* CPU time of the target; 0 unknown */
};

void fake_mem_done(struct fake_mem *mem);
uint8_t *fake_mem_add(struct fake_mem *mem, uint64_t addr, size_t size); /* zeroed */
uint8_t *fake_mem_at(struct fake_mem *mem, uint64_t addr, size_t size);	 /* NULL: not there */
void fake_mem_put(struct fake_mem *mem, uint64_t addr, uint64_t value, size_t size);
struct pw_mem fake_mem_reader(struct fake_mem *mem);

/*
 * A Go process made of fake memory: text, globals, sched, Ps, runtime.allgs and g structures, laid out as the built-in
 * table of a Go version says.
 */
#define FAKE_GO_TEXT	     0x401000
#define FAKE_GO_ETEXT	     0x500000
#define FAKE_GO_GLOBALS	     0x600000
#define FAKE_GO_PS	     0x700000
#define FAKE_GO_LIST	     0xc100000000
#define FAKE_GO_GS	     0xc000000000
#define FAKE_GO_STRIDE	     512
#define FAKE_GO_RUNTIME_FUNC 0x402000 /* in [0x402000, 0x403000): the runtime's functions */
#define FAKE_GO_MAIN_FUNC    0x410000

struct fake_go {
	struct fake_mem mem;
	struct pw_build build;
	struct pw_target target;
	size_t g_count, p_count;
};

struct fake_go *fake_go_new(int go_minor, size_t g_count, size_t p_count);
void fake_go_free(struct fake_go *go);

/* The i-th goroutine waits, as goid i + 1, started by the program, with wait reason 2 ("IO wait"). */
void fake_go_reset_g(struct fake_go *go, size_t index);
uint64_t fake_go_g(const struct fake_go *go, size_t index); /* its address */
void fake_go_set(struct fake_go *go, size_t index, enum pw_field field, uint64_t value, size_t size);
void fake_go_set_sched(struct fake_go *go, enum pw_field field, uint64_t value, size_t size);
void fake_go_set_p(struct fake_go *go, size_t index, enum pw_field field, uint64_t value, size_t size);
void fake_go_set_allglen(struct fake_go *go, uint64_t value);

#endif
