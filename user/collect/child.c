/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "collect/child.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/time.h"
#include "base/why.h"

struct pw_child {
	pid_t pid;
	int socket;
	int exe_fd;
	uint64_t offset[_PW_CHILD_SITE_MAX];
};

struct order {
	uint32_t site, count;
	uint32_t second_thread, hide;
};

/*
 * Two functions to probe, and for each a loop that calls it with the registers of a park. Written in assembler, since
 * the probed instruction and the goroutine register are the point of it.
 */
void pw_child_emulated(void);
void pw_child_stepped(void);
void pw_child_emulated_loop(const void *block, uint64_t count);
void pw_child_stepped_loop(const void *block, uint64_t count);
void pw_child_deep(void);
void pw_child_deep_loop(const void *block, uint64_t count, const void *frames);

#if defined(__x86_64__)
#define LOOP(name)                                           \
	".globl " #name "_loop\n"                            \
	".type " #name "_loop, @function\n" #name "_loop:\n" \
	"	push %r14\n"                                       \
	"	mov %rdi, %r14\n"                                  \
	"1:	mov $1, %ecx\n"                                  \
	"	call " #name "\n"                            \
	"	dec %rsi\n"                                        \
	"	jnz 1b\n"                                          \
	"	pop %r14\n"                                        \
	"	ret\n"                                             \
	".size " #name "_loop, . - " #name "_loop\n"
asm(".text\n"
    ".globl pw_child_emulated\n"
    ".type pw_child_emulated, @function\n"
    "pw_child_emulated:\n"
    "	push %rbp\n"
    "	pop %rbp\n"
    "	ret\n"
    ".size pw_child_emulated, . - pw_child_emulated\n"
    ".globl pw_child_stepped\n"
    ".type pw_child_stepped, @function\n"
    "pw_child_stepped:\n"
    "	lea 8(%rax), %rax\n"
    "	ret\n"
    ".size pw_child_stepped, . - pw_child_stepped\n" LOOP(pw_child_emulated)
	    LOOP(pw_child_stepped) ".globl pw_child_deep\n"
				   ".type pw_child_deep, @function\n"
				   "pw_child_deep:\n"
				   "	push %rbp\n"
				   "	pop %rbp\n"
				   "	ret\n"
				   ".size pw_child_deep, . - pw_child_deep\n"
				   ".globl pw_child_deep_loop\n"
				   ".type pw_child_deep_loop, @function\n"
				   "pw_child_deep_loop:\n"
				   "	push %rbp\n"
				   "	push %r14\n"
				   "	mov %rdi, %r14\n"
				   "	mov %rdx, %rbp\n"
				   "1:	mov $1, %ecx\n"
				   "	call pw_child_deep\n"
				   "	dec %rsi\n"
				   "	jnz 1b\n"
				   "	pop %r14\n"
				   "	pop %rbp\n"
				   "	ret\n"
				   ".size pw_child_deep_loop, . - pw_child_deep_loop\n");
#elif defined(__aarch64__)
#define LOOP(name)                                           \
	".globl " #name "_loop\n"                            \
	".type " #name "_loop, %function\n" #name "_loop:\n" \
	"	stp x29, x30, [sp, #-32]!\n"                       \
	"	str x28, [sp, #16]\n"                              \
	"	mov x28, x0\n"                                     \
	"1:	mov w2, #1\n"                                    \
	"	bl " #name "\n"                              \
	"	subs x1, x1, #1\n"                                 \
	"	b.ne 1b\n"                                         \
	"	ldr x28, [sp, #16]\n"                              \
	"	ldp x29, x30, [sp], #32\n"                         \
	"	ret\n"                                             \
	".size " #name "_loop, . - " #name "_loop\n"
asm(".text\n"
    ".globl pw_child_emulated\n"
    ".type pw_child_emulated, %function\n"
    "pw_child_emulated:\n"
    "	b 1f\n"
    "1:	ret\n"
    ".size pw_child_emulated, . - pw_child_emulated\n"
    ".globl pw_child_stepped\n"
    ".type pw_child_stepped, %function\n"
    "pw_child_stepped:\n"
    "	add x0, x0, #8\n"
    "	ret\n"
    ".size pw_child_stepped, . - pw_child_stepped\n" LOOP(pw_child_emulated)
	    LOOP(pw_child_stepped) ".globl pw_child_deep\n"
				   ".type pw_child_deep, %function\n"
				   "pw_child_deep:\n"
				   "	b 1f\n"
				   "1:	ret\n"
				   ".size pw_child_deep, . - pw_child_deep\n"
				   ".globl pw_child_deep_loop\n"
				   ".type pw_child_deep_loop, %function\n"
				   "pw_child_deep_loop:\n"
				   "	stp x29, x30, [sp, #-32]!\n"
				   "	str x28, [sp, #16]\n"
				   "	mov x28, x0\n"
				   "	mov x29, x2\n"
				   "1:	mov w2, #1\n"
				   "	bl pw_child_deep\n"
				   "	subs x1, x1, #1\n"
				   "	b.ne 1b\n"
				   "	ldr x28, [sp, #16]\n"
				   "	ldp x29, x30, [sp], #32\n"
				   "	ret\n"
				   ".size pw_child_deep_loop, . - pw_child_deep_loop\n");
#else
#error "no probe functions for this architecture"
#endif

uint8_t pw_child_g_reg(void)
{
#if defined(__x86_64__)
	return 14;
#else
	return 28;
#endif
}

uint8_t pw_child_arg_reg(void)
{
#if defined(__x86_64__)
	return 1; /* rcx */
#else
	return 2;
#endif
}

uint64_t pw_child_address(enum pw_child_site site)
{
	static void (*const functions[_PW_CHILD_SITE_MAX])(void) = {[PW_CHILD_EMULATED] = pw_child_emulated,
								    [PW_CHILD_STEPPED] = pw_child_stepped,
								    [PW_CHILD_DEEP] = pw_child_deep};

	return (uint64_t)(uintptr_t)functions[site];
}

/* Stands for a runtime.g in the child. */
static uint64_t goroutine[64];

struct task {
	const struct order *order;
	uint64_t ns;
};

/* As frame pointers link them: the next frame, and where it returns to. */
struct chained {
	const struct chained *next;
	void (*returns_to)(void);
};

static void run_deep(uint64_t count)
{
	struct chained frames[PW_CHILD_FRAMES];

	for (size_t i = 0; i < PW_CHILD_FRAMES; i++)
		frames[i] = (struct chained){i + 1 < PW_CHILD_FRAMES ? &frames[i + 1] : NULL, pw_child_deep};
	pw_child_deep_loop(goroutine, count, frames);
}

static void *work(void *argument)
{
	struct task *task = argument;
	uint64_t start_ns = pw_cpu_thread_ns(); /* what a busy host takes from it is not the price of a hit */

	if (task->order->site == PW_CHILD_EMULATED)
		pw_child_emulated_loop(goroutine, task->order->count);
	else if (task->order->site == PW_CHILD_DEEP)
		run_deep(task->order->count);
	else
		pw_child_stepped_loop(goroutine, task->order->count);
	task->ns = pw_cpu_thread_ns() - start_ns;
	return NULL;
}

static void child_main(int socket, pid_t parent) __attribute__((noreturn));
static void child_main(int socket, pid_t parent)
{
	struct order order;
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	while (read(socket, &order, sizeof(order)) == (ssize_t)sizeof(order)) {
		struct task task = {.order = &order};
		pthread_t thread;

		if (order.hide)
			task.ns = (uint64_t)-prctl(PR_SET_DUMPABLE, 0);
		else if (!order.second_thread)
			work(&task);
		else if (!pthread_create(&thread, NULL, work, &task))
			pthread_join(thread, NULL);
		if (write(socket, &task.ns, sizeof(task.ns)) != (ssize_t)sizeof(task.ns))
			break;
	}
	_exit(0);
}

/* Address in our own text -> offset in our program file. */
static int find_offset(uint64_t address, uint64_t *ret_offset)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	int r = -ENODATA;

	if (!maps)
		return -errno;
	while (r == -ENODATA && fgets(line, sizeof(line), maps)) {
		uint64_t start, end, offset;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64, &start, &end, &offset) != 3 ||
		    address < start || address >= end)
			continue;
		*ret_offset = address - start + offset;
		r = 0;
	}
	fclose(maps);
	return r;
}

int pw_child_start(struct pw_child **ret_child, struct pw_why *reterr_why)
{
	struct pw_child *child = calloc(1, sizeof(*child));
	pid_t parent = getpid();
	int pair[2], r;

	if (!child)
		return pw_why_set(reterr_why, -ENOMEM, "out of memory");
	child->socket = child->exe_fd = -1;
	for (int site = 0; site < _PW_CHILD_SITE_MAX; site++) {
		r = find_offset(pw_child_address((enum pw_child_site)site), &child->offset[site]);
		if (r < 0) {
			free(child);
			return pw_why_set(reterr_why, r, "cannot find our own code in /proc/self/maps");
		}
	}
	child->exe_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (child->exe_fd < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		r = -errno;
		pw_child_stop(child);
		return pw_why_set(reterr_why, r, "cannot prepare a child to try probes on: %m");
	}
	child->pid = fork();
	if (child->pid == 0) {
		close(pair[0]);
		child_main(pair[1], parent);
	}
	r = -errno;
	close(pair[1]);
	child->socket = pair[0];
	if (child->pid < 0) {
		pw_child_stop(child);
		return pw_why_set(reterr_why, r, "cannot fork a child to try probes on: %m");
	}
	*ret_child = child;
	return 0;
}

void pw_child_stop(struct pw_child *child)
{
	if (!child)
		return;
	if (child->pid > 0) {
		kill(child->pid, SIGKILL);
		while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	pw_closep(&child->socket);
	pw_closep(&child->exe_fd);
	free(child);
}

pid_t pw_child_pid(const struct pw_child *child)
{
	return child->pid;
}

int pw_child_exe_fd(const struct pw_child *child)
{
	return child->exe_fd;
}

uint64_t pw_child_file_offset(const struct pw_child *child, enum pw_child_site site)
{
	return child->offset[site];
}

static int ask(struct pw_child *child, const struct order *order, uint64_t *ret_answer)
{
	if (send(child->socket, order, sizeof(*order), MSG_NOSIGNAL) != (ssize_t)sizeof(*order) ||
	    recv(child->socket, ret_answer, sizeof(*ret_answer), MSG_WAITALL) != (ssize_t)sizeof(*ret_answer))
		return -ECHILD;
	return 0;
}

int pw_child_run(struct pw_child *child, enum pw_child_site site, uint32_t count, bool second_thread, uint64_t *ret_ns)
{
	struct order order = {.site = site, .count = count, .second_thread = second_thread};

	return count ? ask(child, &order, ret_ns) : -EINVAL;
}

int pw_child_hide(struct pw_child *child)
{
	struct order order = {.hide = 1};
	uint64_t answer;
	int r = ask(child, &order, &answer);

	return r || !answer ? r : -EPERM;
}
