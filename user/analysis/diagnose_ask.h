/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_DIAGNOSE_ASK_H
#define PW_ANALYSIS_DIAGNOSE_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/time.h"
#include "model/profile.h"

/*
 * What the rules of diagnose*.c ask of a group, and how they answer.
 *
 * Thresholds: a minute is longer than ordinary hand-offs take, ten are longer than ordinary requests; ten goroutines of
 * one stack that each wait on an object of their own are no worker pool. What runs is not stuck: a rule about waiting
 * is silent if more than one in ten ran between the looks; after a single look that is not known, and it says what it
 * would say of the first second.
 */
#define PW_DIAGNOSE_MINUTES (60 * PW_NS_PER_SEC)
#define PW_DIAGNOSE_MANY    10

#define PW_DIAGNOSE_PLACE   160
#define PW_DIAGNOSE_LASTING (PW_DURATION_SIZE + 8)

/* The wait reason in the runtime's words, "" if it does not wait. */
const char *pw_ask_reason(const struct pw_profile *profile, const struct pw_profile_group *group);
bool pw_ask_reason_begins(const struct pw_profile *profile, const struct pw_profile_group *group, const char *prefix);
/* Does a function of the stack begin so? */
bool pw_ask_calls(const struct pw_profile *profile, const struct pw_profile_group *group, const char *function);
/* Is it the main goroutine? */
bool pw_ask_is_main(const struct pw_profile *profile, const struct pw_profile_group *group);
/* Half of them were there and did not run between the looks, and at most one in ten ran; or there was one look only. */
bool pw_ask_stands(const struct pw_profile_group *group);
/* So it is known, and most of them have waited for at least so long: newer ones may join. */
bool pw_ask_mostly_for(const struct pw_profile_group *group, uint64_t ns);
/* Each waits on an object of its own: nobody shares a queue, as workers would. */
bool pw_ask_own_objects(const struct pw_profile_group *group);
/* A timer will wake them, or the deadline of the descriptor. */
bool pw_ask_wakes(const struct pw_profile_group *group);
/* The row of a goroutine; NULL: not there. */
const struct pw_profile_goroutine *pw_ask_row(const struct pw_profile *profile, uint64_t goid);

/* Where the wait stands in the program's own code: the innermost frame that is no plumbing; else the go statement. */
const struct pw_profile_frame *pw_ask_own_frame(const struct pw_profile *profile, const struct pw_profile_group *group);
/* "main.get (cache.go:7)" */
const char *pw_tell_place(const struct pw_profile *profile, const struct pw_profile_frame *frame,
			  char text[PW_DIAGNOSE_PLACE]);
/* " for 3m10s", or nothing after a single look. */
const char *pw_tell_lasting(uint64_t ns, char text[PW_DIAGNOSE_LASTING]);
/* Sets verdict and text; always true, as the rule that calls it has spoken. */
bool pw_tell(struct pw_profile_group *group, enum pw_verdict verdict, const char *fmt, ...) pw_printf_like(3, 4);

/* The rules: diagnose_locks.c, */
bool pw_judge_mutex(const struct pw_profile *profile, struct pw_profile_group *group);
bool pw_judge_waitgroup(const struct pw_profile *profile, struct pw_profile_group *group);
bool pw_judge_semaphore(const struct pw_profile *profile, struct pw_profile_group *group);
/* diagnose_waits.c, */
bool pw_judge_nil(const struct pw_profile *profile, struct pw_profile_group *group);
bool pw_judge_channel(const struct pw_profile *profile, struct pw_profile_group *group);
bool pw_judge_select(const struct pw_profile *profile, struct pw_profile_group *group);
bool pw_judge_iterator(const struct pw_profile *profile, struct pw_profile_group *group);
bool pw_judge_sleep(const struct pw_profile *profile, struct pw_profile_group *group);
bool pw_judge_network(const struct pw_profile *profile, struct pw_profile_group *group);
/* diagnose_state.c. */
bool pw_judge_leaked(const struct pw_profile *profile, struct pw_profile_group *group);
bool pw_judge_finalizer(const struct pw_profile *profile, struct pw_profile_group *group);
bool pw_judge_runtime(const struct pw_profile *profile, struct pw_profile_group *group);
bool pw_judge_syscall(const struct pw_profile *profile, struct pw_profile_group *group);
bool pw_judge_runnable(const struct pw_profile *profile, struct pw_profile_group *group);

#endif
