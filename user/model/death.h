/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_MODEL_DEATH_H
#define PW_MODEL_DEATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How a target ended, as far as the kernel tells; it goes through recordings. What is not known is absent: a status is
 * never guessed from an OOM kill or the other way round.
 */
enum pw_death_how {
	PW_DEATH_UNKNOWN,    /* an older recording, or the end of a session: nobody saw it */
	PW_DEATH_EXIT,	     /* the process ended */
	PW_DEATH_EXEC,	     /* it runs another program now */
	PW_DEATH_UNOBSERVED, /* it lives on, but is not looked at any more (configuration, rights) */
	_PW_DEATH_HOW_MAX,
};

#define PW_DEATH_OOM_UNKNOWN UINT64_MAX

struct pw_death {
	uint64_t target_id;
	uint64_t boot_ns, wall_ns; /* when it was seen */
	uint8_t how;		   /* enum pw_death_how */
	bool status_known;
	int32_t status;	    /* as wait(2) gives it */
	uint64_t oom_kills; /* in its cgroup, lately: since 10 to 20 s before the end */
};

/* Did the process end, or become another? False: it lives, or nobody knows. */
bool pw_death_is_end(const struct pw_death *death);
/* It was killed by SIGKILL, as far as is known, while the OOM killer was at work in its cgroup. */
bool pw_death_by_oom(const struct pw_death *death);
/* The signal it was killed by; 0: by none, or not known. */
int pw_death_signal(const struct pw_death *death);
/* Ended as asked: status 0, or by SIGTERM, SIGINT, SIGHUP or SIGPIPE; an exec too. Unknown is not clean and not faulty.
 */
bool pw_death_is_clean(const struct pw_death *death);
bool pw_death_is_faulty(const struct pw_death *death);

#define PW_DEATH_TEXT_SIZE 96
/* "exit 137 (killed by SIGKILL), OOM kill in its cgroup", "exit 3", "exit status not known", ...: into text. */
const char *pw_death_text(const struct pw_death *death, char text[PW_DEATH_TEXT_SIZE]);
/* "exit", "exec", "unobserved", "unknown". */
const char *pw_death_how_name(uint8_t how);

#endif
