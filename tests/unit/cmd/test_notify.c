/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/macros.h"
#include "cmd/notify.h"

/* Binds a datagram socket where NOTIFY_SOCKET says; returns its fd. */
static int listen_at(const char *name, bool abstract)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, name, strlen(name));
	if (abstract)
		address.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void assert_hears(int fd, const char *start)
{
	char text[128] = "";
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	assert_true(n > 0);
	assert_memory_equal(text, start, strlen(start));
}

static void systemd_hears_by_path_and_abstract_name(void **state)
{
	char path[64];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/parkwatch-notify-%d", getpid());
	fd = listen_at(path, false);
	assert_int_equal(pw_notify("READY=1"), 0);
	assert_hears(fd, "READY=1");
	pw_notify_reloading();
	assert_hears(fd, "RELOADING=1\nMONOTONIC_USEC=");
	close(fd);
	unlink(path);
	assert_true(pw_notify("READY=1") < 0); /* nobody there any more */

	snprintf(path, sizeof(path), "@parkwatch-notify-%d", getpid());
	fd = listen_at(path, true);
	assert_int_equal(pw_notify("STOPPING=1"), 0);
	assert_hears(fd, "STOPPING=1");
	close(fd);
}

static void without_systemd_nothing_happens(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(pw_notify("READY=1"), 0);
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(pw_notify("READY=1"), -EINVAL);
	unsetenv("NOTIFY_SOCKET");
}

static void the_watchdog_is_ours_or_nobodys(void **state)
{
	char pid[16];

	(void)state;
	unsetenv("WATCHDOG_USEC");
	assert_int_equal(pw_notify_watchdog_ns(), 0);
	setenv("WATCHDOG_USEC", "30000000", 1);
	unsetenv("WATCHDOG_PID");
	assert_int_equal(pw_notify_watchdog_ns(), 15 * PW_NS_PER_SEC);
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(pw_notify_watchdog_ns(), 15 * PW_NS_PER_SEC);
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(pw_notify_watchdog_ns(), 0);
	setenv("WATCHDOG_USEC", "18446744073709551615", 1);
	unsetenv("WATCHDOG_PID");
	assert_int_equal(pw_notify_watchdog_ns(), 0);
	unsetenv("WATCHDOG_USEC");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(systemd_hears_by_path_and_abstract_name),
		cmocka_unit_test(without_systemd_nothing_happens),
		cmocka_unit_test(the_watchdog_is_ours_or_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
