/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/sockdiag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_BYTES	  32768
#define RECEIVE_TIMEOUT_S 1 /* the kernel answers at once */

/* include/net/tcp_states.h */
enum {
	TCP_STATE_ESTABLISHED = 1,
	TCP_STATE_SYN_RECV = 3,
	TCP_STATE_TIME_WAIT = 6,
	TCP_STATE_CLOSE_WAIT = 8,
	TCP_STATE_LISTEN = 10,
	TCP_STATE_NEW_SYN_RECV = 12
};
#define RCV_SHUTDOWN 1u /* include/net/sock.h: nothing more comes from the other side */

static uint8_t state_of(unsigned int tcp_state)
{
	switch (tcp_state) {
	case TCP_STATE_ESTABLISHED:
		return PW_SOCK_ESTABLISHED;
	case TCP_STATE_CLOSE_WAIT:
		return PW_SOCK_CLOSED_BY_PEER;
	case TCP_STATE_LISTEN:
		return PW_SOCK_LISTEN;
	default:
		return PW_SOCK_OTHER;
	}
}

/* ---- requests -----------------------------------------------------------------------------------------------------
 */

struct tcp_request {
	struct inet_diag_req_v2 head;
	struct rtattr attribute; /* a protocol that has no room in the head */
	uint32_t protocol;
};

static int ask(int fd, const void *request, size_t size)
{
	struct {
		struct nlmsghdr head;
		uint8_t body[128];
	} message = {.head = {.nlmsg_len = (uint32_t)NLMSG_LENGTH(size),
			      .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			      .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			      .nlmsg_seq = 1}};

	_Static_assert(sizeof(struct tcp_request) <= sizeof(message.body) &&
			       sizeof(struct unix_diag_req) <= sizeof(message.body),
		       "room for both");
	memcpy(NLMSG_DATA(&message.head), request, size);
	return send(fd, &message, message.head.nlmsg_len, 0) < 0 ? -errno : 0;
}

/* What belongs to no process is not asked for. */
static int ask_for(int fd, int family, int protocol)
{
	const uint32_t left_out = 1u << TCP_STATE_TIME_WAIT | 1u << TCP_STATE_SYN_RECV | 1u << TCP_STATE_NEW_SYN_RECV;
	const struct tcp_request tcp = {
		.head = {.sdiag_family = (uint8_t)family,
			 .sdiag_protocol = (uint8_t)(protocol <= UINT8_MAX ? protocol : IPPROTO_RAW),
			 .idiag_ext = 1u << (INET_DIAG_INFO - 1),
			 .idiag_states = ~left_out},
		.attribute = {.rta_len = RTA_LENGTH(sizeof(uint32_t)), .rta_type = INET_DIAG_REQ_PROTOCOL},
		.protocol = (uint32_t)protocol};
	const struct unix_diag_req local = {
		.sdiag_family = AF_UNIX, .udiag_states = ~0u, .udiag_show = UDIAG_SHOW_PEER};

	if (family == AF_UNIX)
		return ask(fd, &local, sizeof(local));
	return ask(fd, &tcp, protocol <= UINT8_MAX ? sizeof(tcp.head) : sizeof(tcp));
}

/* ---- answers ------------------------------------------------------------------------------------------------------
 */

/* The attribute `type` behind a message's fixed part: its bytes, or NULL. */
static const void *attribute(const struct nlmsghdr *head, size_t fixed, unsigned int type, size_t *ret_size)
{
	size_t used = NLMSG_ALIGN(NLMSG_LENGTH(fixed));

	while (used + sizeof(struct rtattr) <= head->nlmsg_len) {
		const struct rtattr *at = (const struct rtattr *)(const void *)((const char *)head + used);

		if (at->rta_len < sizeof(*at) || at->rta_len > head->nlmsg_len - used)
			return NULL;
		if (at->rta_type == type) {
			*ret_size = at->rta_len - sizeof(*at);
			return (const char *)at + sizeof(*at);
		}
		used += RTA_ALIGN(at->rta_len);
	}
	return NULL;
}

static bool take_tcp(const struct nlmsghdr *head, int protocol, struct pw_sock *ret_sock)
{
	const size_t least = offsetof(struct tcp_info, tcpi_last_data_recv) + sizeof(uint32_t);
	struct inet_diag_msg message;
	const void *info;
	size_t size = 0;

	if (head->nlmsg_len < NLMSG_LENGTH(sizeof(message)))
		return false;
	memcpy(&message, NLMSG_DATA(head), sizeof(message));
	*ret_sock = (struct pw_sock){
		.inode = message.idiag_inode, .state = state_of(message.idiag_state), .received_ms = UINT32_MAX};
	info = attribute(head, sizeof(message), INET_DIAG_INFO, &size);
	if (info && protocol == IPPROTO_TCP && size >= least && message.idiag_state != TCP_STATE_LISTEN)
		memcpy(&ret_sock->received_ms, (const char *)info + offsetof(struct tcp_info, tcpi_last_data_recv),
		       sizeof(ret_sock->received_ms));
	return true;
}

static bool take_unix(const struct nlmsghdr *head, struct pw_sock *ret_sock)
{
	struct unix_diag_msg message;
	const uint8_t *shutdown;
	size_t size = 0;

	if (head->nlmsg_len < NLMSG_LENGTH(sizeof(message)))
		return false;
	memcpy(&message, NLMSG_DATA(head), sizeof(message));
	shutdown = attribute(head, sizeof(message), UNIX_DIAG_SHUTDOWN, &size);
	*ret_sock = (struct pw_sock){.inode = message.udiag_ino,
				     .local = true,
				     .state = state_of(message.udiag_state),
				     .received_ms = UINT32_MAX};
	if (message.udiag_type != SOCK_STREAM && ret_sock->state == PW_SOCK_ESTABLISHED)
		ret_sock->state = PW_SOCK_OTHER;
	if (ret_sock->state == PW_SOCK_ESTABLISHED && shutdown && size && *shutdown & RCV_SHUTDOWN)
		ret_sock->state = PW_SOCK_CLOSED_BY_PEER;
	return true;
}

/* One datagram of answers: 1 that was the end, 0 more to come, -errno. */
static int take_all(const char *bytes, size_t size, int family, int protocol, pw_sock_fn callback, void *context)
{
	size_t used = 0;

	while (used + sizeof(struct nlmsghdr) <= size) {
		const struct nlmsghdr *head = (const struct nlmsghdr *)(const void *)(bytes + used);
		struct pw_sock sock;
		int32_t error;

		if (head->nlmsg_len < sizeof(*head) || head->nlmsg_len > size - used)
			return -EBADMSG;
		if (head->nlmsg_type == NLMSG_DONE)
			return 1;
		if (head->nlmsg_type == NLMSG_ERROR) {
			if (head->nlmsg_len < NLMSG_LENGTH(sizeof(error)))
				return -EBADMSG;
			memcpy(&error, NLMSG_DATA(head), sizeof(error));
			return error < 0 ? error : -EBADMSG;
		}
		if ((family == AF_UNIX ? take_unix(head, &sock) : take_tcp(head, protocol, &sock)) && sock.inode &&
		    !callback(context, &sock))
			return -ECANCELED;
		used += NLMSG_ALIGN(head->nlmsg_len);
	}
	return 0;
}

int pw_sockdiag_list(int family, int protocol, pw_sock_fn callback, void *context)
{
	_cleanup_fd_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	const struct timeval timeout = {.tv_sec = RECEIVE_TIMEOUT_S};
	_cleanup_free_ char *bytes = malloc(REPLY_BYTES);
	int r;

	if (!bytes)
		return -ENOMEM;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	r = ask_for(fd, family, protocol);
	while (r == 0) {
		ssize_t size = recv(fd, bytes, REPLY_BYTES, 0);

		if (size < 0)
			return -errno;
		r = size ? take_all(bytes, (size_t)size, family, protocol, callback, context) : -EBADMSG;
	}
	return r < 0 ? r : 0;
}

/* ---- /proc --------------------------------------------------------------------------------------------------------
 */

/* "sl local rem st tx:rx tr:when retrnsmt uid timeout inode ..." */
bool pw_sock_parse_line(const char *line, struct pw_sock *ret_sock)
{
	unsigned long long inode;
	unsigned int state;

	if (sscanf(line, " %*u: %*[0-9A-Fa-f]:%*x %*[0-9A-Fa-f]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %llu", &state,
		   &inode) != 2 ||
	    !inode)
		return false;
	*ret_sock = (struct pw_sock){.inode = inode, .state = state_of(state), .received_ms = UINT32_MAX};
	return true;
}
