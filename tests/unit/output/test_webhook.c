/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/json_read.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/time.h"
#include "base/why.h"
#include "model/alert.h"
#include "output/webhook.h"
#include "output/webhook_body.h"

/* A receiver of our own: a thread that answers each POST with the next of some statuses and keeps the bodies. */
#define BODIES_MAX 1024
#define GARBAGE	   (-1) /* instead of a status: bytes that are no HTTP */
#define CUT_OFF	   (-2) /* an answer that ends before it said it would */
#define SILENCE	   (-3) /* none at all */
#define WAIT_NS	   (20 * PW_NS_PER_SEC)

struct receiver {
	pthread_t thread;
	int listener;
	uint16_t port;
	pthread_mutex_t lock;
	int statuses[BODIES_MAX]; /* 0: 200 */
	char *bodies[BODIES_MAX];
	char head[4096]; /* of the last request */
	size_t count;
};

static char dir[64];

static int make_dir(void **state)
{
	(void)state;
	pw_log_set_level(PW_LOG_ERR);
	snprintf(dir, sizeof(dir), "/tmp/parkwatch-webhook-XXXXXX");
	assert_non_null(mkdtemp(dir));
	return 0;
}

static int remove_dir(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void answer(struct receiver *receiver, int fd)
{
	char *request = calloc(1, 1 << 17), *body = NULL, *length, text[128];
	size_t size = 0, wanted = SIZE_MAX;
	ssize_t n;
	int status;

	while (size < wanted && (n = recv(fd, request + size, (1 << 17) - 1 - size, 0)) > 0) {
		size += (size_t)n;
		body = strstr(request, "\r\n\r\n");
		if (!body)
			continue;
		body += 4;
		length = strcasestr(request, "content-length:");
		wanted = (size_t)(body - request) + (length ? strtoul(length + 15, NULL, 10) : 0);
	}
	if (!body) {
		free(request);
		return;
	}
	pthread_mutex_lock(&receiver->lock);
	assert_true(receiver->count < BODIES_MAX);
	status = receiver->statuses[receiver->count] ?: 200;
	receiver->bodies[receiver->count++] = strdup(body);
	snprintf(receiver->head, sizeof(receiver->head), "%.*s", (int)(body - request), request);
	pthread_mutex_unlock(&receiver->lock);
	if (status == GARBAGE)
		n = snprintf(text, sizeof(text), "\x01\xff\xfe%%n%%s\r\n\r\n{]");
	else if (status == CUT_OFF)
		n = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nhalf");
	else if (status == SILENCE)
		n = 0;
	else
		n = snprintf(text, sizeof(text), "HTTP/1.1 %d x\r\nContent-Length: 4\r\nConnection: close\r\n\r\nword",
			     status);
	(void)!send(fd, text, (size_t)n, MSG_NOSIGNAL);
	free(request);
}

static void *receive(void *context)
{
	struct receiver *receiver = context;
	int fd;

	while ((fd = accept(receiver->listener, NULL, NULL)) >= 0) {
		answer(receiver, fd);
		close(fd);
	}
	return NULL;
}

/* port 0: any */
static void receiver_start(struct receiver *receiver, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	socklen_t size = sizeof(address);
	int one = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	pthread_mutex_init(&receiver->lock, NULL);
	receiver->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(receiver->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(receiver->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(receiver->listener, 16), 0);
	assert_int_equal(getsockname(receiver->listener, (struct sockaddr *)&address, &size), 0);
	receiver->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&receiver->thread, NULL, receive, receiver), 0);
}

static void receiver_stop(struct receiver *receiver)
{
	shutdown(receiver->listener, SHUT_RDWR);
	pthread_join(receiver->thread, NULL);
	close(receiver->listener);
	for (size_t i = 0; i < receiver->count; i++)
		free(receiver->bodies[i]);
}

static size_t received(struct receiver *receiver)
{
	size_t count;

	pthread_mutex_lock(&receiver->lock);
	count = receiver->count;
	pthread_mutex_unlock(&receiver->lock);
	return count;
}

static void wait_received(struct receiver *receiver, size_t count)
{
	uint64_t end_ns = pw_now_ns() + WAIT_NS;

	while (received(receiver) < count) {
		assert_true(pw_now_ns() < end_ns);
		usleep(1000);
	}
}

static struct pw_sink_stats stats_of(struct pw_webhook *webhook)
{
	struct pw_sink_stats stats;

	pw_webhook_stats(webhook, &stats);
	return stats;
}

static void wait_done(struct pw_webhook *webhook, uint64_t delivered, uint64_t dropped)
{
	uint64_t end_ns = pw_now_ns() + WAIT_NS;
	struct pw_sink_stats stats;

	while (stats = stats_of(webhook), stats.delivered < delivered || stats.dropped < dropped || stats.waiting) {
		assert_true(pw_now_ns() < end_ns);
		usleep(1000);
	}
	assert_int_equal(stats.delivered, delivered);
	assert_int_equal(stats.dropped, dropped);
}

static struct pw_webhook *webhook_to(uint16_t port, enum pw_webhook_format format)
{
	struct pw_webhook_config config = {.format = format, .timeout_ns = 5 * PW_NS_PER_SEC};
	struct pw_webhook *webhook = NULL;
	struct pw_why why = {0};

	snprintf(config.url, sizeof(config.url), "http://127.0.0.1:%u%s", port,
		 format == PW_WEBHOOK_JSON ? "/hook?secret=1" : "");
	assert_int_equal(pw_webhook_new(&webhook, &config, dir, 10, &why), 0);
	return webhook;
}

static struct pw_alert sample(const char *id)
{
	struct pw_alert alert = {.rule = "PW-G08",
				 .level = PW_LEVEL_WARNING,
				 .state = PW_ALERT_FIRING,
				 .confidence = "suspected",
				 .service = "shop",
				 .process = "orders",
				 .pid = 42,
				 .onset_wall_ns = 1700000000ULL * PW_NS_PER_SEC,
				 .fired_wall_ns = 1700000060ULL * PW_NS_PER_SEC,
				 .statement = {.function = "main.serve", .file = "/src/main.go", .line = 17},
				 .text = "432 goroutines \"wait\"",
				 .baseline = -1,
				 .creation_count = 1,
				 .creation = {{.function = "main.main", .file = "/src/main.go", .line = 9}}};

	snprintf(alert.id, sizeof(alert.id), "%s", id);
	return alert;
}

static void a_transition_arrives_with_its_evidence(void **state)
{
	struct receiver receiver = {0};
	struct pw_alert alert = sample("one");
	struct pw_webhook *webhook;

	(void)state;
	receiver_start(&receiver, 0);
	webhook = webhook_to(receiver.port, PW_WEBHOOK_JSON);
	pw_webhook_tell(webhook, &alert);
	wait_done(webhook, 1, 0);
	assert_non_null(strstr(receiver.head, "POST /hook?secret=1 HTTP/1.1"));
	assert_non_null(strcasestr(receiver.head, "content-type: application/json"));
	assert_non_null(strstr(receiver.bodies[0], "\"schema_version\":2"));
	assert_non_null(strstr(receiver.bodies[0], "\"id\":\"one\""));
	assert_non_null(strstr(receiver.bodies[0], "432 goroutines \\\"wait\\\""));
	assert_true(stats_of(webhook).ok);
	pw_webhook_free(webhook);
	receiver_stop(&receiver);
}

static void an_outage_loses_nothing_and_keeps_the_order(void **state)
{
	struct receiver receiver = {.statuses = {503, 429}};
	struct pw_alert one = sample("one"), two = sample("two");
	struct pw_webhook *webhook;

	(void)state;
	receiver_start(&receiver, 0);
	webhook = webhook_to(receiver.port, PW_WEBHOOK_JSON);
	pw_webhook_tell(webhook, &one);
	pw_webhook_tell(webhook, &two);
	wait_done(webhook, 2, 0);
	assert_int_equal(receiver.count, 4);
	assert_non_null(strstr(receiver.bodies[0], "\"id\":\"one\""));
	assert_non_null(strstr(receiver.bodies[1], "\"id\":\"one\""));
	assert_non_null(strstr(receiver.bodies[2], "\"id\":\"one\""));
	assert_non_null(strstr(receiver.bodies[3], "\"id\":\"two\""));
	assert_int_equal(stats_of(webhook).failed_tries, 2);
	pw_webhook_free(webhook);
	receiver_stop(&receiver);
}

/* What is no answer is no "taken": it is tried again until there is one. */
static void garbage_for_an_answer_is_a_try_that_failed(void **state)
{
	struct receiver receiver = {.statuses = {GARBAGE, CUT_OFF}};
	struct pw_alert one = sample("one"), two = sample("two");
	struct pw_webhook *webhook;

	(void)state;
	receiver_start(&receiver, 0);
	webhook = webhook_to(receiver.port, PW_WEBHOOK_JSON);
	pw_webhook_tell(webhook, &one);
	pw_webhook_tell(webhook, &two);
	wait_done(webhook, 2, 0);
	assert_true(receiver.count >= 3);
	assert_true(stats_of(webhook).failed_tries >= 1);
	assert_non_null(strstr(receiver.bodies[0], "\"id\":\"one\""));
	assert_non_null(strstr(receiver.bodies[receiver.count - 1], "\"id\":\"two\""));
	pw_webhook_free(webhook);
	receiver_stop(&receiver);
}

static void silence_is_one_too(void **state)
{
	struct receiver receiver = {.statuses = {SILENCE}};
	struct pw_alert one = sample("one");
	struct pw_webhook *webhook;

	(void)state;
	receiver_start(&receiver, 0);
	webhook = webhook_to(receiver.port, PW_WEBHOOK_JSON);
	pw_webhook_tell(webhook, &one);
	wait_done(webhook, 1, 0);
	assert_int_equal(receiver.count, 2);
	assert_int_equal(stats_of(webhook).failed_tries, 1);
	pw_webhook_free(webhook);
	receiver_stop(&receiver);
}

/* An hour in which the receiver is away: some sixty tries, and whatever was told meanwhile, here one alert in six
 * seconds, is on disk and arrives in order when it is back, once each. */
static void an_outage_of_an_hour_loses_nothing(void **state)
{
	enum { TOLD = 600 };
	struct receiver *receiver = calloc(1, sizeof(*receiver));
	struct pw_webhook_config config = {.format = PW_WEBHOOK_JSON, .timeout_ns = 5 * PW_NS_PER_SEC};
	struct pw_webhook *webhook = NULL;
	struct pw_why why = {0};
	uint64_t waited_ns = 0, end_ns = pw_now_ns() + WAIT_NS;
	unsigned int tries = 0;
	char id[24];

	(void)state;
	while (waited_ns < 3600 * PW_NS_PER_SEC)
		waited_ns += pw_webhook_backoff_ns(++tries);
	assert_in_range(tries, 60, 70);

	receiver_start(receiver, 0);
	snprintf(config.url, sizeof(config.url), "http://127.0.0.1:%u/hook", receiver->port);
	receiver_stop(receiver); /* nobody listens there */
	assert_int_equal(pw_webhook_new(&webhook, &config, dir, 1000, &why), 0);
	for (unsigned int i = 0; i < TOLD; i++) {
		struct pw_alert alert;

		snprintf(id, sizeof(id), "alert-%u", i);
		alert = sample(id);
		pw_webhook_tell(webhook, &alert);
		while (stats_of(webhook).waiting < i + 1) { /* the inbox is small, the queue is not */
			assert_true(pw_now_ns() < end_ns);
			usleep(200);
		}
	}
	while (stats_of(webhook).in_memory) {
		assert_true(pw_now_ns() < end_ns);
		usleep(1000);
	}
	assert_int_equal(stats_of(webhook).dropped, 0);
	pw_webhook_free(webhook); /* and a restart of ours in the middle of it */

	*receiver = (struct receiver){.port = receiver->port};
	receiver_start(receiver, receiver->port);
	webhook = NULL;
	assert_int_equal(pw_webhook_new(&webhook, &config, dir, 1000, &why), 0);
	wait_done(webhook, TOLD, 0);
	assert_int_equal(receiver->count, TOLD);
	for (unsigned int i = 0; i < TOLD; i++) {
		snprintf(id, sizeof(id), "\"alert-%u\"", i);
		assert_non_null(strstr(receiver->bodies[i], id));
	}
	pw_webhook_free(webhook);
	receiver_stop(receiver);
	free(receiver);
}

static void what_waits_is_delivered_after_a_restart(void **state)
{
	struct receiver receiver = {0};
	struct pw_alert alert = sample("one");
	struct pw_webhook *webhook;
	uint64_t end_ns = pw_now_ns() + WAIT_NS;
	uint16_t port;

	(void)state;
	receiver_start(&receiver, 0); /* a port that nobody has */
	port = receiver.port;
	receiver_stop(&receiver);
	webhook = webhook_to(port, PW_WEBHOOK_ALERTMANAGER);
	pw_webhook_tell(webhook, &alert);
	while (!stats_of(webhook).failed_tries)
		assert_true(pw_now_ns() < end_ns);
	assert_false(stats_of(webhook).ok);
	pw_webhook_free(webhook);
	receiver = (struct receiver){0};
	receiver_start(&receiver, port);
	webhook = webhook_to(port, PW_WEBHOOK_ALERTMANAGER);
	wait_done(webhook, 1, 0);
	assert_non_null(strstr(receiver.head, "POST /api/v2/alerts HTTP/1.1"));
	pw_webhook_free(webhook);
	receiver_stop(&receiver);
}

static void what_is_refused_for_good_is_dropped_and_counted(void **state)
{
	struct receiver receiver = {.statuses = {400}};
	struct pw_alert one = sample("one"), two = sample("two");
	struct pw_webhook *webhook;

	(void)state;
	receiver_start(&receiver, 0);
	webhook = webhook_to(receiver.port, PW_WEBHOOK_JSON);
	pw_webhook_tell(webhook, &one);
	pw_webhook_tell(webhook, &two);
	wait_done(webhook, 1, 1);
	assert_int_equal(receiver.count, 2);
	pw_webhook_free(webhook);
	receiver_stop(&receiver);
}

static void alertmanager_is_told_again_what_fires(void **state)
{
	struct receiver receiver = {0};
	struct pw_alert alert = sample("one");
	struct pw_webhook *webhook;

	(void)state;
	receiver_start(&receiver, 0);
	webhook = webhook_to(receiver.port, PW_WEBHOOK_ALERTMANAGER);
	pw_webhook_current(webhook, &alert, 1);
	pw_webhook_tell(webhook, &alert); /* wakes it: nothing was ever repeated, so it is time */
	wait_received(&receiver, 2);
	assert_string_equal(receiver.bodies[0], receiver.bodies[1]);
	pw_webhook_free(webhook);
	receiver_stop(&receiver);
}

static void the_end_breaks_a_try_off(void **state)
{
	struct pw_alert alert = sample("one");
	struct receiver silent = {0};
	struct pw_webhook_config config = {.format = PW_WEBHOOK_JSON, .timeout_ns = 30 * PW_NS_PER_SEC};
	struct pw_webhook *webhook = NULL;
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	struct pw_why why = {0};
	uint64_t start_ns;
	int fd;

	(void)state;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	silent.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(silent.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(silent.listener, 1), 0);
	assert_int_equal(getsockname(silent.listener, (struct sockaddr *)&address, &size), 0);
	snprintf(config.url, sizeof(config.url), "http://127.0.0.1:%u/", ntohs(address.sin_port));
	assert_int_equal(pw_webhook_new(&webhook, &config, NULL, 10, &why), 0);
	pw_webhook_tell(webhook, &alert);
	fd = accept(silent.listener, NULL, NULL); /* it has connected, and waits for an answer */
	start_ns = pw_now_ns();
	pw_webhook_free(webhook);
	assert_true(pw_now_ns() - start_ns < 10 * PW_NS_PER_SEC);
	close(fd);
	close(silent.listener);
}

static void tries_come_later_and_later(void **state)
{
	(void)state;
	assert_int_equal(pw_webhook_backoff_ns(0), 0);
	assert_int_equal(pw_webhook_backoff_ns(1), PW_NS_PER_SEC);
	assert_int_equal(pw_webhook_backoff_ns(2), 2 * PW_NS_PER_SEC);
	assert_int_equal(pw_webhook_backoff_ns(6), 32 * PW_NS_PER_SEC);
	assert_int_equal(pw_webhook_backoff_ns(7), 60 * PW_NS_PER_SEC);
	assert_int_equal(pw_webhook_backoff_ns(UINT32_MAX), 60 * PW_NS_PER_SEC);
}

static void a_name_shows_no_secret(void **state)
{
	struct pw_webhook_config config = {.url = "https://user:pass@hooks.example.org:8443/services/T0/B0?key=1"};
	char name[96];

	(void)state;
	pw_webhook_name(&config, name, sizeof(name));
	assert_string_equal(name, "alertmanager https://hooks.example.org:8443");
	config = (struct pw_webhook_config){.url = "http://am", .format = PW_WEBHOOK_JSON};
	pw_webhook_name(&config, name, sizeof(name));
	assert_string_equal(name, "json http://am");
}

static void alertmanagers_labels_stay_the_same_and_only_the_end_has_an_end(void **state)
{
	_cleanup_buf_ struct pw_buf firing = PW_BUF_INIT(1 << 16), resolved = PW_BUF_INIT(1 << 16);
	struct pw_alert alert = sample("one");
	const char *labels;

	(void)state;
	pw_webhook_body(&firing, PW_WEBHOOK_ALERTMANAGER, "host", &alert, 1);
	assert_int_equal(pw_buf_error(&firing), 0);
	alert.state = PW_ALERT_RESOLVED;
	alert.resolved_wall_ns = 1700000120ULL * PW_NS_PER_SEC;
	alert.parked = 7;
	snprintf(alert.text, sizeof(alert.text), "other words");
	pw_webhook_body(&resolved, PW_WEBHOOK_ALERTMANAGER, "host", &alert, 1);
	labels = strstr(pw_buf_text(&firing), "\"labels\"");
	assert_non_null(labels);
	assert_memory_equal(labels, strstr(pw_buf_text(&resolved), "\"labels\""), strcspn(labels, "}"));
	assert_non_null(strstr(labels, "\"alertname\":\"PW-G08\""));
	assert_non_null(strstr(labels, "\"severity\":\"warning\""));
	assert_non_null(strstr(pw_buf_text(&firing), "\"startsAt\":\"2023-11-14T22:13:20.000Z\""));
	assert_null(strstr(pw_buf_text(&firing), "endsAt"));
	assert_non_null(strstr(pw_buf_text(&resolved), "\"endsAt\":\"2023-11-14T22:15:20.000Z\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_transition_arrives_with_its_evidence, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(an_outage_loses_nothing_and_keeps_the_order, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(garbage_for_an_answer_is_a_try_that_failed, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(silence_is_one_too, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(an_outage_of_an_hour_loses_nothing, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(what_waits_is_delivered_after_a_restart, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(what_is_refused_for_good_is_dropped_and_counted, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(alertmanager_is_told_again_what_fires, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(the_end_breaks_a_try_off, make_dir, remove_dir),
		cmocka_unit_test(tries_come_later_and_later),
		cmocka_unit_test(a_name_shows_no_secret),
		cmocka_unit_test(alertmanagers_labels_stay_the_same_and_only_the_end_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
