/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/procfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/parse.h"

int pw_procfs_open(struct pw_procfs *procfs, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	procfs->root_fd = fd;
	return 0;
}

void pw_procfs_done(struct pw_procfs *procfs)
{
	pw_closep(&procfs->root_fd);
}

bool pw_proc_id_equal(const struct pw_proc_id *a, const struct pw_proc_id *b)
{
	return a->pid == b->pid && a->start_ticks == b->start_ticks;
}

/* What "no such file" and "no such process" mean under /proc/PID. */
static int gone(int error)
{
	return error == ENOENT || error == ESRCH ? -ESRCH : -error;
}

#define PROC_NAME_SIZE 96

static void proc_name(char name[PROC_NAME_SIZE], pid_t pid, const char *file)
{
	if (pid == 0)
		snprintf(name, PROC_NAME_SIZE, "%s", file);
	else
		snprintf(name, PROC_NAME_SIZE, "%d/%s", (int)pid, file);
}

/* The same for PID/exe: kernel threads and zombies are there, but have none (-ENOENT). */
static int no_exe(const struct pw_procfs *procfs, pid_t pid, int error)
{
	char name[PROC_NAME_SIZE];
	struct stat status;

	if (error != ENOENT)
		return gone(error);
	snprintf(name, sizeof(name), "%d", (int)pid);
	return fstatat(procfs->root_fd, name, &status, 0) < 0 ? gone(errno) : -ENOENT;
}

int pw_procfs_open_file(const struct pw_procfs *procfs, pid_t pid, const char *name, int flags)
{
	char path[PROC_NAME_SIZE];
	int fd;

	proc_name(path, pid, name);
	fd = openat(procfs->root_fd, path, flags | O_CLOEXEC);
	return fd < 0 ? gone(errno) : fd;
}

/* Appends what is left behind fd, as far as the cap of buf. */
static int read_all(int fd, struct pw_buf *buf)
{
	for (;;) {
		char chunk[4096];
		ssize_t size = read(fd, chunk, sizeof(chunk));

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return gone(errno);
		if (size == 0)
			return pw_buf_error(buf);
		if (pw_buf_append(buf, chunk, (size_t)size) < 0)
			return pw_buf_error(buf);
	}
}

int pw_procfs_read(const struct pw_procfs *procfs, pid_t pid, const char *name, struct pw_buf *buf)
{
	_cleanup_fd_ int fd = pw_procfs_open_file(procfs, pid, name, O_RDONLY);

	return fd < 0 ? fd : read_all(fd, buf);
}

static int read_numbers(const struct pw_procfs *procfs, const char *path, struct pw_pid_vec *pids)
{
	_cleanup_fd_ int fd = openat(procfs->root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	DIR *directory;
	int r = 0, pid;

	pw_vec_reset(pids);
	if (fd < 0)
		return gone(errno);
	directory = fdopendir(fd);
	if (!directory)
		return -errno;
	TAKE_FD(fd);
	while (r == 0 && (entry = readdir(directory)))
		if (pw_parse_pid(entry->d_name, &pid) == 0)
			r = pw_vec_push(pids, pid);
	closedir(directory);
	return r;
}

int pw_procfs_pids(const struct pw_procfs *procfs, struct pw_pid_vec *pids)
{
	return read_numbers(procfs, ".", pids);
}

int pw_procfs_threads(const struct pw_procfs *procfs, pid_t pid, struct pw_pid_vec *tids)
{
	char path[PROC_NAME_SIZE];

	proc_name(path, pid, "task");
	return read_numbers(procfs, path, tids);
}

/* The next blank-separated field as a number; *cursor moves behind it. Negative ones are taken too. */
static bool next_number(const char **cursor, int64_t *ret_value)
{
	char *end;

	errno = 0;
	*ret_value = (int64_t)strtoull(*cursor, &end, 10); /* strtoull takes a minus sign; addresses need 64 bits */
	if (end == *cursor || errno)
		return false;
	*cursor = end;
	return true;
}

/* "PID (comm) S 1 2 3 ...": the comm may hold anything, so the last ')' counts (proc(5)). */
static int parse_stat(const char *text, struct pw_proc_stat *ret_stat)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')'), *cursor;
	struct pw_proc_stat stat = {0};
	int64_t field[53] = {0};
	size_t comm_size;

	if (!open || !close || close < open || close[1] != ' ' || !close[2])
		return -EBADMSG;
	comm_size = PW_MIN((size_t)(close - open - 1), sizeof(stat.comm) - 1);
	memcpy(stat.comm, open + 1, comm_size);
	stat.state = close[2];
	stat.id.pid = (pid_t)strtol(text, NULL, 10);
	cursor = close + 3;
	for (size_t i = 4; i < ARRAY_SIZE(field); i++)
		if (!next_number(&cursor, &field[i]) && i < 40)
			return -EBADMSG;
	stat.ppid = (pid_t)field[4];
	stat.flags = field[9];
	stat.minor_faults = (uint64_t)field[10];
	stat.major_faults = (uint64_t)field[12];
	stat.user_ticks = (uint64_t)field[14];
	stat.system_ticks = (uint64_t)field[15];
	stat.threads = (uint64_t)field[20];
	stat.id.start_ticks = (uint64_t)field[22];
	stat.vsize_bytes = (uint64_t)field[23];
	stat.rss_pages = (uint64_t)field[24];
	stat.start_code = (uint64_t)field[26];
	stat.start_stack = (uint64_t)field[28];
	stat.processor = (int)field[39];
	stat.exit_code = (int)field[52];
	*ret_stat = stat;
	return 0;
}

static int read_stat(const struct pw_procfs *procfs, pid_t pid, const char *name, struct pw_proc_stat *ret_stat)
{
	_cleanup_(pw_buf_done) struct pw_buf text = PW_BUF_INIT(PW_PROC_FILE_MAX);
	int r = pw_procfs_read(procfs, pid, name, &text);

	return r < 0 ? r : parse_stat(pw_buf_text(&text), ret_stat);
}

int pw_procfs_stat(const struct pw_procfs *procfs, pid_t pid, struct pw_proc_stat *ret_stat)
{
	return read_stat(procfs, pid, "stat", ret_stat);
}

int pw_procfs_thread_stat(const struct pw_procfs *procfs, pid_t pid, pid_t tid, struct pw_proc_stat *ret_stat)
{
	char name[PROC_NAME_SIZE];

	snprintf(name, sizeof(name), "task/%d/stat", (int)tid);
	return read_stat(procfs, pid, name, ret_stat);
}

int pw_procfs_id(const struct pw_procfs *procfs, pid_t pid, struct pw_proc_id *ret_id)
{
	struct pw_proc_stat stat;
	int r = pw_procfs_stat(procfs, pid, &stat);

	if (r < 0)
		return r;
	*ret_id = stat.id;
	return 0;
}

int pw_procfs_check_id(const struct pw_procfs *procfs, const struct pw_proc_id *id)
{
	struct pw_proc_id now;
	int r = pw_procfs_id(procfs, id->pid, &now);

	if (r < 0)
		return r;
	return pw_proc_id_equal(id, &now) ? 0 : -ESTALE;
}

int pw_procfs_statm(const struct pw_procfs *procfs, pid_t pid, struct pw_proc_statm *ret_statm)
{
	_cleanup_(pw_buf_done) struct pw_buf text = PW_BUF_INIT(PW_PROC_FILE_MAX);
	int r = pw_procfs_read(procfs, pid, "statm", &text);
	const char *cursor = pw_buf_text(&text);
	int64_t field[6];

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(field); i++)
		if (!next_number(&cursor, &field[i]) || field[i] < 0)
			return -EBADMSG;
	*ret_statm = (struct pw_proc_statm){
		.size_pages = (uint64_t)field[0],
		.resident_pages = (uint64_t)field[1],
		.shared_pages = (uint64_t)field[2],
		.text_pages = (uint64_t)field[3],
		.data_pages = (uint64_t)field[5],
	};
	return 0;
}

static void copy_text(char *target, size_t size, const char *text, size_t text_size)
{
	size_t take = PW_MIN(text_size, size - 1);

	memcpy(target, text, take);
	target[take] = '\0';
}

int pw_procfs_comm(const struct pw_procfs *procfs, pid_t pid, char *ret_comm, size_t size)
{
	_cleanup_(pw_buf_done) struct pw_buf text = PW_BUF_INIT(PW_PROC_FILE_MAX);
	int r = pw_procfs_read(procfs, pid, "comm", &text);
	size_t length = text.size;

	if (r < 0)
		return r;
	if (length > 0 && text.data[length - 1] == '\n')
		length--;
	copy_text(ret_comm, size, pw_buf_text(&text), length);
	return 0;
}

int pw_procfs_cmdline(const struct pw_procfs *procfs, pid_t pid, char *ret_cmdline, size_t size)
{
	_cleanup_fd_ int fd = pw_procfs_open_file(procfs, pid, "cmdline", O_RDONLY);
	char text[PW_PROC_CMDLINE_MAX];
	ssize_t length;

	if (fd < 0)
		return fd;
	length = read(fd, text, sizeof(text));
	if (length < 0)
		return gone(errno);
	while (length > 0 && text[length - 1] == '\0')
		length--;
	for (ssize_t i = 0; i < length; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	copy_text(ret_cmdline, size, text, (size_t)length);
	return 0;
}

int pw_procfs_exe(const struct pw_procfs *procfs, pid_t pid, char *ret_path, size_t size)
{
	char name[PROC_NAME_SIZE], path[PW_PROC_PATH_MAX];
	ssize_t length;

	proc_name(name, pid, "exe");
	length = readlinkat(procfs->root_fd, name, path, sizeof(path));
	if (length < 0)
		return no_exe(procfs, pid, errno);
	copy_text(ret_path, size, path, (size_t)length);
	return 0;
}

static int64_t timespec_ns(struct timespec time)
{
	return (int64_t)time.tv_sec * (int64_t)PW_NS_PER_SEC + time.tv_nsec;
}

int pw_procfs_exe_id(const struct pw_procfs *procfs, pid_t pid, struct pw_proc_file_id *ret_id)
{
	char name[PROC_NAME_SIZE];
	struct stat status;

	proc_name(name, pid, "exe");
	if (fstatat(procfs->root_fd, name, &status, 0) < 0)
		return no_exe(procfs, pid, errno);
	*ret_id = (struct pw_proc_file_id){
		.dev = status.st_dev,
		.inode = status.st_ino,
		.mtime_ns = timespec_ns(status.st_mtim),
		.ctime_ns = timespec_ns(status.st_ctim),
		.size_bytes = (uint64_t)status.st_size,
	};
	return 0;
}

int pw_procfs_open_exe(const struct pw_procfs *procfs, pid_t pid)
{
	char name[PROC_NAME_SIZE];
	int fd;

	proc_name(name, pid, "exe");
	fd = openat(procfs->root_fd, name, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? no_exe(procfs, pid, errno) : fd;
}

/* Looks for KEY=value in an environment that comes in pieces of any size. */
struct environ_scan {
	const char *key;
	size_t key_size;
	char *value;
	size_t size;
	size_t position; /* in the entry under way */
	bool other;	 /* it is of another key */
};

static bool takes(const struct environ_scan *scan, char c)
{
	if (scan->position < scan->key_size)
		return c == scan->key[scan->position];
	return scan->position > scan->key_size || c == '=';
}

/* 1 found and complete, 0 go on, -E2BIG the value does not fit. */
static int environ_feed(struct environ_scan *scan, const char *data, size_t size)
{
	for (const char *cursor = data, *end = data + size; cursor < end; cursor++) {
		if (scan->other) {
			cursor = memchr(cursor, '\0', (size_t)(end - cursor));
			if (!cursor)
				return 0;
		}
		if (*cursor == '\0' && !scan->other && scan->position > scan->key_size) {
			scan->value[scan->position - scan->key_size - 1] = '\0';
			return 1;
		}
		if (*cursor == '\0') {
			scan->position = 0;
			scan->other = false;
			continue;
		}
		scan->other = !takes(scan, *cursor);
		if (!scan->other && scan->position > scan->key_size) {
			if (scan->position - scan->key_size >= scan->size)
				return -E2BIG;
			scan->value[scan->position - scan->key_size - 1] = *cursor;
		}
		scan->position++;
	}
	return 0;
}

int pw_procfs_environ(const struct pw_procfs *procfs, pid_t pid, const char *key, char *ret_value, size_t size)
{
	struct environ_scan scan = {.key = key, .key_size = strlen(key), .value = ret_value, .size = size};
	_cleanup_fd_ int fd = pw_procfs_open_file(procfs, pid, "environ", O_RDONLY);
	int r = 0;

	if (fd < 0)
		return fd;
	for (size_t total = 0; !r;) {
		char chunk[16384];
		ssize_t count = read(fd, chunk, sizeof(chunk));

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return gone(errno);
		if (count == 0) {
			r = environ_feed(&scan, "", 1); /* the last entry may lack its end */
			return r < 0 ? r : r > 0 ? 0 : -ENODATA;
		}
		total += (size_t)count;
		if (total > PW_PROC_ENVIRON_MAX)
			return -EFBIG;
		r = environ_feed(&scan, chunk, (size_t)count);
	}
	return r < 0 ? r : 0;
}

int pw_procfs_ns(const struct pw_procfs *procfs, pid_t pid, const char *name, uint64_t *ret_inode)
{
	char file[PROC_NAME_SIZE], path[2 * PROC_NAME_SIZE], target[PROC_NAME_SIZE];
	const char *bracket;
	uint64_t inode;
	ssize_t length;
	char *close;

	proc_name(file, pid, "ns");
	snprintf(path, sizeof(path), "%s/%s", file, name);
	length = readlinkat(procfs->root_fd, path, target, sizeof(target) - 1);
	if (length < 0)
		return gone(errno);
	target[length] = '\0';
	bracket = strchr(target, '[');
	close = strchr(target, ']');
	if (!bracket || !close || close < bracket)
		return -EBADMSG;
	*close = '\0';
	if (pw_parse_u64(bracket + 1, &inode) < 0)
		return -EBADMSG;
	*ret_inode = inode;
	return 0;
}

int pw_procfs_auxv(const struct pw_procfs *procfs, pid_t pid, struct pw_proc_auxv *ret_auxv)
{
	_cleanup_(pw_buf_done) struct pw_buf text = PW_BUF_INIT(PW_PROC_AUXV_MAX);
	int r = pw_procfs_read(procfs, pid, "auxv", &text);
	struct pw_proc_auxv auxv = {0};
	uint64_t pair[2];

	if (r < 0)
		return r;
	for (size_t i = 0; i + sizeof(pair) <= text.size; i += sizeof(pair)) {
		memcpy(pair, text.data + i, sizeof(pair));
		switch (pair[0]) { /* elf.h: AT_* */
		case 3:
			auxv.phdr = pair[1];
			break;
		case 4:
			auxv.phent = pair[1];
			break;
		case 5:
			auxv.phnum = pair[1];
			break;
		case 6:
			auxv.page_size = pair[1];
			break;
		case 7:
			auxv.base = pair[1];
			break;
		case 9:
			auxv.entry = pair[1];
			break;
		case 33:
			auxv.sysinfo_ehdr = pair[1];
			break;
		default:
			break;
		}
	}
	*ret_auxv = auxv;
	return 0;
}

int pw_pidfd_open(pid_t pid)
{
	long fd = syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : (int)fd;
}

int pw_pidfd_kill(int pidfd, int signal_number)
{
	return syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0) < 0 ? -errno : 0;
}

uint64_t pw_proc_ticks_per_sec(void)
{
	long ticks = sysconf(_SC_CLK_TCK);

	return ticks > 0 ? (uint64_t)ticks : 100;
}

uint64_t pw_proc_start_boot_ns(const struct pw_proc_id *id)
{
	return id->start_ticks * (PW_NS_PER_SEC / pw_proc_ticks_per_sec());
}
