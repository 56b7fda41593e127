/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "base/macros.h"

struct pw_buf;
struct pw_why;

/*
 * GET of a path ("/api/v1/ps") over a local socket: the body into body (whose cap bounds it) and the HTTP status.
 * libcurl is loaded when this is first called, so that nobody else pays for it. -ENOENT no such socket, -ECONNREFUSED
 * nobody behind it, -EACCES not for us, -ETIMEDOUT, -ENOSYS no libcurl on this machine, -EIO anything else; each with a
 * sentence.
 */
int pw_must_check pw_httpc_get_local(const char *socket_path, const char *path, uint64_t timeout_ns,
				     struct pw_buf *body, long *ret_status, struct pw_why *reterr_why);

/*
 * A client that sends bodies to one server and keeps the connection: of one thread at a time. URLs are http or https
 * only, redirects are not followed, proxies of the environment are. -ENOSYS no libcurl on this machine, -ENOMEM.
 */
struct pw_httpc;
struct pw_httpc_target {
	const char *url, *content_type;
	const char *bearer_token;			   /* NULL or "": none */
	const char *ca_file, *certificate_file, *key_file; /* PEM; NULL or "": the system's, none */
	uint64_t timeout_ns;				   /* for all of it */
	bool (*cancelled)(void *context);		   /* asked about once a second: true breaks off; NULL: never */
	void *context;
};
int pw_must_check pw_httpc_new(struct pw_httpc **ret_client, struct pw_why *reterr_why);
void pw_httpc_free(struct pw_httpc *client);
PW_DEFINE_CLEANUP(struct pw_httpc *, pw_httpc_free);
/*
 * POST: 0 when the server answered, with its HTTP status and the first bytes of its answer in `answer` (a cap of the
 * buffer that bites is no error). -ETIMEDOUT, -ECANCELED, -EIO anything else that kept it from answering, with a
 * sentence.
 */
int pw_must_check pw_httpc_post(struct pw_httpc *client, const struct pw_httpc_target *target, const void *body,
				size_t size, struct pw_buf *answer, long *ret_status, struct pw_why *reterr_why);
