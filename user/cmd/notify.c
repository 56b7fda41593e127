/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/macros.h"
#include "base/parse.h"
#include "base/time.h"

int pw_notify(const char *state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	_cleanup_fd_ int fd = -1;
	size_t size;

	if (!path || !*path)
		return 0;
	size = strlen(path);
	if ((path[0] != '/' && path[0] != '@') || size >= sizeof(address.sun_path))
		return -EINVAL;
	memcpy(address.sun_path, path, size + 1);
	if (path[0] == '@')
		address.sun_path[0] = '\0'; /* abstract */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)) < 0)
		return -errno;
	return 0;
}

void pw_notify_reloading(void)
{
	char state[80];

	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, (uint64_t)(pw_now_ns() / PW_NS_PER_US));
	(void)pw_notify(state);
}

uint64_t pw_notify_watchdog_ns(void)
{
	const char *interval = getenv("WATCHDOG_USEC"), *meant_for = getenv("WATCHDOG_PID");
	uint64_t us, pid;

	if (!interval || pw_parse_u64(interval, &us) < 0 || !us || us > UINT64_MAX / PW_NS_PER_US)
		return 0;
	if (meant_for && (pw_parse_u64(meant_for, &pid) < 0 || pid != (uint64_t)getpid()))
		return 0;
	return us * PW_NS_PER_US / 2;
}
