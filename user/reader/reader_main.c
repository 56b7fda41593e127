/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "reader/reader_main.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/why.h"
#include "binary/core.h"
#include "binary/elf.h"
#include "binary/pclntab.h"
#include "reader/assemble.h"
#include "reader/fdpass.h"
#include "reader/opened.h"
#include "reader/protocol.h"

struct reader_process {
	int socket_fd;
	struct pw_opened_cache opened;
	struct pw_buf request, answer;
	struct pw_build_facts facts;
	uint64_t pcs[PW_READER_PCS_MAX];
};

/* Waits for size bytes. *fd takes the descriptor that comes along. 1 read, 0 end of the socket, -errno. */
static int receive_all(int socket_fd, uint8_t *buffer, size_t size, int *fd)
{
	for (size_t got = 0; got < size;) {
		_cleanup_fd_ int received = -1;
		ssize_t n = pw_fd_receive(socket_fd, buffer + got, size - got, &received);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return (int)n;
		if (received >= 0 && *fd < 0)
			*fd = TAKE_FD(received);
		got += (size_t)n;
	}
	return 1;
}

/* The other side reads at its leisure: wait for room. */
static int send_all(int socket_fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = send(socket_fd, data, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

static int answer_symbols_of(struct reader_process *self, const struct pw_opened *opened, size_t count,
			     struct pw_why *reterr_why)
{
	int r = opened->buildinfo_error ? opened->buildinfo_error : opened->table_error;

	if (r)
		return pw_why_set(reterr_why, r, "no function table to look names up in");
	r = pw_symbols_write_count(&self->answer, count);
	for (size_t i = 0; !r && i < count; i++) {
		struct pw_frame_ref refs[PW_READER_FRAMES_MAX];
		struct pw_frame frames[PW_READER_FRAMES_MAX];
		struct pw_symbol symbol = {.pc = self->pcs[i], .frame_size = -1, .frames = frames};
		struct pw_func func;
		uint32_t frame_size;
		int n;

		if (!pw_pclntab_func_by_pc(opened->table, symbol.pc, &func)) {
			symbol.entry = func.entry;
			symbol.flag = func.flag;
			symbol.func_id = func.func_id;
			if (!pw_pclntab_frame_size(opened->table, symbol.pc, &frame_size) && frame_size <= INT32_MAX)
				symbol.frame_size = (int32_t)frame_size;
			n = pw_pclntab_frames(opened->table, symbol.pc, refs, ARRAY_SIZE(refs));
			symbol.frame_count = n > 0 ? (uint32_t)n : 0;
			for (uint32_t k = 0; k < symbol.frame_count; k++)
				frames[k] = (struct pw_frame){.function = refs[k].function ? refs[k].function : "",
							      .file = refs[k].file ? refs[k].file : "",
							      .line = refs[k].line,
							      .inlined = refs[k].inlined,
							      .wrapper = refs[k].wrapper};
		}
		r = pw_symbols_write(&self->answer, &symbol);
	}
	return r == -E2BIG ? pw_why_set(reterr_why, r, "the names are longer than an answer may be") : r;
}

static int answer_symbols(struct reader_process *self, int fd, struct pw_why *reterr_why)
{
	char build_id[sizeof(self->facts.build_id)];
	struct pw_opened *opened;
	size_t count;
	int r = pw_symbols_request_read(self->request.data, self->request.size, build_id, sizeof(build_id), self->pcs,
					&count);

	if (r) {
		close(fd);
		return pw_why_set(reterr_why, r, "bad request");
	}
	r = pw_opened_get(&self->opened, fd, &opened, reterr_why);
	if (r)
		return r;
	if (strcmp(build_id, pw_elf_build_id(opened->elf)) != 0)
		return pw_why_set(reterr_why, -ESTALE, "the file is not that build any more");
	r = answer_symbols_of(self, opened, count, reterr_why);
	pw_opened_rest(opened);
	return r;
}

static int answer_facts(struct reader_process *self, int fd, struct pw_why *reterr_why)
{
	struct pw_opened *opened;
	int r = pw_opened_get(&self->opened, fd, &opened, reterr_why);

	if (r)
		return r;
	pw_facts_assemble(&self->facts, opened);
	pw_opened_rest(opened);
	return pw_facts_write(&self->answer, &self->facts);
}

/* A core file is asked about once: nothing of it is kept. */
static int answer_core(struct reader_process *self, int core_fd, struct pw_why *reterr_why)
{
	_cleanup_fd_ int fd = core_fd;
	struct pw_core core;
	int r = pw_core_read(&core, fd, reterr_why);

	if (r)
		return r;
	r = pw_core_write(&self->answer, &core);
	pw_core_done(&core);
	return r;
}

static int answer_one(struct reader_process *self, uint32_t kind, int fd, struct pw_why *reterr_why)
{
	switch (kind) {
	case PW_REQUEST_FACTS:
		return answer_facts(self, fd, reterr_why);
	case PW_REQUEST_SYMBOLS:
		return answer_symbols(self, fd, reterr_why);
	default:
		return answer_core(self, fd, reterr_why);
	}
}

/* fd is owned here. */
static int answer(struct reader_process *self, const struct pw_message *request, int fd)
{
	struct pw_message header = {.kind = request->kind, .id = request->id};
	struct pw_why why = {};
	_cleanup_buf_ struct pw_buf head = PW_BUF_INIT(PW_MESSAGE_HEADER_SIZE);
	int r;

	pw_buf_reset(&self->answer);
	if (fd < 0)
		r = pw_why_set(&why, -EBADF, "the request came without a file");
	else
		r = answer_one(self, request->kind, fd, &why);
	if (r < 0) {
		pw_buf_reset(&self->answer);
		header.result = r;
		r = pw_refusal_write(&self->answer, pw_why_text(&why, r));
		if (r)
			return r;
	}
	header.size = (uint32_t)self->answer.size;
	r = pw_message_write(&head, &header);
	if (!r)
		r = send_all(self->socket_fd, head.data, head.size);
	return r ? r : send_all(self->socket_fd, self->answer.data, self->answer.size);
}

static int serve_one(struct reader_process *self)
{
	uint8_t head[PW_MESSAGE_HEADER_SIZE];
	_cleanup_fd_ int fd = -1;
	struct pw_message request;
	void *body;
	int r = receive_all(self->socket_fd, head, sizeof(head), &fd);

	if (r <= 0)
		return r;
	r = pw_message_read(&request, head, sizeof(head), PW_READER_REQUEST_MAX);
	if (r)
		return r;
	pw_buf_reset(&self->request);
	body = pw_buf_reserve(&self->request, request.size);
	if (!body && request.size)
		return -ENOMEM;
	r = request.size ? receive_all(self->socket_fd, body, request.size, &fd) : 1;
	if (r <= 0)
		return r;
	r = answer(self, &request, TAKE_FD(fd));
	return r ? r : 1;
}

int pw_reader_main(int socket_fd)
{
	_cleanup_free_ struct reader_process *self = calloc(1, sizeof(*self));
	int r;

	if (!self)
		return -ENOMEM;
	self->socket_fd = socket_fd;
	pw_buf_init(&self->request, PW_READER_REQUEST_MAX);
	pw_buf_init(&self->answer, PW_READER_ANSWER_MAX);
	do {
		r = serve_one(self);
	} while (r > 0);
	pw_opened_cache_done(&self->opened);
	pw_buf_done(&self->request);
	pw_buf_done(&self->answer);
	return r;
}
