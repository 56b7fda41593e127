/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_MODEL_ALERT_H
#define PW_MODEL_ALERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the judgement says, with its evidence. Plain data with fixed sizes: copied, queued, written, never pointing into
 * records. */
enum pw_alert_state { PW_ALERT_PENDING, PW_ALERT_FIRING, PW_ALERT_CLEARING, PW_ALERT_RESOLVED, PW_ALERT_GONE };
enum pw_alert_level { PW_LEVEL_INFO, PW_LEVEL_WARNING, PW_LEVEL_CRITICAL };

#define PW_ALERT_GROWING_MAX 5
/* Why people are not told of one that fires; it is listed all the same. */
enum pw_alert_hold {
	PW_HOLD_NONE,
	PW_HOLD_INHIBITED, /* another one explains it */
	PW_HOLD_GROUPED,   /* its service has had a page lately: the next one, or that one, stands for it */
	PW_HOLD_DEPLOY,	   /* a new build of its service has just come: statistics wait */
	PW_HOLD_FLEET,	   /* too many services at once: one incident stands for all */
};
/* What a transition is to receivers that wake people (webhooks, the command); the log and the file are told of all. */
enum pw_alert_page { PW_PAGE_NOT, PW_PAGE_TELL, PW_PAGE_WITHDRAW /* over, as far as they are concerned */ };

#define PW_ALERT_FRAMES_MAX	16
#define PW_ALERT_FLOORS_MAX	60
#define PW_ALERT_THRESHOLDS_MAX 8
#define PW_ALERT_MOVING_MAX	8
#define PW_ALERT_OWNER_SIZE	64
#define PW_ALERT_RUNBOOK_SIZE	200
#define PW_ALERT_BENIGN_SIZE	256
#define PW_ALERT_PROCESSES_MAX	16

struct pw_alert_frame {
	char function[160], file[200];
	uint32_t line;
};

struct pw_alert_wait { /* what they wait on: figures of the one parked longest; UINT64_MAX unknown */
	char kind[16]; /* "channel", "select", "semaphore", "network", "timer"; "" not known */
	char type[16]; /* of a semaphore, where it is known: "sync.Mutex", "sync.RWMutex" */
	bool known, nil, closed;
	uint32_t objects; /* different ones; 0 unknown */
	uint64_t length, capacity, receivers, senders;
};

struct pw_alert_threshold { /* one that was crossed */
	char name[32];	    /* "old_goroutines" */
	bool below;	    /* value is at most limit; else at least */
	double value,
		limit; /* in the unit that the name tells: a count unless it ends in _s, _bytes, _z, _per_h, _share */
};

struct pw_alert_moving { /* something else of the same process that rose while this did */
	char what[120];	 /* "rss", or a go statement: "main.handle server.go:42" */
	char unit[16];	 /* "bytes", "goroutines", ...; "" a plain count */
	double from, to;
};

struct pw_alert_growing {	       /* a line of code, or a size of objects, of which ever more is in use */
	struct pw_alert_frame frame;   /* function "": a size */
	uint64_t object_bytes;	       /* of a size; 0: large objects */
	bool large;		       /* objects that have a span of their own */
	double bytes, per_hour, share; /* by how much it grew over over_ns; of all that grew, 0 .. 1 */
	double inuse_bytes;	       /* now */
	uint64_t over_ns;
};

struct pw_alert_loss {		 /* what of the evidence was not seen, from the onset on */
	bool known, sampled;	 /* sampled: counts by go statement are estimates */
	double share;		 /* of the time in gaps, or of events if that is more; 0 .. 1 */
	uint64_t dropped_events; /* that found no room in our tables */
	uint64_t skipped;	 /* goroutines that the last look left out: over the budget, or torn */
	uint64_t gaps, gap_ns;	 /* records that were missing, and how long in all */
};

struct pw_alert_process { /* one that the incident is in */
	int32_t pid;
	double value; /* goroutines, or in the unit of the alert */
};

#define PW_ALERT_CIRCLE_MAX 4

struct pw_alert_holder { /* of the lock that is waited for: the parked goroutine that seems to hold it */
	uint64_t goid;	 /* 0: not known */
	uint64_t parked_ns;
	char wait_reason[48];
	struct pw_alert_frame at; /* where it is parked, in the program's own code */
	/* Goroutines that seem to wait for each other's locks in a circle; 0: none is seen. The first of their goids.
	 */
	uint32_t circle_count;
	uint64_t circle[PW_ALERT_CIRCLE_MAX];
};

struct pw_alert {
	char id[48];   /* by rule, service and places: the same over processes, builds, restarts, and when it recurs */
	char rule[16]; /* "PW-G08" */
	enum pw_alert_level level;
	enum pw_alert_state state;
	char confidence[16]; /* "suspected", "cold" */
	char service[128], process[64], build_id[96], go_version[64];
	int32_t pid;
	uint64_t target_id;
	uint64_t process_started_wall_ns; /* 0: not known */
	uint64_t fired_wall_ns, resolved_wall_ns;
	uint64_t onset_wall_ns;		 /* when the growth began */
	struct pw_alert_frame statement; /* the go statement */
	char wait_reason[48];		 /* the most common one among the parked */
	uint64_t parked, parked_onset;	 /* now; when the growth began */
	double baseline;		 /* < 0: none yet */
	double growth_per_hour;
	/* Of an alert about the process and not a go statement: "bytes"; "": it is about goroutines, as above. */
	char unit[16];
	double value, value_onset;
	double limit;	       /* that the ETA is to; 0: none */
	char limit_name[48];   /* "memory.max" */
	bool pinned_known;     /* by a proof: */
	uint64_t pinned_bytes; /* that only its goroutines hold */
	uint64_t eta_ns, eta_low_ns,
		eta_high_ns; /* until the limit, with 95% bounds; 0: not known, UINT64_MAX: never */
	/* Of growth over a window; window_ns 0: of no window, and none of this is known. */
	uint64_t window_ns;
	double growth_low_per_hour, growth_high_per_hour; /* 95% bounds */
	double arrivals_per_hour, exits_per_hour;	  /* that became old; old ones that ended */
	uint64_t life_ns; /* how long old ones surely live on, 95% lower bound of the mean */
	struct pw_alert_frame creation[PW_ALERT_FRAMES_MAX];
	size_t creation_count;
	/* By the last snapshot: the stack that most of them are parked on, innermost first, without the runtime's own
	 * frames below it. */
	uint64_t stacks_wall_ns; /* when it was taken; 0: none, and nothing of this is known */
	struct pw_alert_frame parked_stack[PW_ALERT_FRAMES_MAX];
	size_t parked_stack_depth;
	bool parked_stack_cut;	 /* it goes on further out */
	uint64_t parked_there;	 /* how many are parked on that stack */
	uint64_t never_ran;	 /* of those, since the snapshot before */
	uint64_t oldest_park_ns; /* how long the oldest of all has been parked so, at least */
	bool oldest_at_least;	 /* it was already when we first looked */
	struct pw_alert_wait waiting_on;
	uint64_t locks;	   /* of such locks in that place; 0: it is not about locks, and the next two say nothing */
	uint64_t still_ns; /* how long the oldest has not been unlocked, at least */
	struct pw_alert_holder holder;
	/* Of one goroutine's stack: */
	uint64_t goid; /* 0: it is not about one goroutine */
	uint64_t reserved_bytes;
	double deepest_from, deepest_to; /* of all together: what 99 of 100 had at most, and have */
	struct pw_alert_frame recursion; /* the function that is on it most; "" not known */
	struct pw_alert_frame finalizer; /* the finalizer or cleanup that does not end; "" none */
	/* The signal over its window: floors of buckets, oldest first; not seen: NAN. */
	uint64_t floor_bucket_ns;
	size_t floor_count;
	float floors[PW_ALERT_FLOORS_MAX];
	size_t threshold_count, moving_count;
	struct pw_alert_threshold thresholds[PW_ALERT_THRESHOLDS_MAX];
	struct pw_alert_moving moving[PW_ALERT_MOVING_MAX];
	struct pw_alert_loss loss;
	/* Of memory: what grew most within the window, falling. */
	uint64_t growing_wall_ns; /* when that was looked at; 0: it was not, and nothing of this is known */
	bool growing_sampled;	  /* estimates, by the runtime's heap profile */
	size_t growing_count;
	struct pw_alert_growing growing[PW_ALERT_GROWING_MAX];
	/* Of the incident, which may be in several processes; the evidence above is of the one it is worst in. */
	uint32_t recurrence;	      /* how often it has come again within a day of its end */
	uint64_t first_fired_wall_ns; /* before it ever came again */
	double peak;		      /* highest value, as that of processes */
	uint32_t process_count;	      /* of this host; the first ones of them, worst first: */
	struct pw_alert_process processes[PW_ALERT_PROCESSES_MAX];
	enum pw_alert_hold hold;
	char held_by[48];	 /* id of the one that stands for it; "": none does */
	uint32_t grouped;	 /* others of its service that the page of this one stands for */
	bool paged;		 /* receivers have been told that it fires, and not yet that it is over */
	enum pw_alert_page page; /* of a transition */
	uint64_t told_wall_ns;	 /* of a transition */
	double gc_cpu_percent;	 /* of the process's CPU time, that its last GC cycle said; 0: not known */
	double score;		 /* 0 to 100: by which alerts are ranked */
	char text[384];		 /* one sentence for a person */
	char hint[256];		 /* what to do next */
	char reproduce[160];	 /* command that shows it */
	/* What the configuration says of it; "": nothing. */
	char owner[PW_ALERT_OWNER_SIZE], runbook[PW_ALERT_RUNBOOK_SIZE];
	bool lowered;			   /* to info: it is on the benign list */
	char benign[PW_ALERT_BENIGN_SIZE]; /* why it is, or why the list no longer applies */
};

/* Notes a threshold that was crossed; one of the same name is replaced, what has no room is left out. */
void pw_alert_threshold(struct pw_alert *alert, const char *name, double value, double limit, bool below);

const char *pw_alert_state_name(enum pw_alert_state state);
const char *pw_alert_hold_name(enum pw_alert_hold hold); /* NULL: none */
const char *pw_alert_level_name(enum pw_alert_level level);

#endif
