/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_MODEL_PROFILE_H
#define PW_MODEL_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The goroutine profile of one process at one moment (or over a time), in words: what `parkwatch goroutines` shows, in
 * every format. Strings are interned in the profile, id 0 is "". Built by observe/profile_build.c, read back from JSON
 * by output for --diff, annotated by analysis/diagnose.c, written by output/profile_*.c.
 */
struct pw_profile_frame {
	uint32_t function, file; /* strings */
	uint32_t line;
	bool inlined;
	uint64_t addr;	/* link-time pc of the physical frame, as it is looked up: return address - 1 */
	bool exact;	/* not a return address: where it stands */
	uint64_t entry; /* of the physical function; 0 unknown */
};

struct pw_profile_wait { /* target/snapshot.h: struct pw_wait, in words; UINT64_MAX, -1: unknown */
	uint32_t kind;	 /* string: "channel", "select", "semaphore", "network", "timer", "" */
	bool present, nil, closed;
	uint64_t length, capacity, receivers, senders;
	int32_t fd;
	int64_t deadline_ns; /* until it expires or fires, -1: has passed; 0: none; INT64_MIN: unknown */
	uint32_t object;     /* numbered per profile, 0: unknown */
	uint32_t cases;	     /* of a select that have a channel; 0 unknown */
	int64_t period_ns;   /* of the ticker behind the channel; 0 none */
	uint32_t sync;	     /* semaphore: string, "sync.Mutex", "sync.RWMutex", "sync.WaitGroup", "sync.Cond"; or "" */
	bool state_known;    /* then, of sync: */
	bool locked, starving, woken; /* woken: one of those that wait for it is awake already, or spins */
	bool writer;		      /* RWMutex: one writes, or waits to */
	int64_t counter; /* WaitGroup: still to be done; RWMutex: readers that hold it, -1: unknown, or no such thing */
	uint64_t owner_goid; /* the only parked goroutine that seems to hold the lock; 0 unknown */
};

struct pw_profile_goroutine {
	uint64_t goid, parent_goid;
	uint32_t group;
	uint32_t runs;	    /* since the last look; UINT32_MAX unknown */
	uint64_t age_ns;    /* of the goroutine; lower bound */
	uint64_t parked_ns; /* of this park; lower bound; 0 not parked */
	bool age_at_least, parked_at_least;
	bool locked_to_thread;
	struct pw_profile_wait wait;
	uint32_t first_label, label_count; /* by key, ascending */
};

enum pw_verdict { PW_VERDICT_NONE, PW_VERDICT_POSSIBLE, PW_VERDICT_LIKELY, PW_VERDICT_CERTAIN };
const char *pw_verdict_name(enum pw_verdict verdict); /* "possible", "likely", "certain"; none: "" */

struct pw_profile_group { /* identical (stack, wait reason, go statement, labels if grouped by them) */
	uint32_t count;
	uint8_t status;			    /* enum pw_status_class */
	bool mixed_status;		    /* of a merged group (--by): members differ; status is the first one's */
	uint32_t wait_reason;		    /* string; 0 if not waiting, or members of a merged group differ */
	uint32_t first_frame, frame_count;  /* innermost first */
	struct pw_profile_frame created_by; /* function 0: started by the runtime, or main */
	uint32_t start_function;	    /* string: what the goroutine runs */
	bool system, truncated;
	uint64_t age_min_ns, age_median_ns, age_max_ns; /* of the park if waiting, else of the goroutine */
	bool age_at_least;				/* the oldest was so before the first look */
	double runs_per_second;				/* of all of the group; < 0 unknown */
	uint64_t never_ran;				/* of count: not once between the looks */
	uint64_t arrived;				/* of count: not there at the first of two looks */
	uint32_t first_label, label_count;
	struct pw_profile_wait waiting_on; /* of a typical member: the most common object kind, summed up */
	uint32_t distinct_objects;	   /* how many different ones the members wait on; 0 unknown */
	int64_t growth;			   /* against the old profile of --diff; 0 */
	/* --over: time per state, ns summed over the looks; 0 for one look */
	uint64_t waiting_ns, running_ns, runnable_ns, syscall_ns;
	struct {
		char rule[16];	 /* "PW-G02", "PW-D05"; "" none */
		uint8_t verdict; /* enum pw_verdict */
		char text[320];	 /* what it is and what to look for, at which line */
	} diagnosis;
};

struct pw_profile_label {
	uint32_t key, value; /* strings */
};

struct pw_profile {
	int32_t pid;
	char process[64], go_version[64], service[128], build_id[96];
	uint64_t taken_wall_ns, duration_ns; /* duration of the first, whole look */
	uint64_t looks, over_ns;	     /* 1 or 2 looks; --over: how long */
	uint64_t elapsed_ns;		     /* between the two looks; 0: one look */
	uint64_t ages_wall_ns; /* since when somebody has watched, whose ages these are: the daemon; 0: nobody has */
	uint64_t total, skipped, torn; /* skipped: not there, or without a stack, for one of these: */
	uint64_t skipped_swapped, skipped_time, skipped_memory; /* the rest could not be read */
	bool waits_cut, labels_cut; /* over the time budget, what they wait on (their labels) was not read */
	bool from_core;
	uint64_t missing_bytes; /* of memory: the core file is cut */
	bool compared;		/* --diff: growth is set, and the rest of this line */
	uint64_t old_total, old_taken_wall_ns, gone_groups, gone_goroutines;
	uint64_t text_start, text_end, text_offset; /* link-time mapping of the code, for pprof */
	char exe[256];

	struct pw_profile_group *groups; /* by count, falling */
	size_t group_count;
	struct pw_profile_goroutine
		*goroutines; /* by goid; may be absent (count 0) for a profile read back or merged */
	size_t goroutine_count;
	struct pw_profile_wait *cases; /* of the select of the one goroutine that was asked for */
	size_t case_count;
	struct pw_profile_frame *frames;
	size_t frame_count;
	struct pw_profile_label *labels;
	size_t label_count;
	struct pw_intern *strings; /* owned */
};

struct pw_profile *pw_profile_new(void); /* NULL: no memory */
void pw_profile_free(struct pw_profile *profile);
const char *pw_profile_string(const struct pw_profile *profile, uint32_t string); /* "" if out of range */

/* For those who build one: a zeroed element at the end of a list, NULL when there is no memory. An element moves when
 * its list grows. pw_profile_intern gives 0 ("") for what is over the caps of the table. */
uint32_t pw_profile_intern(struct pw_profile *profile, const char *text);
struct pw_profile_group *pw_profile_add_group(struct pw_profile *profile);
struct pw_profile_goroutine *pw_profile_add_goroutine(struct pw_profile *profile);
struct pw_profile_frame *pw_profile_add_frame(struct pw_profile *profile);
struct pw_profile_label *pw_profile_add_label(struct pw_profile *profile);
/* The same for any list; its count must not have been made smaller since it was last added to. */
void *pw_profile_list_add(void **items, size_t *count, size_t size);

/*
 * Computes all that a group says of its members (count, ages, runs, common labels, what they wait on) from the rows of
 * the goroutines, leaves out groups without members, and sorts by count.
 */
int pw_profile_summarize(struct pw_profile *profile) __attribute__((warn_unused_result));

/* Frames of a group without runtime.goexit at the outer end, which every stack has and runtime/pprof leaves out. */
uint32_t pw_profile_shown_frames(const struct pw_profile *profile, const struct pw_profile_group *group);

/* Only sorts: by count, then time (--over), then oldest, then what stands first. Rows follow. */
int pw_profile_sort(struct pw_profile *profile) __attribute__((warn_unused_result));

#endif
