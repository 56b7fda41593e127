/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/http.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/parse.h"
#include "base/why.h"
#include "model/ages.h"
#include "model/profile.h"
#include "model/profile_record.h"
#include "output/profile.h"
#include "output/publish.h"

/*
 * libmicrohttpd, and nobody else knows it. A reply's body belongs to a published picture: the response holds a
 * reference until its last byte is sent, so that a slow reader never makes us copy and never sees half of the next
 * picture.
 */
#define CONNECTIONS_MAX	     64
#define CONNECTION_BYTES     (16U << 10) /* request line and headers; more is refused by the library */
#define REQUEST_SECONDS	     2	/* of silence between requests or amid one: nobody else is held up for longer */
#define RESPONSE_SECONDS     10 /* of silence of who reads the answer */
#define THREAD_STACK_BYTES   (256U << 10)
#define GOROUTINES_BYTES_MAX (64U << 20)
#define ALERT_BYTES_MAX	     (1U << 20)
#define NO_STACKS	     "no stacks of that process have been read yet\n"

struct pw_http {
	struct pw_board *board; /* borrowed; locks itself */
	void (*diagnose)(struct pw_profile *profile);
	struct MHD_Daemon *tcp, *local;
	char socket_path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	dev_t socket_dev; /* of the socket file that we made: another one is left alone */
	ino_t socket_inode;
	uint16_t port;
	atomic_bool ready;
};

static const struct route {
	const char *path;
	enum pw_page page;
	const char *type;
} routes[] = {
	{"/", PW_PAGE_INDEX, "text/html; charset=utf-8"},
	{"/metrics", PW_PAGE_METRICS, "text/plain; version=0.0.4; charset=utf-8"},
	{"/api/v1/ps", PW_PAGE_PS_JSON, "application/json"},
	{"/api/v1/gc", PW_PAGE_GC_JSON, "application/json"},
	{"/api/v1/memory", PW_PAGE_MEMORY_JSON, "application/json"},
	{"/api/v1/alerts", PW_PAGE_ALERTS_JSON, "application/json"},
	{"/api/v1/rules", PW_PAGE_RULES_JSON, "application/json"},
	{"/api/v1/deaths", PW_PAGE_DEATHS_JSON, "application/json"},
};
static const struct route openmetrics = {"/metrics", PW_PAGE_OPENMETRICS,
					 "application/openmetrics-text; version=1.0.0; charset=utf-8"};
static const struct route texts[] = {
	{"/api/v1/ps", PW_PAGE_PS_TEXT, "text/plain; charset=utf-8"},
	{"/api/v1/ps", PW_PAGE_PS_TEXT_SITES, "text/plain; charset=utf-8"},
	{"/api/v1/alerts", PW_PAGE_ALERTS_TEXT, "text/plain; charset=utf-8"},
	{"/api/v1/alerts", PW_PAGE_ALERTS_TEXT_ALL, "text/plain; charset=utf-8"},
	{"/api/v1/rules", PW_PAGE_RULES_TEXT, "text/plain; charset=utf-8"},
};

static enum MHD_Result send_response(struct MHD_Connection *connection, unsigned int status, const char *type,
				     struct MHD_Response *response)
{
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned int status, const char *text)
{
	return send_response(
		connection, status, "text/plain; charset=utf-8",
		MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT));
}

/* The body is a page of a picture; the reference is dropped when the library is done with it. */
struct body {
	struct pw_published *published;
	const char *text;
	size_t size;
};

static void body_free(void *context)
{
	struct body *body = context;

	pw_published_unref(body->published);
	free(body);
}

/* Takes body over; its text is sent from where it is. */
static struct MHD_Response *body_response(struct body *body)
{
	struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
		body->size, (void *)(uintptr_t)body->text, body_free, body);

	if (!response)
		body_free(body);
	return response;
}

static enum MHD_Result send_page(struct pw_http *http, struct MHD_Connection *connection, const struct route *route)
{
	struct body *body = calloc(1, sizeof(*body));
	int r;

	if (!body)
		return MHD_NO;
	body->published = pw_board_get(http->board);
	if (!body->published) {
		free(body);
		return send_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "starting: nothing observed yet\n");
	}
	r = pw_published_page(body->published, route->page, &body->text, &body->size);
	if (r < 0) {
		body_free(body);
		return send_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR,
				 r == -E2BIG ? "the page is larger than its cap\n" : "out of memory\n");
	}
	return send_response(connection, MHD_HTTP_OK, route->type, body_response(body));
}

/* ?pid=N: what the last snapshot of that process knows of the ages of its goroutines (model/ages.h). */
static enum MHD_Result send_ages(struct pw_http *http, struct MHD_Connection *connection, int pid)
{
	const struct pw_ages_image *image;
	struct body *body;

	body = calloc(1, sizeof(*body));
	if (!body)
		return MHD_NO;
	body->published = pw_board_get(http->board);
	image = body->published ? pw_published_ages(body->published, pid) : NULL;
	if (!image) {
		body_free(body);
		return send_text(connection, MHD_HTTP_NOT_FOUND, NO_STACKS);
	}
	body->text = image->bytes;
	body->size = image->size;
	return send_response(connection, MHD_HTTP_OK, "application/octet-stream", body_response(body));
}

/* ?pid=N: the goroutine profile of that process by its last snapshot, as `parkwatch goroutines --json` writes it. */
static enum MHD_Result send_goroutines(struct pw_http *http, struct MHD_Connection *connection, int pid)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(GOROUTINES_BYTES_MAX);
	struct pw_published *published = pw_board_get(http->board);
	const struct pw_record *record = published ? pw_published_record(published, pid) : NULL;
	struct pw_profile *profile = NULL;
	int r = record ? pw_profile_from_record(record, &profile) : -ENODATA;
	size_t size;
	char *text;

	if (r >= 0 && http->diagnose)
		http->diagnose(profile);
	if (r >= 0)
		r = pw_profile_write_json(&out, profile);
	pw_profile_free(profile);
	pw_published_unref(published);
	if (r == -ENODATA)
		return send_text(connection, MHD_HTTP_NOT_FOUND, NO_STACKS);
	text = r < 0 ? NULL : pw_buf_take(&out, &size);
	if (!text)
		return send_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
	return send_response(connection, MHD_HTTP_OK, "application/json",
			     MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE));
}

/* ?id=ID: one alert, as JSON or (format=text) as `parkwatch alerts show` prints it. */
static enum MHD_Result send_alert(struct pw_http *http, struct MHD_Connection *connection, const char *id)
{
	const char *format = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "format");
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(ALERT_BYTES_MAX);
	struct pw_published *published = pw_board_get(http->board);
	bool json = !format || strcmp(format, "text") != 0, found;
	size_t size;
	char *text;
	int r;

	if (!published)
		return send_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "starting: nothing observed yet\n");
	r = pw_published_alert(published, id, json, &out);
	pw_published_unref(published);
	found = r >= 0;
	text = found || r == -ENOENT || r == -EEXIST ? pw_buf_take(&out, &size) : NULL;
	if (!text)
		return send_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
	return send_response(connection, found ? MHD_HTTP_OK : MHD_HTTP_NOT_FOUND,
			     found && json ? "application/json" : "text/plain; charset=utf-8",
			     MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE));
}

/* What is asked of one process. */
static const struct process_route {
	const char *path;
	enum MHD_Result (*send)(struct pw_http *http, struct MHD_Connection *connection, int pid);
} process_routes[] = {
	{"/api/v1/ages", send_ages},
	{"/api/v1/goroutines", send_goroutines},
};

static enum MHD_Result send_of_process(struct pw_http *http, struct MHD_Connection *connection,
				       const struct process_route *route)
{
	const char *text = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "pid");
	int pid;

	if (!text || pw_parse_pid(text, &pid) < 0)
		return send_text(connection, MHD_HTTP_BAD_REQUEST, "which process? ?pid=N\n");
	return route->send(http, connection, pid);
}

static bool wants_openmetrics(struct MHD_Connection *connection)
{
	const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);

	return accept && strstr(accept, "application/openmetrics-text");
}

/* ?format=text gives the table that the subcommand prints; sites=1 with the probe sites, all=1 with
 * alerts that wake nobody. */
static const struct route *text_route(struct MHD_Connection *connection, const struct route *route)
{
	const char *format = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "format");
	const char *sites = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "sites");
	const char *all = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "all");

	if (!format || strcmp(format, "text"))
		return route;
	if (route->page == PW_PAGE_PS_JSON)
		return &texts[sites && !strcmp(sites, "1")];
	if (route->page == PW_PAGE_ALERTS_JSON)
		return &texts[2 + (all && !strcmp(all, "1"))];
	if (route->page == PW_PAGE_RULES_JSON)
		return &texts[4];
	return route;
}

/* The library's one limit on silence, which is tightened again when an answer is out. */
static void completed(void *context pw_unused, struct MHD_Connection *connection, void **request pw_unused,
		      enum MHD_RequestTerminationCode code)
{
	if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
		(void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT,
						(unsigned int)REQUEST_SECONDS);
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url, const char *method,
			      const char *version pw_unused, const char *upload pw_unused, size_t *upload_size,
			      void **request)
{
	static const int seen = 1;
	struct pw_http *http = context;
	const char *id;

	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD)) {
		*upload_size = 0;
		return send_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
	}
	if (!*request) { /* the library calls first with the headers alone */
		*request = (void *)(uintptr_t)&seen;
		return MHD_YES;
	}
	(void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned int)RESPONSE_SECONDS);
	if (!strcmp(url, "/-/healthy"))
		return send_text(connection, MHD_HTTP_OK, "healthy\n");
	if (!strcmp(url, "/-/ready")) {
		bool ready = atomic_load(&http->ready);

		return send_text(connection, ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
				 ready ? "ready\n" : "starting\n");
	}
	for (size_t i = 0; i < ARRAY_SIZE(process_routes); i++)
		if (!strcmp(url, process_routes[i].path))
			return send_of_process(http, connection, &process_routes[i]);
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		if (strcmp(url, routes[i].path))
			continue;
		id = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "id");
		if (id && routes[i].page == PW_PAGE_ALERTS_JSON)
			return send_alert(http, connection, id);
		if (routes[i].page == PW_PAGE_METRICS && wants_openmetrics(connection))
			return send_page(http, connection, &openmetrics);
		return send_page(http, connection, text_route(connection, &routes[i]));
	}
	return send_text(connection, MHD_HTTP_NOT_FOUND, "not found\n");
}

static int listen_tcp(const char *address, uint16_t *ret_port, struct pw_why *reterr_why)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found = NULL;
	union {
		struct sockaddr any;
		struct sockaddr_in ipv4;
		struct sockaddr_in6 ipv6;
	} bound = {.ipv6 = {0}};
	socklen_t size = sizeof(bound);
	_cleanup_fd_ int fd = -1;
	char host[256], service[8];
	uint16_t port;
	int r, one = 1;

	r = pw_parse_address(address, host, sizeof(host), &port);
	if (r < 0)
		return pw_why_set(reterr_why, r, "'%s' is not an address like 127.0.0.1:10435", address);
	snprintf(service, sizeof(service), "%u", port);
	r = getaddrinfo(*host ? host : NULL, service, &hints, &found);
	if (r || !found)
		return pw_why_set(reterr_why, -EINVAL, "cannot find address '%s': %s", address, gai_strerror(r));
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	r = fd < 0 ? -errno : 0;
	if (!r) {
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, 64) < 0)
			r = -errno;
	}
	freeaddrinfo(found);
	if (r)
		return pw_why_set(reterr_why, r, "cannot listen on %s: %s", address, strerror(-r));
	if (!getsockname(fd, &bound.any, &size))
		port = ntohs(bound.any.sa_family == AF_INET6 ? bound.ipv6.sin6_port : bound.ipv4.sin_port);
	*ret_port = port;
	return TAKE_FD(fd);
}

/* Is somebody answering there? Then it is another daemon's, and not ours to replace. */
static bool socket_alive(const struct sockaddr_un *address)
{
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && !connect(fd, (const struct sockaddr *)address, sizeof(*address));
}

/* Makes missing parents of one level (/run/parkwatch), 0755. */
static void make_parent(const char *path)
{
	char parent[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *slash;

	snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	if (!slash || slash == parent)
		return;
	*slash = '\0';
	(void)mkdir(parent, 0755);
}

static int listen_local(struct pw_http *http, const char *path, struct pw_why *reterr_why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_fd_ int fd = -1;
	struct stat status;
	mode_t mask;
	int r;

	if (strlen(path) >= sizeof(address.sun_path))
		return pw_why_set(reterr_why, -ENAMETOOLONG, "socket path '%s' is too long: at most %zu bytes", path,
				  sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path) + 1);
	make_parent(path);
	if (!lstat(path, &status) && S_ISSOCK(status.st_mode)) {
		if (socket_alive(&address))
			return pw_why_set(
				reterr_why, -EADDRINUSE,
				"another parkwatch daemon answers on '%s': stop it, or choose another --socket", path);
		(void)unlink(path);
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return pw_why_set(reterr_why, -errno, "cannot make socket '%s': %s", path, strerror(errno));
	mask = umask(0117); /* before threads exist; 0660 from the first moment */
	r = bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	umask(mask);
	if (!r && listen(fd, 16) < 0)
		r = -errno;
	if (r)
		return pw_why_set(reterr_why, r, "cannot listen on '%s': %s", path, strerror(-r));
	snprintf(http->socket_path, sizeof(http->socket_path), "%s", path);
	if (!lstat(path, &status)) {
		http->socket_dev = status.st_dev;
		http->socket_inode = status.st_ino;
	}
	return TAKE_FD(fd);
}

/* Takes fd over, also on failure. */
static int serve(struct pw_http *http, int fd, struct MHD_Daemon **ret_daemon, struct pw_why *reterr_why)
{
	*ret_daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_SUPPRESS_DATE_NO_CLOCK, 0, NULL, NULL,
				       handle, http, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
				       (unsigned int)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
				       (unsigned int)REQUEST_SECONDS, MHD_OPTION_NOTIFY_COMPLETED, completed, NULL,
				       MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
				       MHD_OPTION_THREAD_STACK_SIZE, (size_t)THREAD_STACK_BYTES, MHD_OPTION_END);
	if (*ret_daemon)
		return 0;
	close(fd);
	return pw_why_set(reterr_why, -ENOMEM, "cannot start the web server");
}

int pw_http_start(struct pw_http **ret_http, struct pw_board *board, const char *listen, const char *socket_path,
		  void (*diagnose)(struct pw_profile *profile), struct pw_why *reterr_why)
{
	struct pw_http *http = calloc(1, sizeof(*http));
	int tcp = -1, local = -1, r = 0;

	if (!http)
		return -ENOMEM;
	http->board = board;
	http->diagnose = diagnose;
	atomic_init(&http->ready, false);
	if (*listen)
		r = tcp = listen_tcp(listen, &http->port, reterr_why);
	if (r >= 0 && *socket_path)
		r = local = listen_local(http, socket_path, reterr_why);
	if (r >= 0 && tcp >= 0)
		r = serve(http, TAKE_FD(tcp), &http->tcp, reterr_why);
	if (r >= 0 && local >= 0)
		r = serve(http, TAKE_FD(local), &http->local, reterr_why);
	pw_closep(&tcp);
	pw_closep(&local);
	if (r < 0) {
		pw_http_stop(http);
		return r;
	}
	*ret_http = http;
	return 0;
}

void pw_http_stop(struct pw_http *http)
{
	struct stat status;

	if (!http)
		return;
	if (http->tcp)
		MHD_stop_daemon(http->tcp);
	if (http->local)
		MHD_stop_daemon(http->local);
	if (*http->socket_path && !lstat(http->socket_path, &status) && status.st_dev == http->socket_dev &&
	    status.st_ino == http->socket_inode)
		(void)unlink(http->socket_path);
	free(http);
}

uint16_t pw_http_port(const struct pw_http *http)
{
	return http->port;
}

void pw_http_set_ready(struct pw_http *http, bool ready)
{
	atomic_store(&http->ready, ready);
}
