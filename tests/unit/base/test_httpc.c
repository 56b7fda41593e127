/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/httpc.h"
#include "base/time.h"
#include "base/why.h"

/*
 * A server of our own on a local socket: a thread that answers one request with what the test says, or with nothing. A
 * connection without a request is our client's first look at the socket, and is let go.
 */
struct server {
	pthread_t thread;
	int listener;
	const char *answer; /* NULL: none, and the connection stays open until the client has had enough */
	char request[1024];
	unsigned int requests;
};

static char dir[64], path[96];

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/parkwatch-httpc-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/api.sock", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static void serve_one(struct server *server, int fd)
{
	size_t size = 0;
	ssize_t n;

	while (size < sizeof(server->request) - 1 &&
	       (n = recv(fd, server->request + size, sizeof(server->request) - 1 - size, 0)) > 0) {
		size += (size_t)n;
		server->request[size] = '\0';
		if (strstr(server->request, "\r\n\r\n"))
			break;
	}
	if (!size)
		return;
	server->requests++;
	if (server->answer)
		(void)!send(fd, server->answer, strlen(server->answer), MSG_NOSIGNAL);
	else
		while (recv(fd, server->request, 1, 0) > 0)
			;
}

static void *serve(void *context)
{
	struct server *server = context;
	int fd;

	while ((fd = accept(server->listener, NULL, NULL)) >= 0) {
		serve_one(server, fd);
		close(fd);
	}
	return NULL;
}

static int bind_socket(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(strlen(path) < sizeof(address.sun_path));
	memcpy(address.sun_path, path, strlen(path) + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void server_start(struct server *server, const char *answer)
{
	*server = (struct server){.answer = answer, .listener = bind_socket()};
	assert_int_equal(listen(server->listener, 8), 0);
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_stop(struct server *server)
{
	shutdown(server->listener, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->listener);
	unlink(path);
}

static struct pw_why why;
static long status;

static int get(struct pw_buf *body, uint64_t timeout_ns)
{
	why = (struct pw_why){0};
	status = 0;
	return pw_httpc_get_local(path, "/api/v1/ps", timeout_ns, body, &status, &why);
}

static void body_and_status_come_back(void **state)
{
	_cleanup_buf_ struct pw_buf body = PW_BUF_INIT(4096);
	struct server server;

	(void)state;
	server_start(&server, "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"ok\": true}");
	assert_int_equal(get(&body, 10 * PW_NS_PER_SEC), 0);
	server_stop(&server);
	assert_int_equal(status, 200);
	assert_string_equal(pw_buf_text(&body), "{\"ok\": true}");
	assert_int_equal(strncmp(server.request, "GET /api/v1/ps HTTP/1.1\r\n", 25), 0);
	assert_int_equal(server.requests, 1);
}

static void a_refusal_of_the_server_is_no_failure_of_ours(void **state)
{
	_cleanup_buf_ struct pw_buf body = PW_BUF_INIT(4096);
	struct server server;

	(void)state;
	server_start(&server, "HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\nnot found\n");
	assert_int_equal(get(&body, 10 * PW_NS_PER_SEC), 0);
	server_stop(&server);
	assert_int_equal(status, 404);
	assert_string_equal(pw_buf_text(&body), "not found\n");
}

static void an_answer_beyond_the_cap_is_refused(void **state)
{
	_cleanup_buf_ struct pw_buf body = PW_BUF_INIT(8);
	struct server server;
	int r;

	(void)state;
	server_start(&server, "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n0123456789abcdef");
	r = get(&body, 10 * PW_NS_PER_SEC);
	server_stop(&server);
	assert_int_equal(r, -E2BIG);
	assert_non_null(strstr(why.text, "too large"));
	assert_non_null(strstr(why.text, path));
}

static void a_server_that_says_nothing_times_out(void **state)
{
	_cleanup_buf_ struct pw_buf body = PW_BUF_INIT(4096);
	struct server server;
	uint64_t started_ns = pw_now_ns(), took_ns;
	int r;

	(void)state;
	server_start(&server, NULL);
	r = get(&body, 50 * PW_NS_PER_MS);
	took_ns = pw_now_ns() - started_ns;
	server_stop(&server);
	assert_int_equal(r, -ETIMEDOUT);
	assert_true(took_ns >= 45 * PW_NS_PER_MS);
	assert_non_null(strstr(why.text, "does not answer"));
}

static void an_answer_that_breaks_off_is_an_error(void **state)
{
	_cleanup_buf_ struct pw_buf body = PW_BUF_INIT(4096);
	struct server server;
	int r;

	(void)state;
	server_start(&server, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf");
	r = get(&body, 10 * PW_NS_PER_SEC);
	server_stop(&server);
	assert_int_equal(r, -EIO);
	server_start(&server, "this is not HTTP\r\n\r\n");
	r = get(&body, 10 * PW_NS_PER_SEC);
	server_stop(&server);
	assert_int_equal(r, -EIO);
	assert_non_null(strstr(why.text, path));
}

static void nobody_there_says_how_to_start_somebody(void **state)
{
	_cleanup_buf_ struct pw_buf body = PW_BUF_INIT(4096);
	int fd;

	(void)state;
	assert_int_equal(get(&body, PW_NS_PER_SEC), -ENOENT);
	assert_non_null(strstr(why.text, "parkwatch daemon"));
	close(bind_socket()); /* a daemon that was killed leaves this */
	assert_int_equal(get(&body, PW_NS_PER_SEC), -ECONNREFUSED);
	assert_non_null(strstr(why.text, "parkwatch daemon"));
	unlink(path);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600); /* a file is not a socket */
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(get(&body, PW_NS_PER_SEC), -ECONNREFUSED);
	unlink(path);
}

/* Root may always: as nobody, in a child. */
static void a_socket_that_is_closed_to_us_says_so(void **state)
{
	struct server server;
	int ended = -1;
	pid_t child;

	(void)state;
	if (geteuid())
		skip();
	server_start(&server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(chmod(dir, 0755), 0);
	child = fork();
	if (!child) {
		_cleanup_buf_ struct pw_buf body = PW_BUF_INIT(4096);

		if (setgid(65534) || setuid(65534))
			_exit(2);
		_exit(get(&body, PW_NS_PER_SEC) == -EACCES && strstr(why.text, "not open to you") ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &ended, 0), child);
	server_stop(&server);
	assert_true(WIFEXITED(ended));
	assert_int_equal(WEXITSTATUS(ended), 0);
}

static void names_that_are_too_long_are_refused(void **state)
{
	_cleanup_buf_ struct pw_buf body = PW_BUF_INIT(4096);
	struct server server;
	char text[2000];
	int r;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[0] = '/';
	text[200] = '\0';
	assert_int_equal(pw_httpc_get_local(text, "/", PW_NS_PER_SEC, &body, &status, &why), -ENAMETOOLONG);
	text[200] = 'x';
	text[sizeof(text) - 1] = '\0';
	server_start(&server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	r = pw_httpc_get_local(path, text, PW_NS_PER_SEC, &body, &status, &why);
	server_stop(&server);
	assert_int_equal(r, -EINVAL); /* not cut, and asked for something else */
	assert_int_equal(server.requests, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(body_and_status_come_back),
		cmocka_unit_test(a_refusal_of_the_server_is_no_failure_of_ours),
		cmocka_unit_test(an_answer_beyond_the_cap_is_refused),
		cmocka_unit_test(a_server_that_says_nothing_times_out),
		cmocka_unit_test(an_answer_that_breaks_off_is_an_error),
		cmocka_unit_test(nobody_there_says_how_to_start_somebody),
		cmocka_unit_test(a_socket_that_is_closed_to_us_says_so),
		cmocka_unit_test(names_that_are_too_long_are_refused),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
