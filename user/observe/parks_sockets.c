/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/macros.h"
#include "base/time.h"
#include "observe/parks_state.h"
#include "target/sockets.h"

/* What the sockets are that goroutines in IO wait are parked on. */

void pw_parks_know_sockets(struct pw_parks *parks, const struct pw_sockets *sockets)
{
	parks->sockets = sockets;
}

/* Whoever has waited for a descriptor since before the sockets were looked at waits for the same one still. */
static const struct pw_socket_file *socket_of(const struct pw_parks *parks, const struct pw_snapshot_goroutine *g)
{
	if (!parks->sockets || !g->parked_since_ns || g->parked_since_ns > parks->sockets->taken_ns)
		return NULL;
	return pw_sockets_find(parks->sockets, g->wait.fd);
}

void pw_park_sockets_add(const struct pw_parks *parks, struct pw_park_sockets *to,
			 const struct pw_snapshot_goroutine *g)
{
	const struct pw_socket_file *file;
	uint64_t seconds;
	size_t bucket = 0;

	if (g->wait.kind != PW_WAIT_NETWORK || !g->wait.known)
		return;
	to->deadline_known++;
	to->no_deadline += g->wait.deadline_ns == 0;
	file = socket_of(parks, g);
	if (!file)
		return;
	to->known++;
	to->closed += file->sock.state == PW_SOCK_CLOSED_BY_PEER || file->sock.state == PW_SOCK_DEAD;
	if (file->sock.state != PW_SOCK_ESTABLISHED)
		return;
	to->established++;
	if (file->sock.received_ms == UINT32_MAX)
		return;
	/* by then: what it has received since shows in the next look */
	for (seconds = file->sock.received_ms / 1000; seconds && bucket + 1 < PW_PARK_QUIET_BUCKETS; seconds /= 2)
		bucket++;
	to->heard++;
	to->quiet[bucket]++;
}

void pw_park_sockets_merge(struct pw_park_sockets *to, const struct pw_park_sockets *from)
{
	to->deadline_known += from->deadline_known;
	to->no_deadline += from->no_deadline;
	to->known += from->known;
	to->established += from->established;
	to->closed += from->closed;
	to->heard += from->heard;
	for (size_t i = 0; i < PW_PARK_QUIET_BUCKETS; i++)
		to->quiet[i] += from->quiet[i];
}

/* The lower bound of the bucket that the median is in. */
static uint64_t median_ns(const struct pw_park_sockets *sockets)
{
	uint64_t below = 0;

	for (size_t i = 0; i < PW_PARK_QUIET_BUCKETS; i++) {
		below += sockets->quiet[i];
		if (2 * below > sockets->heard)
			return i ? (1ULL << (i - 1)) * PW_NS_PER_SEC : 0;
	}
	return 0;
}

struct pw_record_sockets pw_park_sockets_write(const struct pw_park_sockets *sockets)
{
	return (struct pw_record_sockets){.deadline_known = sockets->deadline_known,
					  .no_deadline = sockets->no_deadline,
					  .known = sockets->known,
					  .established = sockets->established,
					  .closed = sockets->closed,
					  .heard = sockets->heard,
					  .quiet_ns = median_ns(sockets)};
}
