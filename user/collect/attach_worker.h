/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_COLLECT_ATTACH_WORKER_H
#define PW_COLLECT_ATTACH_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/why.h"

struct pw_attachment;

/*
 * The thread that attaches and detaches, so that the event loop never waits for the kernel. Jobs that attach come
 * before those that only detach, which take 40 ms a link: many processes that end must not keep a new one waiting. An
 * attachment belongs to the worker from submit until its result is taken; at most one job per attachment at a time.
 */
struct pw_attach_job {
	struct pw_attachment *attachment;
	unsigned int wanted; /* groups, see pw_attachment_apply */
	/* filled by the worker */
	int result;
	uint64_t took_ns;
	struct pw_why why;
};

struct pw_attach_worker;

int pw_attach_worker_new(struct pw_attach_worker **ret_worker) __attribute__((warn_unused_result));
/* Finishes the jobs in its queue, then ends the thread. Results not taken are dropped. NULL is fine. */
void pw_attach_worker_free(struct pw_attach_worker *worker);
/* Readable while there are results. */
int pw_attach_worker_fd(const struct pw_attach_worker *worker);
int pw_attach_worker_submit(struct pw_attach_worker *worker, struct pw_attachment *attachment, unsigned int wanted)
	__attribute__((warn_unused_result));
/* True and one result, oldest first; false: none there. */
bool pw_attach_worker_take(struct pw_attach_worker *worker, struct pw_attach_job *ret_job);

#endif
