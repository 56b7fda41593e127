/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/alert_exec.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/time.h"
#include "base/why.h"
#include "model/alert.h"
#include "output/alert_json.h"

#define MESSAGE_MAX	 (128U << 10)
#define SOCKET_BYTES	 (2 << 20) /* of messages under way */
#define WORDS_MAX	 400	   /* bytes of what the command says */
#define NOBODY		 65534
#define SOCKET_FD	 3 /* of ours in the child */
#define LAST_CAPABILITY	 63
#define SOCKET_QUEUE_MAX 64

/* The answer of the process; the first one says whether it could get ready. */
struct answer {
	int32_t error;	/* -errno: it could not be run */
	int32_t status; /* of waitpid */
	uint8_t timed_out;
	char words[WORDS_MAX];
};

struct pw_alert_exec {
	pid_t pid;
	int fd;
	bool ended; /* that process has */
	unsigned int under_way;
	struct pw_sink_stats stats;
};

PW_DEFINE_CLEANUP(struct pw_alert_exec *, pw_alert_exec_free);

/* --- the process that runs it ------------------------------------------------------------------------------------ */

static int drop_everything(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	for (int capability = 0; capability <= LAST_CAPABILITY; capability++)
		(void)prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
	if (geteuid() == 0) {
		if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
		    setresuid(NOBODY, NOBODY, NOBODY) < 0)
			return -errno;
	}
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &header, data) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

/* Only the socket stays of what we inherit. */
static int prepare(int fd)
{
	int null;

	(void)prctl(PR_SET_NAME, "parkwatch-exec", 0, 0, 0);
	if (fd != SOCKET_FD && dup2(fd, SOCKET_FD) < 0)
		return -errno;
	null = open("/dev/null", O_RDWR | O_NOCTTY);
	if (null < 0)
		return -errno;
	for (int i = 0; i < SOCKET_FD; i++)
		if (dup2(null, i) < 0)
			return -errno;
	if (syscall(SYS_close_range, SOCKET_FD + 1, ~0U, 0) < 0)
		for (int i = SOCKET_FD + 1; i < 65536; i++) /* kernels before 5.9 */
			close(i);
	if (fcntl(SOCKET_FD, F_SETFD, FD_CLOEXEC) < 0 || chdir("/") < 0 || setsid() < 0)
		return -errno;
	umask(077);
	return drop_everything();
}

static void reset_signals(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int memory_file(const char *text, size_t size)
{
	_cleanup_fd_ int fd = (int)syscall(SYS_memfd_create, "alert", 1U /* MFD_CLOEXEC */);
	size_t done = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	for (; done < size; done += (size_t)n) {
		n = write(fd, text + done, size - done);
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
	}
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : TAKE_FD(fd);
}

static void run_command(char *const *arguments, int input, int output)
{
	char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", language[] = "LANG=C.UTF-8";
	char *const environment[] = {path, language, NULL};

	(void)setpgid(0, 0);
	if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
		_exit(127);
	execve(arguments[0], arguments, environment);
	dprintf(2, "cannot run '%s': %s", arguments[0], strerror(errno));
	_exit(127);
}

/* Keeps the first words and throws the rest away, so that the command never waits for us. */
static void hear(int fd, struct answer *answer, size_t *heard)
{
	char block[4096];
	ssize_t n = read(fd, block, sizeof(block));
	size_t room = sizeof(answer->words) - 1 - *heard;

	if (n <= 0)
		return;
	memcpy(answer->words + *heard, block, PW_MIN((size_t)n, room));
	*heard += PW_MIN((size_t)n, room);
}

/* Until it ends or its time is over. Its own children may hold the pipe longer: that does not count. */
static void watch(pid_t pid, int pidfd, int output, uint64_t timeout_ns, struct answer *answer)
{
	uint64_t end_ns = pw_now_ns() + timeout_ns, now_ns;
	size_t heard = 0;

	for (;;) {
		struct pollfd fds[2] = {{.fd = pidfd, .events = POLLIN}, {.fd = output, .events = POLLIN}};

		now_ns = pw_now_ns();
		if (now_ns >= end_ns) {
			answer->timed_out = 1;
			(void)kill(-pid, SIGKILL);
			end_ns = UINT64_MAX;
			continue;
		}
		if (poll(fds, 2, end_ns == UINT64_MAX ? -1 : (int)((end_ns - now_ns) / PW_NS_PER_MS) + 1) < 0 &&
		    errno != EINTR)
			return;
		if (fds[1].revents & POLLIN)
			hear(output, answer, &heard);
		else if (fds[0].revents)
			return;
	}
}

static void run_once(char *const *arguments, uint64_t timeout_ns, const char *text, size_t size, struct answer *answer)
{
	_cleanup_fd_ int input = memory_file(text, size), pidfd = -1, from = -1, to = -1;
	int ends[2];
	pid_t pid;

	if (input < 0 || pipe2(ends, O_CLOEXEC) < 0) {
		answer->error = input < 0 ? input : -errno;
		return;
	}
	from = ends[0];
	to = ends[1];
	pid = fork();
	if (pid == 0)
		run_command(arguments, input, to);
	if (pid < 0) {
		answer->error = -errno;
		return;
	}
	(void)setpgid(pid, pid);
	close(TAKE_FD(to));
	(void)fcntl(from, F_SETFL, O_NONBLOCK);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd >= 0)
		watch(pid, pidfd, from, timeout_ns, answer);
	while (waitpid(pid, &answer->status, 0) < 0 && errno == EINTR)
		;
	(void)kill(-pid, SIGKILL); /* what it left behind in its group */
}

static void serve(const struct pw_sinks_config *config, int fd)
{
	char *arguments[PW_SINK_ARGUMENTS_MAX + 1] = {0};
	_cleanup_free_ char *text = malloc(MESSAGE_MAX);
	struct answer answer = {0};
	ssize_t n;

	for (size_t i = 0; i < config->exec_count; i++)
		arguments[i] = strdup(config->exec[i]);
	reset_signals();
	answer.error = prepare(fd);
	if (!text || !arguments[0])
		answer.error = -ENOMEM;
	if (send(SOCKET_FD, &answer, sizeof(answer), MSG_NOSIGNAL) < 0 || answer.error)
		return;
	while ((n = recv(SOCKET_FD, text, MESSAGE_MAX, 0)) > 0 || (n < 0 && errno == EINTR)) {
		if (n < 0)
			continue;
		answer = (struct answer){0};
		run_once(arguments, config->exec_timeout_ns, text, (size_t)n, &answer);
		if (send(SOCKET_FD, &answer, sizeof(answer), MSG_NOSIGNAL) < 0)
			return;
	}
}

/* --- our side ---------------------------------------------------------------------------------------------------- */

static int wait_ready(const struct pw_alert_exec *exec, struct pw_why *reterr_why)
{
	struct answer answer;
	ssize_t n;

	do
		n = recv(exec->fd, &answer, sizeof(answer), 0);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(answer))
		return pw_why_set(reterr_why, -EIO, "the process that runs the command of alerts.exec ended at once");
	if (answer.error)
		return pw_why_set(reterr_why, answer.error, "cannot give up privileges for alerts.exec: %s",
				  strerror(-answer.error));
	return 0;
}

int pw_alert_exec_start(struct pw_alert_exec **ret_exec, const struct pw_sinks_config *config,
			struct pw_why *reterr_why)
{
	_cleanup_(pw_alert_exec_freep) struct pw_alert_exec *exec = calloc(1, sizeof(*exec));
	int ends[2], bytes = SOCKET_BYTES, r;

	if (!exec)
		return -ENOMEM;
	exec->fd = -1;
	exec->stats.ok = true;
	snprintf(exec->stats.name, sizeof(exec->stats.name), "exec %.80s", config->exec[0]);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return pw_why_set(reterr_why, -errno, "cannot make a socket pair: %s", strerror(errno));
	(void)setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	exec->fd = ends[0];
	exec->pid = fork();
	if (exec->pid == 0) {
		serve(config, ends[1]);
		_exit(0);
	}
	close(ends[1]);
	if (exec->pid < 0)
		return pw_why_set(reterr_why, -errno, "cannot fork: %s", strerror(errno));
	r = wait_ready(exec, reterr_why);
	if (r < 0)
		return r;
	*ret_exec = TAKE_PTR(exec);
	return 0;
}

void pw_alert_exec_free(struct pw_alert_exec *exec)
{
	if (!exec)
		return;
	if (exec->fd >= 0)
		close(exec->fd); /* which ends it behind the command that runs */
	if (exec->pid > 0 && !exec->under_way)
		while (waitpid(exec->pid, NULL, 0) < 0 && errno == EINTR)
			;
	free(exec);
}

void pw_alert_exec_tell(struct pw_alert_exec *exec, const struct pw_alert *alert)
{
	_cleanup_buf_ struct pw_buf line = PW_BUF_INIT(MESSAGE_MAX);

	pw_view_alert_line(&line, alert);
	if (pw_buf_error(&line) || exec->ended || exec->under_way >= SOCKET_QUEUE_MAX ||
	    send(exec->fd, pw_buf_text(&line), line.size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		exec->stats.dropped++;
		pw_log_warn(0, "%s: an alert is given up: %s", exec->stats.name,
			    exec->ended ? "the process that runs it has ended" : "too many wait for the command");
		return;
	}
	exec->under_way++;
}

int pw_alert_exec_fd(const struct pw_alert_exec *exec)
{
	return exec->fd;
}

static void judge(struct pw_alert_exec *exec, struct answer *answer)
{
	bool ok = !answer->error && WIFEXITED(answer->status) && !WEXITSTATUS(answer->status);

	answer->words[sizeof(answer->words) - 1] = '\0';
	exec->stats.ok = ok;
	exec->stats.delivered += ok;
	exec->stats.failed_tries += !ok;
	if (ok)
		return;
	if (answer->error)
		pw_log_warn(answer->error, "%s cannot be run: %s", exec->stats.name, strerror(-answer->error));
	else if (answer->timed_out)
		pw_log_warn(0, "%s took too long and was killed: %s", exec->stats.name, answer->words);
	else if (WIFSIGNALED(answer->status))
		pw_log_warn(0, "%s was killed by signal %d: %s", exec->stats.name, WTERMSIG(answer->status),
			    answer->words);
	else
		pw_log_warn(0, "%s ended with status %d: %s", exec->stats.name, WEXITSTATUS(answer->status),
			    answer->words);
}

bool pw_alert_exec_dispatch(struct pw_alert_exec *exec)
{
	struct answer answer;
	ssize_t n;

	while ((n = recv(exec->fd, &answer, sizeof(answer), MSG_DONTWAIT)) == sizeof(answer)) {
		exec->under_way -= exec->under_way > 0;
		judge(exec, &answer);
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	exec->ended = true;
	exec->stats.ok = false;
	exec->stats.dropped += exec->under_way;
	exec->under_way = 0;
	pw_log_err(0, "the process that runs %s has ended: alerts no longer reach it", exec->stats.name);
	return false;
}

void pw_alert_exec_stats(const struct pw_alert_exec *exec, struct pw_sink_stats *ret_stats)
{
	*ret_stats = exec->stats;
	ret_stats->waiting = exec->under_way;
	ret_stats->in_memory = exec->under_way;
}
