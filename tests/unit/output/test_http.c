/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/httpc.h"
#include "base/time.h"
#include "base/why.h"
#include "model/builder.h"
#include "model/profile.h"
#include "model/record.h"
#include "output/http.h"
#include "output/publish.h"
#include "support/records.h"
#include "unit/output/sample.h"

static struct pw_board *board;
static struct pw_http *http;
static char dir[] = "/tmp/parkwatch-http-XXXXXX", path[64];

/* Stands for that of the daemon. */
static void diagnose(struct pw_profile *profile)
{
	for (size_t i = 0; i < profile->group_count; i++) {
		snprintf(profile->groups[i].diagnosis.rule, sizeof(profile->groups[i].diagnosis.rule), "PW-D05");
		profile->groups[i].diagnosis.verdict = PW_VERDICT_LIKELY;
	}
}

static int setup(void **state)
{
	struct pw_why why = {0};

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/parkwatch-http-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/run/api.sock", dir); /* its parent is made */
	assert_int_equal(pw_board_new(&board), 0);
	assert_int_equal(pw_http_start(&http, board, "127.0.0.1:0", path, diagnose, &why), 0);
	return 0;
}

static int teardown(void **state)
{
	char parent[80];

	(void)state;
	pw_http_stop(http);
	pw_board_free(board);
	assert_int_equal(access(path, F_OK), -1); /* the socket went with the server */
	snprintf(parent, sizeof(parent), "%s/run", dir);
	rmdir(parent);
	rmdir(dir);
	return 0;
}

static void publish(uint64_t ticks)
{
	struct pw_health health = {.ticks = ticks, .attach_method = "", .budget_percent = -1};
	struct pw_published *published = NULL;

	assert_int_equal(pw_published_new(&published, NULL, 0, NULL, 0, &health, 10, 1, 1), 0);
	pw_board_put(board, published);
}

/* One request over TCP as it is written; the whole answer. */
static const char *ask(const char *request)
{
	static char answer[1U << 20];
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(pw_http_port(http)),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	size_t size = 0;
	ssize_t n;

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
	while ((n = recv(fd, answer + size, sizeof(answer) - 1 - size, 0)) > 0)
		size += (size_t)n;
	close(fd);
	answer[size] = '\0';
	return answer;
}

#define GET(url) "GET " url " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

static void before_the_first_tick_nothing_is_ready_but_all_is_healthy(void **state)
{
	(void)state;
	assert_non_null(strstr(ask(GET("/-/healthy")), " 200 "));
	assert_non_null(strstr(ask(GET("/-/ready")), " 503 "));
	assert_non_null(strstr(ask(GET("/metrics")), " 503 "));
	publish(1);
	pw_http_set_ready(http, true);
	assert_non_null(strstr(ask(GET("/-/ready")), " 200 "));
	assert_non_null(strstr(ask(GET("/metrics")), " 200 "));
}

static void every_path_has_its_type(void **state)
{
	(void)state;
	publish(3);
	assert_non_null(strstr(ask(GET("/metrics")), "Content-Type: text/plain; version=0.0.4; charset=utf-8"));
	assert_non_null(strstr(ask(GET("/metrics")), "\nparkwatch_ticks_total 3\n"));
	assert_non_null(strstr(ask("GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAccept: "
				   "application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n\r\n"),
			       "Content-Type: application/openmetrics-text; version=1.0.0"));
	assert_non_null(strstr(ask(GET("/")), "text/html"));
	assert_non_null(strstr(ask(GET("/api/v1/ps")), "\"schema_version\": 1"));
	assert_non_null(strstr(ask(GET("/api/v1/alerts")), "\"alerts\": []"));
	assert_non_null(strstr(ask(GET("/api/v1/ps?format=text")), "no Go processes found"));
	assert_non_null(strstr(ask(GET("/nothing")), " 404 "));
	assert_non_null(strstr(ask(GET("/../../etc/passwd")), " 404 "));
}

static void goroutines_are_shown_with_runs_and_a_reading(void **state)
{
	static struct program_statement statement = {.gopc = 0x1000,
						     .function = "main.handle",
						     .file = "/src/server.go",
						     .line = 9,
						     .reason = "chan send",
						     .runs_each = 5};
	struct program_statement *statements[] = {&statement};
	struct program program = {.target_id = 3,
				  .epoch_ns = 100 * PW_NS_PER_SEC,
				  .statements = statements,
				  .count = 1,
				  .snapshots = true,
				  .snapshot_second = 40,
				  .snapshot_elapsed_seconds = 10};
	struct pw_health health = {.ticks = 1, .attach_method = "", .budget_percent = -1};
	struct pw_published *published = NULL;
	struct pw_record_builder *builder;
	struct pw_record *record;
	const char *answer;

	(void)state;
	program_spawn(&statement, 5, 12);
	assert_int_equal(pw_record_builder_new(&builder), 0);
	record = program_record(&program, builder, 43);
	assert_int_equal(pw_published_new(&published, &record, 1, NULL, 0, &health, 10, 1, 1), 0);
	pw_board_put(board, published);
	answer = ask(GET("/api/v1/goroutines?pid=4711"));
	assert_non_null(strstr(answer, " 200 "));
	assert_non_null(strstr(answer, "\"count\": 12"));
	assert_non_null(strstr(answer, "\"runs\": 6,"));
	assert_non_null(strstr(answer, "\"rule\": \"PW-D05\""));
	assert_non_null(strstr(answer, "\"verdict\": \"likely\""));
	assert_non_null(strstr(ask(GET("/api/v1/goroutines?pid=4712")), " 404 "));
	pw_record_unref(record);
	pw_record_builder_free(builder);
}

static void only_reading_is_allowed_and_nonsense_is_refused(void **state)
{
	char *huge = calloc(1, 64U << 10);

	(void)state;
	publish(1);
	assert_non_null(strstr(
		ask("POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), " 405 "));
	assert_null(strstr(ask("HEAD /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), "parkwatch_ticks"));
	ask("\x16\x03\x01\r\n\r\n");
	snprintf(huge, 64U << 10, "GET /");
	memset(huge + 5, 'a', 40U << 10);
	strcpy(huge + 5 + (40U << 10), " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	assert_null(strstr(ask(huge), " 200 "));
	free(huge);
	assert_non_null(strstr(ask(GET("/-/healthy")), " 200 ")); /* still there */
}

static void the_local_socket_answers_the_client(void **state)
{
	_cleanup_buf_ struct pw_buf body = PW_BUF_INIT(1U << 20);
	struct pw_why why = {0};
	struct stat status;
	long code = 0;

	(void)state;
	publish(1);
	assert_int_equal(lstat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0660);
	assert_int_equal(pw_httpc_get_local(path, "/api/v1/alerts", PW_NS_PER_SEC, &body, &code, &why), 0);
	assert_int_equal(code, 200);
	assert_non_null(strstr(pw_buf_text(&body), "\"alerts\": []"));
}

static void nobody_there_and_too_large_are_told_apart(void **state)
{
	_cleanup_buf_ struct pw_buf body = PW_BUF_INIT(16);
	struct pw_why why = {0};
	long code = 0;

	(void)state;
	publish(1);
	assert_int_equal(pw_httpc_get_local("/nonexistent", "/", PW_NS_PER_SEC, &body, &code, &why), -ENOENT);
	assert_int_equal(pw_httpc_get_local(path, "/metrics", PW_NS_PER_SEC, &body, &code, &why), -E2BIG);
}

static void a_second_daemon_does_not_take_the_socket(void **state)
{
	struct pw_http *second = NULL;
	struct pw_why why = {0};

	(void)state;
	assert_int_equal(pw_http_start(&second, board, "", path, NULL, &why), -EADDRINUSE);
	assert_non_null(strstr(why.text, "another parkwatch daemon"));
	assert_int_equal(access(path, F_OK), 0);
	assert_true(pw_http_start(&second, board, "127.0.0.1:99999", "", NULL, &why) < 0);
	assert_true(pw_http_start(&second, board, "192.0.2.1:1", "", NULL, &why) < 0); /* not ours */
}

static void *scrape(void *context)
{
	(void)context;
	for (int i = 0; i < 200; i++) {
		struct pw_published *published = pw_board_get(board);
		const char *text;
		size_t size;

		assert_int_equal(pw_published_page(published, i % 2 ? PW_PAGE_METRICS : PW_PAGE_PS_JSON, &text, &size),
				 0);
		assert_int_equal(strlen(text), size);
		pw_published_unref(published);
	}
	return NULL;
}

static void pictures_are_swapped_under_readers(void **state)
{
	pthread_t threads[4];

	(void)state;
	publish(0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, scrape, NULL), 0);
	for (uint64_t i = 1; i < 200; i++)
		publish(i);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
}

/* More of them than there are places: each holds its place for as long as a request may be silent. */
static void half_a_request_holds_up_nobody_for_long(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(pw_http_port(http)),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	static const char half[] = "GET /metrics HTTP/1.1\r\nHost: a\r\n";
	int fds[70];
	uint64_t start_ns;

	(void)state;
	publish(1);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(fds[i], (struct sockaddr *)&address, sizeof(address)), 0);
		assert_true(send(fds[i], half, strlen(half), MSG_NOSIGNAL) > 0);
	}
	start_ns = pw_now_ns();
	assert_non_null(strstr(ask("GET /metrics HTTP/1.0\r\n\r\n"), "200 OK"));
	assert_true(pw_now_ns() - start_ns < 5 * PW_NS_PER_SEC);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(before_the_first_tick_nothing_is_ready_but_all_is_healthy),
		TEST(every_path_has_its_type),
		TEST(goroutines_are_shown_with_runs_and_a_reading),
		TEST(only_reading_is_allowed_and_nonsense_is_refused),
		TEST(the_local_socket_answers_the_client),
		TEST(nobody_there_and_too_large_are_told_apart),
		TEST(a_second_daemon_does_not_take_the_socket),
		TEST(half_a_request_holds_up_nobody_for_long),
		TEST(pictures_are_swapped_under_readers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
