/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "reader/nursery.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/macros.h"
#include "reader/fdpass.h"
#include "reader/reader_main.h"
#include "reader/sandbox.h"

#define COMMAND_SPAWN 'S'
#define COMMAND_KILL  'K'
#define CONTROL_FD    3

/* ---- the nursery's own side ---- */

static void end_reader(pid_t *reader)
{
	if (*reader <= 0)
		return;
	kill(*reader, SIGKILL);
	while (waitpid(*reader, NULL, 0) < 0 && errno == EINTR)
		;
	*reader = 0;
}

/* The parent's signals are not for us: it tells us when to end, by closing the socket or by dying. */
static void ignore_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT, SIGUSR1, SIGUSR2};
	sigset_t none;

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		signal(signals[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static pid_t fork_reader(int socket_fd)
{
	pid_t nursery = getpid(), pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != nursery)
		_exit(1);
	prctl(PR_SET_NAME, "parkwatch-read", 0, 0, 0);
	close(CONTROL_FD);
	if (pw_sandbox_enter())
		_exit(1);
	_exit(pw_reader_main(socket_fd) ? 1 : 0);
}

static void nursery_main(void) __attribute__((noreturn));
static void nursery_main(void)
{
	pid_t reader = 0;

	for (;;) {
		_cleanup_fd_ int socket_fd = -1;
		char command;
		ssize_t n = pw_fd_receive(CONTROL_FD, &command, sizeof(command), &socket_fd);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			break;
		end_reader(&reader);
		if (command == COMMAND_SPAWN && socket_fd >= 0)
			reader = fork_reader(socket_fd);
	}
	end_reader(&reader);
	_exit(0);
}

/* Keeps the control socket as CONTROL_FD, /dev/null as 0 to 2 (2 stays under a sanitizer, which reports there). */
static int keep_only(int control_fd)
{
	int null_fd;

	if (control_fd != CONTROL_FD && dup2(control_fd, CONTROL_FD) < 0)
		return -errno;
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; null_fd >= 0 && fd < 2; fd++)
		if (dup2(null_fd, fd) < 0)
			return -errno;
#ifndef __SANITIZE_ADDRESS__
	if (null_fd >= 0 && dup2(null_fd, 2) < 0)
		return -errno;
#endif
	if (syscall(SYS_close_range, CONTROL_FD + 1, ~0U, 0)) {
		/* before 5.9 */
		for (int fd = CONTROL_FD + 1; fd < 65536; fd++)
			close(fd);
	}
	return 0;
}

/* ---- parkwatch's side ---- */

int pw_nursery_start(struct pw_nursery *ret_nursery)
{
	int sockets[2];
	pid_t parent = getpid(), pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets))
		return -errno;
	pid = fork();
	if (pid < 0) {
		int r = -errno;

		close(sockets[0]);
		close(sockets[1]);
		return r;
	}
	if (!pid) {
		ignore_signals();
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		prctl(PR_SET_NAME, "parkwatch-nurse", 0, 0, 0);
		if (getppid() != parent || keep_only(sockets[1]) || pw_sandbox_drop_privileges())
			_exit(1);
		/* capset and prctl(PR_SET_DUMPABLE) are behind us; the death signal survives them only if set anew */
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		nursery_main();
	}
	close(sockets[1]);
	*ret_nursery = (struct pw_nursery){.pid = pid, .control_fd = sockets[0]};
	return 0;
}

void pw_nursery_done(struct pw_nursery *nursery)
{
	if (nursery->pid <= 0)
		return;
	pw_closep(&nursery->control_fd);
	kill(nursery->pid, SIGKILL); /* the reader dies with it: PR_SET_PDEATHSIG */
	while (waitpid(nursery->pid, NULL, 0) < 0 && errno == EINTR)
		;
	nursery->pid = 0;
}

static int command(const struct pw_nursery *nursery, char what, int fd)
{
	ssize_t n = pw_fd_send(nursery->control_fd, &what, sizeof(what), fd);

	if (n == -ECONNRESET || n == -ENOTCONN)
		return -EPIPE;
	return n < 0 ? (int)n : 0;
}

int pw_nursery_spawn(const struct pw_nursery *nursery, int socket_fd)
{
	return command(nursery, COMMAND_SPAWN, socket_fd);
}

int pw_nursery_kill(const struct pw_nursery *nursery)
{
	return command(nursery, COMMAND_KILL, -1);
}
