/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * The asking side of the reader. Requests queue here; one at a time is with the reader process, so that its deadline is
 * that of this request alone and a death has one suspect. The process is started by the nursery when there is something
 * to ask, killed when an answer is late or makes no sense, and ended when nobody asked for a while: an idle daemon
 * has no reader process, and none of the memory that a parser of large binaries keeps.
 */
#include "reader/reader.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/table.h"
#include "base/time.h"
#include "base/why.h"
#include "reader/fdpass.h"
#include "reader/nursery.h"
#include "reader/protocol.h"

/* What a file is known by when its reader died: parsing it to learn more is what killed the reader. */
struct file_key {
	uint64_t dev, inode, size, mtime_ns;
};

struct request {
	struct request *next;
	int64_t id;
	enum pw_request_kind kind;
	int fd; /* owned */
	struct file_key key;
	char build_id[sizeof(((struct pw_build_facts *)0)->build_id)];
	uint64_t *pcs; /* owned */
	size_t count;
	pw_reader_facts_fn facts_fn;
	pw_reader_symbols_fn symbols_fn;
	pw_reader_core_fn core_fn;
	void *context;
	bool cancelled;
};

struct pw_reader {
	struct pw_nursery nursery;
	int worker_fd; /* -1: no reader process */
	int epoll_fd;  /* what the caller polls: the reader's socket and wake_fd */
	int wake_fd;   /* eventfd: something was asked since the last dispatch */
	uint64_t generation;
	int64_t last_id;
	struct request *first, *last; /* waiting */
	size_t waiting;
	struct request *current; /* with the reader process */
	uint64_t deadline_ns, idle_since_ns;
	struct pw_buf in;
	struct pw_table strikes; /* file_key -> number of readers it killed, as a pointer */
	struct pw_build_facts facts;
	struct pw_reader_stats stats;
	bool dead; /* in pw_reader_free */
};

static void request_free(struct request *request)
{
	pw_closep(&request->fd);
	free(request->pcs);
	free(request);
}
PW_DEFINE_CLEANUP(struct request *, request_free);

/* ---- the process ---- */

static void stop_worker(struct pw_reader *reader)
{
	if (reader->worker_fd >= 0)
		epoll_ctl(reader->epoll_fd, EPOLL_CTL_DEL, reader->worker_fd, NULL);
	pw_closep(&reader->worker_fd);
	pw_buf_done(&reader->in);
	pw_buf_init(&reader->in, PW_MESSAGE_HEADER_SIZE + PW_READER_ANSWER_MAX);
	if (pw_nursery_kill(&reader->nursery))
		pw_log_debug(0, "the reader's nursery is gone; the next request starts a new one");
}

static int spawn(struct pw_reader *reader, int socket_fd)
{
	int r = pw_nursery_spawn(&reader->nursery, socket_fd);

	if (r != -EPIPE)
		return r;
	/* Somebody killed it. fork() from here is the lesser evil: glibc keeps malloc usable in the child. */
	pw_log_warn(0, "the reader's nursery has died, starting a new one");
	pw_nursery_done(&reader->nursery);
	r = pw_nursery_start(&reader->nursery);
	return r ? r : pw_nursery_spawn(&reader->nursery, socket_fd);
}

static int start_worker(struct pw_reader *reader)
{
	struct epoll_event event = {.events = EPOLLIN};
	int sockets[2], r, size = 2 * PW_READER_REQUEST_MAX;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return -errno;
	/* A whole request fits, so sending never stops half way. */
	(void)setsockopt(sockets[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	r = spawn(reader, sockets[1]);
	close(sockets[1]);
	if (!r && epoll_ctl(reader->epoll_fd, EPOLL_CTL_ADD, sockets[0], &event))
		r = -errno;
	if (r) {
		close(sockets[0]);
		return r;
	}
	reader->worker_fd = sockets[0];
	reader->generation++;
	reader->idle_since_ns = pw_now_ns();
	return 0;
}

static int open_fds(struct pw_reader *reader)
{
	struct epoll_event event = {.events = EPOLLIN};

	reader->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	reader->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (reader->epoll_fd < 0 || reader->wake_fd < 0 ||
	    epoll_ctl(reader->epoll_fd, EPOLL_CTL_ADD, reader->wake_fd, &event))
		return -errno;
	return 0;
}

int pw_reader_start(struct pw_reader **ret_reader)
{
	struct pw_reader *reader = calloc(1, sizeof(*reader));
	int r;

	if (!reader)
		return -ENOMEM;
	reader->worker_fd = reader->epoll_fd = reader->wake_fd = -1;
	reader->strikes = (struct pw_table)PW_TABLE_INIT_LRU(PW_READER_STRIKES_MAX, NULL);
	pw_buf_init(&reader->in, PW_MESSAGE_HEADER_SIZE + PW_READER_ANSWER_MAX);
	r = pw_nursery_start(&reader->nursery);
	if (!r)
		r = open_fds(reader);
	if (r) {
		pw_reader_free(reader);
		return pw_log_err(r, "cannot start the process that reads files: %s", pw_why_text(NULL, r));
	}
	*ret_reader = reader;
	return 0;
}

int pw_reader_fd(const struct pw_reader *reader)
{
	return reader->epoll_fd;
}

uint64_t pw_reader_generation(const struct pw_reader *reader)
{
	return reader->generation;
}

void pw_reader_stats(const struct pw_reader *reader, struct pw_reader_stats *ret_stats)
{
	*ret_stats = reader->stats;
}

/* ---- answers ---- */

/* What an answer may be: one of them. */
struct answer {
	const struct pw_build_facts *facts;
	const struct pw_symbols *symbols;
	struct pw_core *core;
};

/* Gives the answer to who asked, and forgets the request. */
static void finish(struct request *request, int r, const struct answer *answer, const char *why)
{
	_cleanup_(request_freep) struct request *owned = request;

	if (owned->cancelled)
		return;
	if (owned->kind == PW_REQUEST_FACTS)
		owned->facts_fn(owned->context, r, r < 0 ? NULL : answer->facts, why);
	else if (owned->kind == PW_REQUEST_SYMBOLS)
		owned->symbols_fn(owned->context, r, r < 0 ? NULL : answer->symbols, why);
	else
		owned->core_fn(owned->context, r, r < 0 ? NULL : answer->core, why);
}

static uintptr_t strikes_of(struct pw_reader *reader, const struct file_key *key)
{
	return (uintptr_t)pw_table_get(&reader->strikes, key, sizeof(*key));
}

/* The reader process has to go, and it is this request's doing. */
static void fail_current(struct pw_reader *reader, int r, const char *why)
{
	struct request *request = TAKE_PTR(reader->current);
	uintptr_t strikes;

	stop_worker(reader);
	reader->stats.restarts++;
	if (!request)
		return;
	strikes = strikes_of(reader, &request->key) + 1;
	if (strikes == PW_READER_STRIKES_TO_BAR)
		reader->stats.barred_builds++;
	if (pw_table_put(&reader->strikes, &request->key, sizeof(request->key), (void *)strikes))
		pw_log_debug(0, "cannot remember a file that killed the reader");
	finish(request, r, NULL, why);
}

static void fail_protocol(struct pw_reader *reader, const char *why)
{
	reader->stats.crashes++;
	fail_current(reader, -EBADMSG, why);
}

static void deliver(struct pw_reader *reader, const struct pw_message *message, const uint8_t *body)
{
	struct pw_symbols symbols = {};
	struct pw_core core = {};
	struct answer answer = {.facts = &reader->facts, .symbols = &symbols, .core = &core};
	struct pw_why why = {};
	struct request *request = reader->current;
	char refusal[192];
	int r;

	if (message->result < 0) {
		pw_refusal_read(body, message->size, refusal, sizeof(refusal));
		reader->current = NULL;
		finish(request, message->result, NULL, refusal[0] ? refusal : pw_why_text(NULL, message->result));
		return;
	}
	if (request->kind == PW_REQUEST_FACTS)
		r = pw_facts_read(&reader->facts, body, message->size, &why);
	else if (request->kind == PW_REQUEST_SYMBOLS)
		r = pw_symbols_read(&symbols, body, message->size, request->pcs, request->count);
	else
		r = pw_core_parse(&core, body, message->size, &why);
	if (r == -EBADMSG) {
		fail_protocol(reader, pw_why_text(&why, r));
		return;
	}
	reader->current = NULL;
	finish(request, r, &answer, r < 0 ? pw_why_text(&why, r) : NULL);
	pw_symbols_done(&symbols);
	pw_core_done(&core);
}

/* Takes a complete message from what has arrived. 1 one was handled, 0 not complete yet. */
static int handle_message(struct pw_reader *reader)
{
	struct pw_message message;
	const uint8_t *data = (const uint8_t *)reader->in.data;

	if (reader->in.size < PW_MESSAGE_HEADER_SIZE)
		return 0;
	if (pw_message_read(&message, data, reader->in.size, PW_READER_ANSWER_MAX) || !reader->current ||
	    message.id != reader->current->id || message.kind != reader->current->kind) {
		fail_protocol(reader, "the reader process answered nonsense and was ended");
		return 0;
	}
	if (reader->in.size < PW_MESSAGE_HEADER_SIZE + message.size)
		return 0;
	if (reader->in.size > PW_MESSAGE_HEADER_SIZE + message.size) {
		fail_protocol(reader, "the reader process said more than it was asked and was ended");
		return 0;
	}
	deliver(reader, &message, data + PW_MESSAGE_HEADER_SIZE);
	/* Large answers are rare: their memory is given back. */
	pw_buf_done(&reader->in);
	pw_buf_init(&reader->in, PW_MESSAGE_HEADER_SIZE + PW_READER_ANSWER_MAX);
	reader->idle_since_ns = pw_now_ns();
	return 1;
}

/* Bytes that are still missing of the message under way: never more, so nothing of the next one is mixed in. */
static size_t missing(const struct pw_reader *reader)
{
	struct pw_message message;

	if (reader->in.size < PW_MESSAGE_HEADER_SIZE)
		return PW_MESSAGE_HEADER_SIZE - reader->in.size;
	if (pw_message_read(&message, reader->in.data, reader->in.size, PW_READER_ANSWER_MAX))
		return 1;
	return PW_MESSAGE_HEADER_SIZE + message.size - reader->in.size;
}

static void receive(struct pw_reader *reader)
{
	while (reader->worker_fd >= 0) {
		uint8_t chunk[32768];
		ssize_t n = recv(reader->worker_fd, chunk, PW_MIN(missing(reader), sizeof(chunk)), MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			if (reader->current)
				reader->stats.crashes++;
			fail_current(reader, -ECONNRESET, "the reader process died on this file");
			return;
		}
		if (pw_buf_append(&reader->in, chunk, (size_t)n)) {
			fail_protocol(reader, "the reader's answer does not fit in memory");
			return;
		}
		if (handle_message(reader) || (!missing(reader) && handle_message(reader)))
			return;
	}
}

/* ---- requests ---- */

static int send_request(struct pw_reader *reader, const struct request *request)
{
	_cleanup_buf_ struct pw_buf body = PW_BUF_INIT(PW_READER_REQUEST_MAX);
	_cleanup_buf_ struct pw_buf message = PW_BUF_INIT(PW_MESSAGE_HEADER_SIZE + PW_READER_REQUEST_MAX);
	struct pw_message header = {.kind = request->kind, .id = request->id};
	ssize_t n;
	int r = 0;

	if (request->kind == PW_REQUEST_SYMBOLS)
		r = pw_symbols_request_write(&body, request->build_id, request->pcs, request->count);
	header.size = (uint32_t)body.size;
	if (!r)
		r = pw_message_write(&message, &header);
	if (!r)
		r = pw_buf_append(&message, pw_buf_text(&body), body.size);
	if (r)
		return r;
	n = pw_fd_send(reader->worker_fd, message.data, message.size, request->fd);
	if (n >= 0 && (size_t)n < message.size)
		return -EPIPE;
	return n < 0 ? (int)n : 0;
}

/* One attempt to hand the first waiting request to the reader process, a second one with a fresh process. */
static void start_next(struct pw_reader *reader)
{
	while (!reader->current && reader->first && !reader->dead) {
		struct request *request = reader->first;
		int r = 0;

		reader->first = request->next;
		if (!reader->first)
			reader->last = NULL;
		reader->waiting--;
		request->next = NULL;
		if (request->cancelled) {
			request_free(request);
			continue;
		}
		if (strikes_of(reader, &request->key) >= PW_READER_STRIKES_TO_BAR) {
			finish(request, -EACCES, NULL,
			       "this file has killed the reader process twice and is not read again");
			continue;
		}
		for (int attempt = 0; attempt < 2; attempt++) {
			r = reader->worker_fd < 0 ? start_worker(reader) : 0;
			if (!r)
				r = send_request(reader, request);
			if (!r)
				break;
			stop_worker(reader);
		}
		if (r) {
			finish(request, r, NULL, "the process that reads files cannot be started");
			continue;
		}
		reader->current = request;
		reader->deadline_ns = pw_now_ns() + (request->kind == PW_REQUEST_SYMBOLS ? PW_READER_SYMBOLS_DEADLINE_NS
											 : PW_READER_FACTS_DEADLINE_NS);
	}
}

int pw_reader_dispatch(struct pw_reader *reader)
{
	uint64_t asked;

	(void)!read(reader->wake_fd, &asked, sizeof(asked)); /* empty is fine: it only wakes */
	receive(reader);
	start_next(reader);
	return 0;
}

int pw_reader_expire(struct pw_reader *reader, uint64_t now_ns)
{
	if (reader->current && now_ns >= reader->deadline_ns) {
		receive(reader); /* it may just have arrived */
		if (reader->current && now_ns >= reader->deadline_ns) {
			reader->stats.timeouts++;
			fail_current(reader, -ETIMEDOUT,
				     "the reader process took too long over this file and was ended");
		}
	}
	start_next(reader);
	if (!reader->current && reader->worker_fd >= 0 && now_ns > reader->idle_since_ns + PW_READER_IDLE_NS)
		stop_worker(reader);
	return 0;
}

static int file_key_of(int fd, struct file_key *ret_key)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	*ret_key = (struct file_key){
		.dev = st.st_dev,
		.inode = st.st_ino,
		.size = (uint64_t)st.st_size,
		.mtime_ns = (uint64_t)st.st_mtim.tv_sec * PW_NS_PER_SEC + (uint64_t)st.st_mtim.tv_nsec,
	};
	return 0;
}

/* NULL with *reterr on error. */
static struct request *request_new(struct pw_reader *reader, int exe_fd, int *reterr)
{
	struct request *request = NULL;

	*reterr = reader->waiting >= PW_READER_QUEUE_MAX ? -EAGAIN : -ENOMEM;
	if (reader->waiting < PW_READER_QUEUE_MAX)
		request = calloc(1, sizeof(*request));
	if (!request)
		return NULL;
	request->fd = fcntl(exe_fd, F_DUPFD_CLOEXEC, 3);
	*reterr = request->fd < 0 ? -errno : file_key_of(exe_fd, &request->key);
	if (*reterr) {
		request_free(request);
		return NULL;
	}
	return request;
}

/* The request is sent at the next dispatch, which the wake fd brings about: no callback runs before its id is known. */
static int64_t enqueue(struct pw_reader *reader, struct request *request)
{
	int64_t id = ++reader->last_id;
	uint64_t one = 1;

	request->id = id;
	if (reader->last)
		reader->last->next = request;
	else
		reader->first = request;
	reader->last = request;
	reader->waiting++;
	reader->stats.requests++;
	(void)!write(reader->wake_fd, &one, sizeof(one));
	return id;
}

int64_t pw_reader_ask_facts(struct pw_reader *reader, int exe_fd, pw_reader_facts_fn callback, void *context)
{
	int r;
	struct request *request = request_new(reader, exe_fd, &r);

	if (!request)
		return r;
	request->kind = PW_REQUEST_FACTS;
	request->facts_fn = callback;
	request->context = context;
	return enqueue(reader, request);
}

int64_t pw_reader_ask_symbols(struct pw_reader *reader, int exe_fd, const char *build_id, const uint64_t *pcs,
			      size_t count, pw_reader_symbols_fn callback, void *context)
{
	_cleanup_(request_freep) struct request *request = NULL;
	int r;

	if (!count)
		return -EINVAL;
	if (count > PW_READER_PCS_MAX || strlen(build_id) >= sizeof(request->build_id))
		return -E2BIG;
	request = request_new(reader, exe_fd, &r);
	if (!request)
		return r;
	request->pcs = malloc(count * sizeof(*pcs));
	if (!request->pcs)
		return -ENOMEM;
	memcpy(request->pcs, pcs, count * sizeof(*pcs));
	request->kind = PW_REQUEST_SYMBOLS;
	request->count = count;
	memcpy(request->build_id, build_id, strlen(build_id) + 1);
	request->symbols_fn = callback;
	request->context = context;
	return enqueue(reader, TAKE_PTR(request));
}

int64_t pw_reader_ask_core(struct pw_reader *reader, int core_fd, pw_reader_core_fn callback, void *context)
{
	int r;
	struct request *request = request_new(reader, core_fd, &r);

	if (!request)
		return r;
	request->kind = PW_REQUEST_CORE;
	request->core_fn = callback;
	request->context = context;
	return enqueue(reader, request);
}

static struct request *find(const struct pw_reader *reader, int64_t id)
{
	if (reader->current && reader->current->id == id)
		return reader->current;
	for (struct request *request = reader->first; request; request = request->next)
		if (request->id == id)
			return request;
	return NULL;
}

void pw_reader_cancel(struct pw_reader *reader, int64_t id)
{
	struct request *request = find(reader, id);

	if (request)
		request->cancelled = true;
}

int pw_reader_wait(struct pw_reader *reader, int64_t id)
{
	pw_reader_dispatch(reader);
	while (find(reader, id)) {
		struct pollfd poll_fd = {.fd = reader->worker_fd, .events = POLLIN};

		if (poll(&poll_fd, 1, 100) < 0 && errno != EINTR)
			return -errno;
		pw_reader_dispatch(reader);
		pw_reader_expire(reader, pw_now_ns());
	}
	return 0;
}

void pw_reader_free(struct pw_reader *reader)
{
	if (!reader)
		return;
	reader->dead = true;
	if (reader->current)
		finish(TAKE_PTR(reader->current), -ECANCELED, NULL, "parkwatch is ending");
	while (reader->first) {
		struct request *request = reader->first;

		reader->first = request->next;
		finish(request, -ECANCELED, NULL, "parkwatch is ending");
	}
	stop_worker(reader);
	pw_nursery_done(&reader->nursery);
	pw_closep(&reader->epoll_fd);
	pw_closep(&reader->wake_fd);
	pw_table_done(&reader->strikes);
	pw_buf_done(&reader->in);
	free(reader);
}
