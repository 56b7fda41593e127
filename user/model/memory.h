/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_MODEL_MEMORY_H
#define PW_MODEL_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

struct pw_runtime_numbers;

/*
 * Where the RSS of a Go program goes: what the runtime says of its heap, and what the kernel says is in memory, in one
 * table whose rows and rest add up to the RSS. Bytes; PW_UNKNOWN where it is not known.
 */
enum pw_memory_kind {
	PW_MEMORY_LIVE,	       /* heap that the last GC found in use */
	PW_MEMORY_UNCOLLECTED, /* allocated since: new objects and garbage, which only the next GC tells apart */
	PW_MEMORY_SLOTS,       /* free places between objects, in spans that are in use */
	PW_MEMORY_FREE,	       /* spans freed, and kept for the next allocations */
	PW_MEMORY_STACKS,      /* of goroutines */
	PW_MEMORY_RUNTIME,     /* the runtime's own: metadata of spans and of the collector, profiles */
	PW_MEMORY_GLOBALS,     /* data and bss of the program and its libraries, as far as written */
	PW_MEMORY_NON_GO,      /* anonymous memory that the runtime does not know of: malloc of C, mmap */
	PW_MEMORY_FILE,	       /* pages of files, the program's code among them: the kernel can take them back */
	PW_MEMORY_SHMEM,       /* shared memory and tmpfs */
	_PW_MEMORY_KIND_MAX,
};
const char *pw_memory_kind_name(enum pw_memory_kind kind); /* "live_heap" */

struct pw_memory_sizes { /* of some mappings */
	uint64_t rss, anonymous, swap, lazy_free, anon_huge;
};

/* What the kernel says. Where smaps was not read, all but total and shmem are 0 and detailed is false. */
struct pw_memory_mappings {
	bool detailed;
	uint64_t count;			 /* of mappings */
	struct pw_memory_sizes total;	 /* of the process */
	struct pw_memory_sizes arenas;	 /* of Go's heap: arenas hold spans of objects, of stacks, and free ones */
	struct pw_memory_sizes go_named; /* others that the runtime has named as its own (1.25 on, if the kernel can) */
	struct pw_memory_sizes globals;
	struct pw_memory_sizes brk;   /* [heap]: C's malloc, in part */
	struct pw_memory_sizes other; /* anonymous ones of nobody known */
	uint64_t shmem;
	uint64_t arenas_bytes; /* address space of the arenas; 0: not known where they are */
};

struct pw_memory_limits {	 /* PW_UNKNOWN: none, or not known */
	uint64_t cgroup_version; /* 1, 2; 0: no memory controller */
	uint64_t max_bytes, max_used_bytes, max_reclaimable_bytes, high_bytes, swap_max_bytes;
};

struct pw_memory_table {
	uint64_t detailed; /* 0: mappings were not told apart, and non_go is what nobody else accounts for */
	uint64_t rss_bytes;
	uint64_t kind[_PW_MEMORY_KIND_MAX];
	int64_t unexplained_bytes; /* rss - sum of the kinds */
	/* Why that is not 0: the runtime counts address space, the kernel pages. */
	uint64_t heap_resident_bytes;  /* pages of the arenas */
	uint64_t heap_committed_bytes; /* what the runtime thinks is there: objects, free spans, stacks */
	uint64_t heap_untouched_bytes; /* committed and neither resident nor swapped: never written */
	uint64_t heap_swapped_bytes, heap_lazy_free_bytes, heap_huge_bytes;
	uint64_t c_heap_bytes;	 /* of non_go: [heap] */
	uint64_t huge_bytes;	 /* of the RSS: in huge pages */
	uint64_t released_bytes; /* heap returned to the system: not in the RSS */
	uint64_t swap_bytes;	 /* not in the RSS */
	uint64_t gc_cycles, gc_last_unix_ns, gc_percent, memory_limit_bytes, heap_goal_bytes, heap_live_bytes;
	uint64_t goroutines;
	struct pw_memory_limits limits;
	uint64_t mappings, cost_ns; /* what it took us to read */
};

/* numbers may be NULL: then the heap is part of non_go. Cost and limits are left as they are. */
void pw_memory_balance(struct pw_memory_table *table, const struct pw_memory_mappings *mappings,
		       const struct pw_runtime_numbers *numbers);

/*
 * What of PW_MEMORY_UNCOLLECTED is garbage for sure, at least: the last GC has found it dead, and it is not swept yet.
 * The rest was allocated since, and only the next GC will tell what of that is garbage. PW_UNKNOWN: no GC yet.
 */
uint64_t pw_memory_known_garbage(const struct pw_memory_table *table);

/* The kind that takes most; the tightest limit that holds for the process: its bytes, PW_UNKNOWN none. */
enum pw_memory_kind pw_memory_largest(const struct pw_memory_table *table);

#endif
