/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/sockets.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/parse.h"
#include "base/procfs.h"
#include "base/vec.h"
#include "model/holdings.h"
#include "model/record.h"

#define LINE_MAX_BYTES 512
#define QUIET_MS       (15 * 60 * 1000u)

struct look {
	PW_VEC(struct pw_socket_file) files; /* by inode */
	uint64_t seen, left_out;
	bool multipath; /* the kernel has listed MPTCP, too */
};

void pw_sockets_done(struct pw_sockets *sockets)
{
	free(sockets->files);
	*sockets = (struct pw_sockets){0};
}

static int by_fd(const void *a, const void *b)
{
	const struct pw_socket_file *left = a, *right = b;

	return left->fd < right->fd ? -1 : left->fd > right->fd;
}

static int by_inode(const void *a, const void *b)
{
	const struct pw_socket_file *left = a, *right = b;

	return left->inode < right->inode ? -1 : left->inode > right->inode;
}

const struct pw_socket_file *pw_sockets_find(const struct pw_sockets *sockets, int fd)
{
	const struct pw_socket_file key = {.fd = fd};
	const struct pw_socket_file *file =
		sockets->files ? bsearch(&key, sockets->files, sockets->count, sizeof(key), by_fd) : NULL;

	return file && file->known ? file : NULL;
}

/* ---- descriptors --------------------------------------------------------------------------------------------------
 */

/* "socket:[4711]" */
static int take_link(struct look *look, int directory, const char *name)
{
	struct pw_socket_file file = {.since_ns = 0};
	char text[64];
	uint64_t fd;
	ssize_t size;

	if (pw_parse_u64(name, &fd) < 0 || fd > INT32_MAX)
		return 0;
	size = readlinkat(directory, name, text, sizeof(text) - 1);
	if (size < 9 || strncmp(text, "socket:[", 8) != 0 || text[size - 1] != ']')
		return 0;
	text[size - 1] = '\0';
	if (pw_parse_u64(text + 8, &file.inode) < 0)
		return 0;
	file.fd = (int32_t)fd;
	return pw_vec_push(&look->files, file) == -ENOMEM ? -ENOMEM : 0;
}

static int list_files(struct look *look, const struct pw_procfs *procfs, int pid)
{
	int fd = pw_procfs_open_file(procfs, pid, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	uint64_t count = 0;
	DIR *directory;

	if (fd < 0)
		return fd;
	directory = fdopendir(fd);
	if (!directory) {
		close(fd);
		return -ENOMEM;
	}
	for (struct dirent *entry = readdir(directory); entry && r == 0; entry = readdir(directory)) {
		if (entry->d_name[0] == '.')
			continue;
		if (count++ < PW_SOCKET_FILES_MAX)
			r = take_link(look, fd, entry->d_name);
		else
			look->left_out++;
	}
	closedir(directory);
	return r;
}

/* ---- their states -------------------------------------------------------------------------------------------------
 */

static bool take_sock(void *context, const struct pw_sock *sock)
{
	struct look *look = context;
	const struct pw_socket_file key = {.inode = sock->inode};
	struct pw_socket_file *file = bsearch(&key, look->files.items, look->files.count, sizeof(key), by_inode), *end;

	if (file) { /* it may have several descriptors */
		end = look->files.items + look->files.count;
		while (file > look->files.items && file[-1].inode == sock->inode)
			file--;
		for (; file < end && file->inode == sock->inode; file++) {
			if (!file->known) /* the first list says most */
				file->sock = *sock;
			file->known = true;
		}
	}
	return ++look->seen < PW_SOCKETS_SEEN_MAX;
}

static void read_table(struct look *look, const struct pw_procfs *procfs, int pid, const char *name)
{
	int fd = pw_procfs_open_file(procfs, pid, name, O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	char line[LINE_MAX_BYTES];
	struct pw_sock sock;

	if (!file) {
		if (fd >= 0)
			close(fd);
		look->left_out += fd != -ENOENT; /* no IPv6 here, so no sockets of it either */
		return;
	}
	while (fgets(line, sizeof(line), file))
		if (pw_sock_parse_line(line, &sock) && !take_sock(look, &sock)) {
			look->left_out++;
			break;
		}
	(void)fclose(file);
}

/* In our namespace. False: the kernel has no sock_diag for us, and /proc has told the rest. */
static bool ask_kernel(struct look *look, const struct pw_procfs *procfs, int pid, int *ret_error)
{
	static const struct {
		int family;
		const char *table;
	} tcp[] = {{AF_INET, "net/tcp"}, {AF_INET6, "net/tcp6"}};
	bool whole = true;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(tcp) && r != -ECANCELED && r != -ENOMEM; i++) {
		r = pw_sockdiag_list(tcp[i].family, IPPROTO_TCP, take_sock, look);
		if (r == 0 || r == -ECANCELED || r == -ENOMEM)
			continue;
		read_table(look, procfs, pid, tcp[i].table);
		whole = false;
	}
	if (r != -ECANCELED && r != -ENOMEM)
		whole &= pw_sockdiag_list(AF_UNIX, 0, take_sock, look) == 0;
	if (r != -ECANCELED && r != -ENOMEM)
		look->multipath = pw_sockdiag_list(AF_INET, IPPROTO_MPTCP, take_sock, look) == 0 &&
				  pw_sockdiag_list(AF_INET6, IPPROTO_MPTCP, take_sock, look) == 0;
	look->left_out += r == -ECANCELED;
	*ret_error = r == -ENOMEM ? r : 0;
	return whole;
}

/*
 * A connection that was reset is in no list of the kernel, but it keeps its descriptor: the name of its protocol is an
 * attribute of the file (net/socket.c:sockfs_xattr_get). Go's keep-alive makes one of each CLOSE_WAIT after a while.
 * Go 1.24 and later listen with MPTCP, so that accepted ones are called that, whatever they are.
 */
static void find_dead(struct look *look, const struct pw_procfs *procfs, int pid)
{
	_cleanup_fd_ int directory = pw_procfs_open_file(procfs, pid, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char path[64], protocol[16];

	for (size_t i = 0; i < look->files.count && directory >= 0; i++) {
		struct pw_socket_file *file = &look->files.items[i];
		ssize_t size;

		if (file->known)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d/%d", directory, (int)file->fd);
		size = getxattr(path, "system.sockprotoname", protocol, sizeof(protocol) - 1);
		protocol[PW_MAX(size, (ssize_t)0)] = '\0';
		if (strncmp(protocol, "TCP", 3) != 0 && !(look->multipath && !strncmp(protocol, "MPTCP", 5)))
			continue;
		file->known = true;
		file->sock = (struct pw_sock){.inode = file->inode, .state = PW_SOCK_DEAD, .received_ms = UINT32_MAX};
	}
}

static bool is_ours(const struct pw_procfs *procfs, int pid)
{
	uint64_t theirs, ours;

	return pw_procfs_ns(procfs, pid, "net", &theirs) == 0 && pw_procfs_ns(procfs, getpid(), "net", &ours) == 0 &&
	       theirs == ours;
}

/* ---- the look -----------------------------------------------------------------------------------------------------
 */

static bool is_over(const struct pw_socket_file *file)
{
	return file->sock.state == PW_SOCK_CLOSED_BY_PEER || file->sock.state == PW_SOCK_DEAD;
}

/* It has been in that state since a look before, if it was the same socket then. */
static void date(const struct pw_sockets *before, struct pw_socket_file *file, uint64_t boot_ns)
{
	const struct pw_socket_file *was = pw_sockets_find(before, file->fd);
	bool same = was && was->inode == file->inode &&
		    (was->sock.state == file->sock.state || (is_over(was) && is_over(file)));

	file->since_ns = same ? was->since_ns : boot_ns;
}

static void count_one(const struct pw_socket_file *file, uint64_t boot_ns, struct pw_holdings *numbers)
{
	bool closed = file->sock.state == PW_SOCK_CLOSED_BY_PEER,
	     lasts = is_over(file) && boot_ns - file->since_ns >= PW_SOCKET_LONG_NS;

	if (!file->known)
		return;
	if (file->sock.local) {
		numbers->unix_connected += file->sock.state == PW_SOCK_ESTABLISHED;
		numbers->unix_closed += closed;
		numbers->unix_closed_long += lasts;
		return;
	}
	numbers->tcp_established += file->sock.state == PW_SOCK_ESTABLISHED;
	numbers->tcp_close_wait += closed;
	numbers->tcp_dead += file->sock.state == PW_SOCK_DEAD;
	numbers->tcp_close_wait_long += lasts;
	numbers->tcp_listen += file->sock.state == PW_SOCK_LISTEN;
	numbers->tcp_other += file->sock.state == PW_SOCK_OTHER;
	if (numbers->tcp_quiet != PW_UNKNOWN && file->sock.state == PW_SOCK_ESTABLISHED)
		numbers->tcp_quiet += file->sock.received_ms >= QUIET_MS;
}

static void sum_up(const struct pw_sockets *sockets, const struct look *look, struct pw_holdings *numbers)
{
	numbers->sockets = sockets->count;
	numbers->sockets_left_out = look->left_out;
	numbers->tcp_established = numbers->tcp_close_wait = numbers->tcp_close_wait_long = 0;
	numbers->tcp_dead = numbers->tcp_listen = numbers->tcp_other = 0;
	if (sockets->same_namespace)
		numbers->tcp_quiet = numbers->unix_connected = numbers->unix_closed = numbers->unix_closed_long = 0;
	for (size_t i = 0; i < sockets->count; i++)
		count_one(&sockets->files[i], sockets->taken_ns, numbers);
}

int pw_sockets_look(struct pw_sockets *sockets, const struct pw_procfs *procfs, int pid, uint64_t boot_ns,
		    struct pw_holdings *numbers)
{
	struct look look = {.files.max = PW_SOCKET_FILES_MAX};
	int r = list_files(&look, procfs, pid);
	bool ours = is_ours(procfs, pid);

	if (look.files.count)
		qsort(look.files.items, look.files.count, sizeof(*look.files.items), by_inode);
	if (!r && look.files.count && ours)
		ours = ask_kernel(&look, procfs, pid, &r);
	else if (!r && look.files.count) {
		read_table(&look, procfs, pid, "net/tcp");
		read_table(&look, procfs, pid, "net/tcp6");
	}
	if (r) {
		pw_vec_done(&look.files);
		return r;
	}
	if (!look.left_out) /* else those that were left out would look like dead ones */
		find_dead(&look, procfs, pid);
	for (size_t i = 0; i < look.files.count; i++)
		date(sockets, &look.files.items[i], boot_ns);
	if (look.files.count)
		qsort(look.files.items, look.files.count, sizeof(*look.files.items), by_fd);
	free(sockets->files);
	*sockets = (struct pw_sockets){
		.files = look.files.items, .count = look.files.count, .same_namespace = ours, .taken_ns = boot_ns};
	sum_up(sockets, &look, numbers);
	return 0;
}
