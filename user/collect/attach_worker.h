/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_COLLECT_ATTACH_WORKER_H
#define PW_COLLECT_ATTACH_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/why.h"

struct pw_attachment;

/*
 * The threads that attach and detach, so that the event loop never waits for the kernel. One attaches. Closing a link
 * waits for a grace period of 40 ms, which any number of threads can wait for at once: PW_DETACHERS_MAX of them detach,
 * started when there is more to detach than threads that do. So processes that end keep no new one waiting, and a
 * thousand that end together are detached within seconds. An attachment belongs to the worker from submit until its
 * result is taken; at most one job per attachment at a time.
 */
#define PW_DETACHERS_MAX 16U

/* Part of each attachment: submitting a job needs no memory, and cannot fail. */
struct pw_attach_job {
	struct pw_attach_job *next;
	struct pw_attachment *attachment;
	unsigned int wanted;				       /* groups, see pw_attachment_apply */
	int (*work)(void *context, struct pw_why *reterr_why); /* done instead, if there is one */
	void *context;
	/* filled by the worker */
	int result;
	uint64_t took_ns;
	struct pw_why why;
};

struct pw_attach_worker;

int pw_attach_worker_new(struct pw_attach_worker **ret_worker) __attribute__((warn_unused_result));
/* Finishes the jobs in its queue, then ends the threads. Results not taken are dropped. NULL is fine. */
void pw_attach_worker_free(struct pw_attach_worker *worker);
/* Readable while there are results. */
int pw_attach_worker_fd(const struct pw_attach_worker *worker);
void pw_attach_worker_submit(struct pw_attach_worker *worker, struct pw_attachment *attachment, unsigned int wanted);
/* Something else that takes its time, done by a thread that detaches; attachment stands for it in the result. */
void pw_attach_worker_submit_work(struct pw_attach_worker *worker, struct pw_attachment *attachment,
				  int (*action)(void *context, struct pw_why *reterr_why), void *context);
/* Jobs that attach and have not begun end now, with -ECANCELED. */
void pw_attach_worker_cancel_attaches(struct pw_attach_worker *worker);
/* True and one result, oldest first; false: none there. */
bool pw_attach_worker_take(struct pw_attach_worker *worker, struct pw_attach_job *ret_job);

#endif
