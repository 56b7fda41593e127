/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/resources.h"

#include <malloc.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/macros.h"
#include "base/time.h"

#define TRIM_DROPPED 32			  /* targets; some 0.2 MB each */
#define TRIM_NS	     (5 * PW_NS_PER_SEC)  /* after the first of them */
#define TRIM_AGAIN   (60 * PW_NS_PER_SEC) /* probes are detached at some 20 a second: more is free by then */
#define FILES_ROOM   64			  /* descriptors left when it is said: some 7 targets */

void pw_resources_raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		pw_log_warn(-errno, "the limit of open files stays as it is: %s", strerror(errno));
}

void pw_resources_target_found(struct pw_resources *resources, int fd)
{
	struct rlimit limit;

	/* The kernel hands out the lowest number that is free, so the number tells how many there are. */
	if (resources->files_said || fd < 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
	    (rlim_t)fd + FILES_ROOM < limit.rlim_cur)
		return;
	resources->files_said = true;
	pw_log_warn(0,
		    "open files run out, %llu are allowed and a Go process takes about 9: further ones will not be "
		    "observed; raise LimitNOFILE= of the service (ulimit -Hn)",
		    (unsigned long long)limit.rlim_cur);
}

static int on_trim(struct pw_source *source, uint64_t due_ns pw_unused, uint64_t late_ns pw_unused,
		   uint64_t missed pw_unused, void *context)
{
	struct pw_resources *resources = context;
	uint64_t start_ns = pw_now_ns();

	resources->dropped = 0;
	(void)malloc_trim(0);
	pw_log_debug(0, "gave memory back in %.1f ms", (double)(pw_now_ns() - start_ns) / (double)PW_NS_PER_MS);
	if (resources->trims_left && --resources->trims_left && pw_source_set_timer(source, TRIM_AGAIN, 0) < 0)
		resources->trims_left = 0;
	return 0;
}

void pw_resources_target_gone(struct pw_resources *resources, struct pw_loop *loop)
{
	int r;

	if (++resources->dropped != TRIM_DROPPED)
		return;
	resources->trims_left = 2;
	r = resources->trim_timer ? pw_source_set_timer(resources->trim_timer, TRIM_NS, 0)
				  : pw_loop_add_timer(loop, TRIM_NS, 0, on_trim, resources, &resources->trim_timer);
	if (r < 0) {
		resources->dropped = 0; /* the next ones try again */
		pw_log_debug(r, "cannot set a timer; memory is kept");
	}
}
