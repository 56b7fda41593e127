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
