/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>

#include "analysis/benign.h"
#include "analysis/policy.h"
#include "base/macros.h"

/*
 * What well-known packages start by design, as far as names tell it: one for each handle, connection or program. A leak
 * of those handles is a leak, so each has a cap. The runtime's own goroutines, and main, are never judged. What ends a
 * list is its age: names change.
 */
#define EXPIRES "2029-01-01"

#define A_FEW	 16
#define HANDLES	 256
#define SESSIONS 10000

static const struct {
	const char *created, *blocked, *reason;
	uint64_t max;
} shipped[] = {
	{"^os/signal\\.Notify(\\.|$)", "^os/signal\\.(loop|signal_recv)$", "the loop of os/signal", A_FEW},
	{"^net/http\\.\\(\\*Server\\)\\.Serve$", "^bufio\\.\\(\\*Reader\\)\\.Peek$",
	 "idle connections of an HTTP server", SESSIONS},
	{"\\(\\*(http2)?serverConn\\)\\.serve$", "\\.\\(\\*(http2)?serverConn\\)\\.readFrames$",
	 "readers of HTTP/2 connections of a server", SESSIONS},
	{"\\(\\*(http2)?Transport\\)\\.newClientConn$", "\\.\\(\\*(http2)?clientConnReadLoop\\)\\.run$",
	 "readers of HTTP/2 connections of a client", SESSIONS},
	{"^google\\.golang\\.org/grpc/internal/transport\\.(New|new)", "\\(\\*http2(Client|Server)\\)\\.keepalive$",
	 "keepalive of gRPC connections", SESSIONS},
	{"^database/sql\\.OpenDB$", "^database/sql\\.\\(\\*DB\\)\\.connection(Opener|Resetter)$",
	 "openers of connections, one per database handle", A_FEW},
	{"^(github\\.com/golang/glog|k8s\\.io/klog(/v[0-9]+)?)\\.", "[fF]lushDaemon(\\)\\.run.*)?$",
	 "the flusher of a log", A_FEW},
	{"^go\\.opentelemetry\\.io/otel/sdk/", "\\.(processQueue|\\(\\*[a-zA-Z]+\\)\\.(processQueue|run|poll))(\\.|$)",
	 "batchers of OpenTelemetry", A_FEW},
	{"^github\\.com/caddyserver/certmagic\\.", "\\.\\(\\*Cache\\)\\.maintainAssets$", "upkeep of certificates",
	 A_FEW},
	{"^github\\.com/fsnotify/fsnotify\\.", "\\.readEvents$", "watchers of files, one per watcher", HANDLES},
};

int pw_policy_add_shipped(struct pw_policy *policy)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(shipped) && !r; i++) {
		struct pw_benign entry = {
			.max = shipped[i].max, .shipped = PW_BENIGN_SHIPPED_VERSION, .expires = EXPIRES};

		snprintf(entry.created, sizeof(entry.created), "%s", shipped[i].created);
		snprintf(entry.blocked, sizeof(entry.blocked), "%s", shipped[i].blocked);
		snprintf(entry.reason, sizeof(entry.reason), "%s", shipped[i].reason);
		r = pw_policy_add_benign(policy, &entry, NULL);
	}
	return r;
}
