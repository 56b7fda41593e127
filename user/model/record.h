/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_MODEL_RECORD_H
#define PW_MODEL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/gc.h"
#include "model/memory.h"
#include "model/holdings.h"
#include "model/runtime_numbers.h"

struct pw_why;
struct pw_buf;

/*
 * The record: everything known of one target over one interval, already in words, immutable once built, the only thing
 * that flows from acquiring to deciding to acting. Strings are indices into the record's own string table (0 = "").
 * Frames also carry the link-time address. No live addresses, no enum codes of the target, no memory contents.
 * A section that is absent has present == false; a number that is unknown is PW_UNKNOWN.
 */
#define PW_UNKNOWN UINT64_MAX

enum pw_quality { PW_EXACT, PW_SAMPLED, PW_ESTIMATED, PW_STALE };

enum pw_status_class { /* status in words of the census; runtime2.go */
		       PW_GOROUTINE_RUNNABLE,
		       PW_GOROUTINE_RUNNING,
		       PW_GOROUTINE_SYSCALL,
		       PW_GOROUTINE_WAITING,
		       PW_GOROUTINE_PREEMPTED,
		       PW_GOROUTINE_LEAKED, /* 1.26+: the runtime's own verdict; waiting for all purposes */
		       _PW_GOROUTINE_STATUS_MAX,
};
const char *pw_status_name(enum pw_status_class status); /* "runnable", "running", "syscall", "waiting", ... */

typedef uint32_t pw_string; /* index into record->strings */

struct pw_section {
	bool present;
	uint8_t version;
	uint8_t quality;   /* enum pw_quality */
	uint64_t taken_ns; /* CLOCK_BOOTTIME at which its data was read */
};

struct pw_record_frame {
	pw_string function, file;
	uint32_t line;
	bool inlined;
	uint64_t addr; /* link-time pc */
};

struct pw_record_stack {       /* innermost first */
	uint32_t first, count; /* into record->frames */
};

enum pw_ability { PW_ABILITY_EVENTS, PW_ABILITY_MEMORY, PW_ABILITY_SYMBOLS, _PW_ABILITY_MAX };

struct pw_record_ability {
	bool ok;
	pw_string reason; /* why not and what to do; or a remark when ok */
};

struct pw_record_site { /* one probe site */
	pw_string event, function, instruction, note;
	uint64_t offset; /* in the file */
	bool found, attached, emulated;
	uint8_t counting; /* enum pw_counting */
	uint64_t hits;	  /* of the probe since attach, never scaled */
	uint64_t cost_ns; /* estimated per hit */
};

struct pw_record_drop {
	pw_string name;
	uint64_t count; /* since attach */
};

struct pw_record_identity {
	uint64_t target_id; /* never reused by one daemon */
	int32_t pid;
	uint64_t start_time_ns; /* CLOCK_BOOTTIME */
	pw_string service, process, exe, unit, container, pod;
	pw_string build_id, go_version, main_path, module, module_version, revision;
	bool stripped, pie;
	pw_string state; /* "found", "readable", "attached", "degraded", "gone" */
};

/*
 * One go statement. Index of it: "statement"; it stays the same from record to record as long as the target lives,
 * except that a statement without goroutines may give its place to another one when the table is full. Totals are since
 * attach.
 */
#define PW_STATEMENT_OTHER UINT64_MAX /* gopc of the sum of all statements that found no place in the table */

struct pw_record_statement {
	uint64_t gopc; /* link-time (a return address); 0: started by the runtime itself */
	pw_string function, file;
	uint32_t line;
	bool system; /* runtime-internal goroutine */
};

struct pw_record_reason_count {
	pw_string reason;
	uint64_t count;
};

struct pw_record_event_count {
	uint32_t statement;
	bool drift_known, drift_exact;	       /* exact: none was started or ended while the census ran */
	uint64_t spawned, exited, parked, ran; /* ran: PW_UNKNOWN unless asked for */
	uint32_t first_reason, reason_count;   /* into record->reasons: parks by wait reason */
	uint32_t creation_stack;	       /* most seen one, into record->stacks; UINT32_MAX none */
	int64_t drift;			       /* live by census - (live when counting began + spawned - exited) */
};

/*
 * Ages of a group as steps of birth, oldest first: count goroutines were surely alive since born_before_ns
 * (CLOCK_BOOTTIME), and are not in an older step. Births are dated poll by poll, so a step is one poll interval
 * for the young and a wider one for the old: at most about an eighth of the age, always rounded towards younger. So
 * "how many are at least this old" (pw_group_older_than) is exact up to PW_AGE_EXACT_NS and a lower bound beyond.
 * Goroutines born before the first poll are in no step: they are the group's count_initial.
 */
struct pw_record_age {
	uint64_t born_before_ns;
	uint64_t count;
};
#define PW_AGE_EXACT_NS 64000000000ULL /* 64 s */

struct pw_record_group { /* census: identical (statement, status, wait reason) */
	uint32_t statement;
	uint8_t status;	  /* enum pw_status_class */
	pw_string reason; /* 0 unless waiting */
	uint64_t count;
	uint64_t count_initial; /* of them born before we first looked: their age is at least the time since then */
	uint64_t oldest_born_before_ns;	 /* the oldest was born before this (CLOCK_BOOTTIME), perhaps long before */
	uint64_t youngest_born_after_ns; /* the youngest was born after this; 0: unknown, before we first looked */
	uint32_t first_age, age_count;	 /* into record->census.ages */
};

/*
 * The snapshot: all goroutines with their stacks and what they wait on, taken less often than the census. Its groups
 * are of identical (go statement, status, wait reason, stack). Those that are most, and those that grow most, have
 * their stack; what is left of a (go statement, status, wait reason) is one group without.
 */
struct pw_record_wait {		 /* what the members wait on: figures of the one that is parked longest */
	pw_string kind;		 /* "channel", "select", "semaphore", "network", "timer"; 0: nothing, or not known */
	bool known, nil, closed; /* known: the object was found */
	uint32_t objects;	 /* how many different ones the members wait on; 0 unknown */
	uint64_t length, capacity, receivers, senders; /* PW_UNKNOWN if it has none */
	/* As in struct pw_profile_wait (model/profile.h), since format 9: */
	pw_string sync;					   /* "sync.Mutex" ...; 0: no semaphore, or none of these */
	bool state_known, locked, starving, woken, writer; /* the last four of sync, if state_known */
	uint32_t cases;					   /* of a select that have a channel; 0 unknown */
	int32_t fd;					   /* -1 unknown, or of several */
	int64_t deadline_ns, period_ns, counter;	   /* from taken_ns on; INT64_MIN unknown; counter -1 unknown */
	uint64_t owner_goid;				   /* 0 unknown */
};

/*
 * Of members that are parked in IO wait: how many have no deadline, and what the sockets behind their descriptors are
 * (holdings: looked at about once a minute; only of those that had been parked so before that).
 */
struct pw_record_sockets {
	uint32_t deadline_known, no_deadline;
	uint32_t known, established, closed; /* closed: by the other side, and not by this one */
	uint32_t heard;			     /* of the established: when they received last is known, and ... */
	uint64_t quiet_ns; /* ... for half of these it was at least so long ago: a power of two of seconds */
};

struct pw_record_park {
	uint32_t statement;
	uint8_t status;	      /* enum pw_status_class */
	bool truncated;	      /* the stack goes on further out */
	bool oldest_at_least; /* the oldest was parked so when we first looked, perhaps long before */
	pw_string reason;     /* 0 unless waiting */
	uint32_t stack;	      /* into record->stacks; UINT32_MAX: running, unreadable, or several stacks */
	uint32_t stacks;      /* different ones of the members; 0: none was read */
	uint64_t count;
	uint64_t never_ran;	       /* of them not once since the snapshot before */
	uint64_t runs;		       /* of all since the snapshot before; PW_UNKNOWN: in none before */
	uint64_t arrived;	       /* of them not there in the snapshot before */
	uint64_t oldest_since_ns;      /* CLOCK_BOOTTIME since which the oldest has been parked so; 0 unless waiting */
	uint32_t first_age, age_count; /* steps of parking, into record->snapshot.ages; as those of birth */
	uint64_t count_initial;	       /* of count: born before we first looked */
	uint32_t first_birth, birth_count; /* steps of birth of the others, into record->snapshot.ages too */
	uint64_t largest_stack_bytes;	   /* of one member: what is reserved for it, not what is in use */
	struct pw_record_wait wait;
	struct pw_record_sockets sockets;
};

/*
 * Locks that goroutines of the snapshot wait for and that are still: nobody who waited for one in the snapshot before
 * has left it, or has run since. For each group that the longest waiters of such locks are in, the one that has been
 * still for longest; sums for all of that group.
 */
#define PW_LOCK_CIRCLE_MAX 4
struct pw_record_lock {
	uint32_t park;	       /* of its longest waiter, into record->snapshot.parks */
	uint32_t owner_park;   /* of the goroutine that seems to hold it; UINT32_MAX: not known */
	pw_string type;	       /* "sync.Mutex", "sync.RWMutex" */
	uint32_t circle_count; /* goroutines that seem to wait for each other's locks in a circle; 0: none is seen */
	uint64_t object;       /* numbered per target: the same as long as somebody waits for it */
	uint64_t waiters;      /* for it */
	uint64_t locks, all_waiters;	     /* of that group: how many are still, and who waits for them */
	uint64_t still_since_ns;	     /* CLOCK_BOOTTIME: the first snapshot since which it has been so */
	uint64_t waiting_since_ns;	     /* of the longest waiter */
	bool at_least;			     /* it waited when we first looked already */
	uint64_t owner_goid, owner_since_ns; /* 0 unknown; since when the owner is parked */
	uint64_t circle[PW_LOCK_CIRCLE_MAX]; /* the first goids of it */
};

/* One of the goroutines with the largest stacks of the snapshot. */
#define PW_RECORD_LARGE_STACKS_MAX 8
#define PW_LARGE_STACK_BYTES	   65536 /* reserved, from here on */
struct pw_record_large_stack {
	uint64_t goid;
	uint64_t bytes;	     /* reserved for it: a power of two */
	uint64_t used_bytes; /* PW_UNKNOWN: it was running */
	uint32_t park;	     /* its group, into record->snapshot.parks */
	uint32_t unused;
};

enum pw_locks_seen {
	PW_LOCKS_UNKNOWN, /* of a recording from before they were written */
	PW_LOCKS_SEEN,
	PW_LOCKS_CUT,	 /* what goroutines wait on took too long to read */
	PW_LOCKS_UNSEEN, /* where this build keeps who waits for a lock is not known */
	_PW_LOCKS_MAX,
};

/*
 * One goroutine of the snapshot. Rows are there only for targets with few goroutines (observe options): the groups say
 * the same of all targets in bounded space.
 */
struct pw_record_row {
	uint64_t goid;
	uint32_t park;				/* its group, into record->snapshot.parks */
	uint32_t runs;				/* since the last snapshot, modulo 256; UINT32_MAX unknown */
	uint32_t object;			/* what it waits on, numbered per target; 0 unknown */
	uint64_t owner_goid;			/* who seems to hold the lock that it waits for; 0 unknown */
	uint64_t parked_since_ns;		/* CLOCK_BOOTTIME; 0 unless waiting */
	uint64_t born_after_ns, born_before_ns; /* CLOCK_BOOTTIME; born_after 0: before we first looked */
};

/*
 * How an event is counted: "off", "continuous" or "windows" (each of a sample of moments). Of what was ever counted in
 * windows, the totals by go statement are estimates: the truth of their sum is within pw_sampled_bound() with 95%. Both
 * parts only grow, so a difference of two records has a bound too. exact: the total itself comes from the target's
 * memory, and only its distribution over go statements is estimated.
 */
enum pw_counting { PW_COUNTING_OFF, PW_COUNTING_CONTINUOUS, PW_COUNTING_WINDOWS, _PW_COUNTING_MAX };
struct pw_record_sampled {
	uint8_t counting; /* enum pw_counting */
	bool exact;
	double square, linear;
};
const char *pw_counting_name(uint8_t counting); /* "off", "continuous", "windows" */
/* Of the growth from `before` on; NULL: of all. */
double pw_sampled_bound(const struct pw_record_sampled *now, const struct pw_record_sampled *before);

struct pw_record_gc_times {
	uint64_t start_ns, mark_termination_ns, sweep_ns; /* CLOCK_BOOTTIME, 0 unknown */
};

struct pw_record_bucket {   /* of a histogram of the runtime: runtime_numbers.h */
	uint16_t histogram; /* enum pw_histogram */
	uint16_t bucket;    /* of its scale */
	uint64_t count;	    /* since the program began */
};

/* Allocations at one line, whoever calls it: estimates, scaled by the sampling rate. */
#define PW_RECORD_HEAP_SITES_MAX 32
struct pw_record_heap_site {
	pw_string function, file;
	uint32_t line;
	uint64_t inuse_bytes, inuse_objects, alloc_bytes;
	int64_t growth_bytes; /* in use, since the look before this one */
};

struct pw_record {
	uint64_t sequence;
	uint64_t boot_ns, wall_ns; /* when the record was closed */
	uint64_t interval_ns;	   /* since the target's last record; 0 for the first */
	struct pw_record_identity identity;
	struct pw_record_ability abilities[_PW_ABILITY_MAX];

	struct pw_section sites_section;
	struct pw_record_site *sites;
	size_t site_count;

	struct pw_section drops_section;
	struct pw_record_drop *drops;
	size_t drop_count;

	struct {
		struct pw_section section;
		uint64_t hits;		  /* probe hits since attach */
		double cpu_percent;	  /* estimated cost of probes to the target, % of one CPU, this interval */
		double budget_percent;	  /* < 0: none */
		pw_string governor_state; /* "continuous", "park sampled", "spawn, exit and park sampled", "off", ... */
		uint64_t census_ns;	  /* time the last census took us */
		uint64_t bytes_read;	  /* by the last census */
		uint64_t probe_ns;	  /* estimated CPU time that probes took from the target since attach */
		double snapshot_percent;  /* what censuses and snapshots cost us at their pace now, % of one CPU */
		uint64_t snapshot_ns;	  /* the same since attach ... */
		uint64_t snapshot_bytes;  /* ... and what they read of the target's memory */
	} cost;

	struct pw_record_statement *statements;
	size_t statement_count;

	struct {
		struct pw_section section;
		uint64_t spawned, exited, parked; /* totals since attach */
		struct pw_record_event_count *counts;
		size_t count;
		/* PW_UNKNOWN once some were not counted: they are never sampled, only switched off. */
		uint64_t gc_cycles, gc_mark_terminations, gc_sweeps, stw_starts, stw_ends, stw_total_ns;
		struct pw_record_gc_times last_cycle;
		struct pw_record_sampled spawn, exit, park;
		uint64_t sampled_ns; /* CLOCK_BOOTTIME: sampled totals are those of this moment; 0: none is */
		uint64_t windows;    /* so far */
	} events;

	struct {
		struct pw_section section;
		uint64_t total;	  /* user and system goroutines seen, dead ones not */
		uint64_t system;  /* of them runtime-internal */
		uint64_t skipped; /* could not be read or over the budget */
		uint64_t torn;	  /* changed while read, left out */
		struct pw_record_group *groups;
		size_t group_count;
		struct pw_record_age *ages;
		size_t age_count;
	} census;

	struct {
		struct pw_section section;
		uint64_t total, skipped, torn;	   /* skipped: of them without a stack; torn: left out, they changed */
		uint64_t stacks_read, stacks_kept; /* kept: had not run since the snapshot before */
		uint64_t duration_ns, cpu_ns, bytes_read;
		uint64_t interval_ns; /* at which snapshots are taken now: as asked, or longer for what they cost */
		uint64_t
			elapsed_ns; /* since the one before, in which `runs` were counted; 0: none before, or unknown */
		struct pw_record_park *parks;
		size_t park_count;
		struct pw_record_age *ages;
		size_t age_count;
		struct pw_record_row *rows;
		size_t row_count;
		struct pw_record_lock *locks; /* the longest first */
		size_t lock_count;
		uint64_t locks_left_out; /* groups with such locks beyond those */
		uint8_t locks_seen;	 /* enum pw_locks_seen */
		struct pw_record_large_stack large[PW_RECORD_LARGE_STACKS_MAX]; /* the largest first */
		uint32_t large_count;
		uint64_t stack_p99_bytes; /* 99 of 100 goroutines have no more reserved; PW_UNKNOWN */
	} snapshot;

	struct {			   /* events held against the census: what one of them has missed */
		struct pw_section section; /* quality exact: nothing was started or ended while the census ran */
		uint64_t live_by_events;   /* alive when counting began + spawned - exited */
		uint64_t live_by_census;
		int64_t difference; /* census - events */
	} drift;

	struct {
		struct pw_section section;
		struct pw_runtime_numbers numbers;
		uint8_t scale[_PW_HISTOGRAM_MAX]; /* enum pw_histogram_scale */
		struct pw_record_bucket *buckets; /* those that are not empty, by histogram and place */
		size_t bucket_count;
	} runtime;

	struct {
		struct pw_section section; /* quality exact: by probes; sampled: by polls, of some cycles only */
		struct pw_record_gc_cycle *cycles; /* the last PW_GC_RING_MAX, oldest first */
		size_t cycle_count;
		struct pw_gc_sums sums; /* since we look */
	} gc;

	struct {
		struct pw_section section;
		struct pw_memory_table table;
		pw_string max_path, high_path; /* cgroups whose limits these are */
	} memory;

	struct {
		struct pw_section section;
		struct pw_holdings numbers;
		pw_string pids_path; /* of the cgroup with pids_max */
	} holdings;

	struct { /* the runtime's heap profile by line: the biggest, and the fastest growing */
		struct pw_section section;		  /* taken_ns: of the look */
		uint64_t rate, cycle;			  /* bytes per sample; GC cycles whose numbers these are */
		uint64_t sites, inuse_bytes, alloc_bytes; /* of all of the profile */
		uint64_t cost_ns;			  /* of the look, CPU time */
		uint64_t site_count;
		struct pw_record_heap_site site[PW_RECORD_HEAP_SITES_MAX]; /* by bytes in use, falling */
	} heap;

	struct {
		struct pw_section section;
		uint64_t rss_bytes, threads, open_files, cpu_ns;
		bool stopped;	       /* by a signal or a debugger */
		bool frozen;	       /* by its cgroup, at the last snapshot */
		uint64_t throttled_ns; /* in which its cgroup's CPU quota was used up, so far; PW_UNKNOWN */
	} kernel;

	struct pw_record_reason_count *reasons;
	size_t reason_count;
	struct pw_record_frame *frames;
	size_t frame_count;
	struct pw_record_stack *stacks;
	size_t stack_count;
	const char **strings; /* strings[0] is "" */
	size_t string_count;
	void *storage; /* owner of all of the above */
};

/* Records are reference counted; immutable after pw_record_builder_finish (builder.h); any thread may
 * hold and drop a reference. */
struct pw_record *pw_record_ref(const struct pw_record *record);
void pw_record_unref(struct pw_record *record);
const char *pw_record_string(const struct pw_record *record, pw_string string); /* "" if out of range */

/* How many goroutines of a group were at least age_ns old when the census was taken. with_initial: count those born
 * before we first looked too, if that alone makes them old enough. */
uint64_t pw_group_older_than(const struct pw_record *record, const struct pw_record_group *group, uint64_t age_ns,
			     bool with_initial);
/* The same of a group of the snapshot. */
uint64_t pw_park_older_than(const struct pw_record *record, const struct pw_record_park *park, uint64_t age_ns,
			    bool with_initial);
/* Lower bound of the age of the oldest goroutine of a group, upper bound of that of the youngest (PW_UNKNOWN: none), at
 * the time of the census. */
uint64_t pw_group_oldest_age_ns(const struct pw_record *record, const struct pw_record_group *group);
uint64_t pw_group_youngest_age_ns(const struct pw_record *record, const struct pw_record_group *group);
/* All buckets of one histogram, PW_HISTOGRAM_BUCKETS_MAX of them; false: it is not in the record. */
bool pw_record_histogram(const struct pw_record *record, enum pw_histogram histogram, uint64_t *ret_counts);
/* Waiting for something (and not merely for a processor): waiting or leaked. */
bool pw_status_parked(uint8_t status);

#endif
