/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/daemon_ages.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/httpc.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/why.h"
#include "target/target.h"

#define ANSWER_NS (2 * PW_NS_PER_SEC)

static int ask(const char *socket, const struct pw_target *target, struct pw_daemon_ages *ages, struct pw_why *why)
{
	_cleanup_buf_ struct pw_buf answer = PW_BUF_INIT(PW_AGES_BYTES_MAX + 1);
	char path[64];
	long status = 0;
	int r;

	snprintf(path, sizeof(path), "/api/v1/ages?pid=%d", target->pid);
	r = pw_httpc_get_local(socket, path, ANSWER_NS, &answer, &status, why);
	if (r >= 0 && status != 200)
		r = pw_why_set(why, -ENODATA, "the daemon has no ages of process %d", target->pid);
	if (r >= 0)
		r = pw_ages_read(answer.data, answer.size, &ages->head, &ages->items, &ages->count, why);
	if (r < 0)
		return r;
	if (ages->head.pid == target->pid && ages->head.start_ns == target->start_time_ns)
		return 0;
	return pw_why_set(why, -ESTALE, "what the daemon knows of process %d is of another one of that number",
			  target->pid);
}

void pw_daemon_ages_ask(const char *socket, const struct pw_target *target, struct pw_daemon_ages *ret_ages)
{
	struct pw_why why = {0};
	int r;

	*ret_ages = (struct pw_daemon_ages){0};
	if (!*socket)
		return;
	r = ask(socket, target, ret_ages, &why);
	if (r >= 0)
		return;
	pw_daemon_ages_done(ret_ages);
	pw_log_debug(r, "no ages from a daemon: %s", pw_why_text(&why, r));
}

void pw_daemon_ages_done(struct pw_daemon_ages *ages)
{
	free(ages->items);
	*ages = (struct pw_daemon_ages){0};
}
