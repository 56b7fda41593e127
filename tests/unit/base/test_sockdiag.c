/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/sockdiag.h"

/* Sockets of ours, as the kernel lists them. */
struct wanted {
	uint64_t inode;
	struct pw_sock found;
	size_t times;
};

static bool take(void *context, const struct pw_sock *sock)
{
	struct wanted *wanted = context;

	if (sock->inode == wanted->inode) {
		wanted->found = *sock;
		wanted->times++;
	}
	return true;
}

static struct pw_sock find(int family, int fd)
{
	struct wanted wanted = {};
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	wanted.inode = st.st_ino;
	assert_int_equal(pw_sockdiag_list(family, family == AF_UNIX ? 0 : IPPROTO_TCP, take, &wanted), 0);
	assert_int_equal(wanted.times, 1);
	return wanted.found;
}

static int listen_on(int family, struct sockaddr_storage *address, socklen_t *size)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (family == AF_INET)
		assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	else if (bind(fd, (struct sockaddr *)&in6, sizeof(in6)) < 0) {
		close(fd);
		return -1; /* this machine has no IPv6 */
	}
	assert_int_equal(listen(fd, 4), 0);
	*size = sizeof(*address);
	assert_int_equal(getsockname(fd, (struct sockaddr *)address, size), 0);
	return fd;
}

static void check_tcp(int family)
{
	struct sockaddr_storage address;
	socklen_t size;
	int listener = listen_on(family, &address, &size), client, server;

	if (listener < 0)
		return;
	client = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, size), 0);
	server = accept(listener, NULL, NULL);
	assert_true(server >= 0);
	assert_int_equal(find(family, listener).state, PW_SOCK_LISTEN);
	assert_true(find(family, listener).received_ms == UINT32_MAX);
	assert_int_equal(find(family, server).state, PW_SOCK_ESTABLISHED);
	usleep(300000);
	assert_true(find(family, server).received_ms >= 200); /* since it was connected */
	assert_true(find(family, server).received_ms < 60000);
	assert_int_equal(write(client, "x", 1), 1);
	assert_true(find(family, server).received_ms < 200 + 300);
	close(client);
	for (int i = 0; i < 100 && find(family, server).state != PW_SOCK_CLOSED_BY_PEER; i++)
		usleep(10000);
	assert_int_equal(find(family, server).state, PW_SOCK_CLOSED_BY_PEER);
	close(server);
	close(listener);
}

static void tcp_is_listed_with_what_it_received(void **state)
{
	(void)state;
	check_tcp(AF_INET);
	check_tcp(AF_INET6);
}

/* A connection of more than plain TCP is in a list of its own; its parts may be in the other one, too. */
static void multipath_tcp_is_listed(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP), client, server;
	struct wanted wanted = {};
	socklen_t size = sizeof(address);
	struct stat st;

	(void)state;
	if (listener < 0)
		skip(); /* a kernel without it */
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 4), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
	assert_int_equal(connect(client, (struct sockaddr *)&address, size), 0);
	server = accept(listener, NULL, NULL);
	assert_true(server >= 0);
	assert_int_equal(fstat(server, &st), 0);
	wanted.inode = st.st_ino;
	assert_int_equal(pw_sockdiag_list(AF_INET, IPPROTO_MPTCP, take, &wanted), 0);
	assert_int_equal(wanted.times, 1);
	assert_int_equal(wanted.found.state, PW_SOCK_ESTABLISHED);
	close(client);
	close(server);
	close(listener);
}

static void streams_of_unix_are_closed_when_the_other_side_is_gone(void **state)
{
	int pair[2], datagrams[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, datagrams), 0);
	assert_int_equal(find(AF_UNIX, pair[0]).state, PW_SOCK_ESTABLISHED);
	assert_true(find(AF_UNIX, pair[0]).local);
	assert_int_equal(find(AF_UNIX, datagrams[0]).state, PW_SOCK_OTHER);
	close(pair[1]);
	assert_int_equal(find(AF_UNIX, pair[0]).state, PW_SOCK_CLOSED_BY_PEER);
	close(pair[0]);
	close(datagrams[0]);
	close(datagrams[1]);
}

static bool stop(void *context, const struct pw_sock *sock)
{
	size_t *count = context;

	(void)sock;
	return ++*count < 1;
}

static void a_list_can_be_left(void **state)
{
	int pair[2];
	size_t count = 0;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(pw_sockdiag_list(AF_UNIX, 0, stop, &count), -ECANCELED);
	assert_int_equal(count, 1);
	close(pair[0]);
	close(pair[1]);
}

static void lines_of_proc_are_read(void **state)
{
	struct pw_sock sock;

	(void)state;
	assert_false(pw_sock_parse_line("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   "
					"uid  timeout inode",
					&sock));
	assert_true(
		pw_sock_parse_line("   1: 0100007F:1F90 0100007F:D431 08 00000000:00000001 00:00000000 00000000     "
				   "0        0 53247 1 0000000000000000 20 4 30 10 -1",
				   &sock));
	assert_int_equal(sock.inode, 53247);
	assert_int_equal(sock.state, PW_SOCK_CLOSED_BY_PEER);
	assert_true(sock.received_ms == UINT32_MAX);
	assert_true(
		pw_sock_parse_line("  12: 00000000000000000000000001000000:1F90 "
				   "00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 "
				   "    0        0 7 1 0000000000000000 100 0 0 10 0",
				   &sock));
	assert_int_equal(sock.inode, 7);
	assert_int_equal(sock.state, PW_SOCK_LISTEN);
	/* TIME_WAIT belongs to nobody */
	assert_false(
		pw_sock_parse_line("   2: 0100007F:1F90 0100007F:D431 06 00000000:00000000 03:00000D6A 00000000     "
				   "0        0 0 3 0000000000000000",
				   &sock));
	assert_false(pw_sock_parse_line("", &sock));
	assert_false(pw_sock_parse_line("1: nonsense", &sock));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_is_listed_with_what_it_received),
		cmocka_unit_test(multipath_tcp_is_listed),
		cmocka_unit_test(streams_of_unix_are_closed_when_the_other_side_is_gone),
		cmocka_unit_test(a_list_can_be_left),
		cmocka_unit_test(lines_of_proc_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
