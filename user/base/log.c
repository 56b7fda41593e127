/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/time.h"

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static const int priorities[] = {3, 4, 6, 7}; /* syslog(3) */
_Static_assert(ARRAY_SIZE(level_names) == PW_LOG_LEVEL_MAX, "a name for each level");
_Static_assert(ARRAY_SIZE(priorities) == PW_LOG_LEVEL_MAX, "a priority for each level");

static _Atomic int current_level = PW_LOG_INFO;

void pw_log_set_level(enum pw_log_level level)
{
	atomic_store(&current_level, (int)level);
}

enum pw_log_level pw_log_get_level(void)
{
	return (enum pw_log_level)atomic_load(&current_level);
}

int pw_log_parse_level(const char *text, enum pw_log_level *ret_level)
{
	for (int i = 0; i < PW_LOG_LEVEL_MAX; i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*ret_level = (enum pw_log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *pw_log_level_name(enum pw_log_level level)
{
	return level >= 0 && level < PW_LOG_LEVEL_MAX ? level_names[level] : "unknown";
}

/* Is our stderr the journal? JOURNAL_STREAM is "device:inode" of it (systemd.exec(5)). */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &status) == 0 &&
	       status.st_dev == device && status.st_ino == inode;
}

/* One write per line, so that lines of several threads and processes do not mix. */
static int write_line(enum pw_log_level level, const char *prefix, const char *text, size_t size, size_t max)
{
	_cleanup_(pw_buf_done) struct pw_buf line = PW_BUF_INIT(max * 4 + 256); /* escaped, one byte is four at most */
	bool cut = size > max;
	ssize_t written;

	if (level < PW_LOG_LEVEL_MAX && stderr_is_journal())
		pw_buf_printf(&line, "<%d>", priorities[level]);
	pw_buf_puts(&line, prefix);
	pw_buf_escaped(&line, text, cut ? max : size);
	pw_buf_puts(&line, cut ? "... (cut)\n" : "\n");
	if (pw_buf_error(&line))
		return pw_buf_error(&line);
	do
		written = write(STDERR_FILENO, line.data, line.size);
	while (written < 0 && errno == EINTR);
	return written < 0 ? -errno : 0;
}

/* True if this message may be written; *ret_suppressed: how many before it were not. */
static bool within_rate(struct pw_log_site *site, uint32_t *ret_suppressed)
{
	uint64_t now = pw_now_ns();
	uint64_t start = __atomic_load_n(&site->window_start_ns, __ATOMIC_RELAXED);

	*ret_suppressed = 0;
	if (start == 0 || now - start >= PW_LOG_RATE_INTERVAL_SEC * PW_NS_PER_SEC) {
		__atomic_store_n(&site->window_start_ns, now, __ATOMIC_RELAXED);
		__atomic_store_n(&site->count, 1, __ATOMIC_RELAXED);
		*ret_suppressed = __atomic_exchange_n(&site->suppressed, 0, __ATOMIC_RELAXED);
		return true;
	}
	if (__atomic_add_fetch(&site->count, 1, __ATOMIC_RELAXED) <= PW_LOG_RATE_BURST)
		return true;
	__atomic_add_fetch(&site->suppressed, 1, __ATOMIC_RELAXED);
	return false;
}

/* A message of any length, cut to what is shown. */
static void write_message(enum pw_log_level level, const char *prefix, const char *fmt, va_list args)
{
	char text[PW_LOG_LINE_MAX + 1];
	int size = vsnprintf(text, sizeof(text), fmt, args);

	if (size >= 0)
		write_line(level, prefix, text, (size_t)size, PW_LOG_LINE_MAX);
}

int pw_log_write(struct pw_log_site *site, enum pw_log_level level, int r, const char *fmt, ...)
{
	char prefix[48];
	uint32_t suppressed;
	va_list args;

	if ((int)level > atomic_load(&current_level) || !within_rate(site, &suppressed))
		return r;
	if (suppressed > 0) {
		char note[80];
		int size = snprintf(note, sizeof(note), "%u messages like the next one were left out", suppressed);

		write_line(level, "parkwatch: ", note, (size_t)size, sizeof(note));
	}
	if (level == PW_LOG_INFO)
		snprintf(prefix, sizeof(prefix), "parkwatch: ");
	else
		snprintf(prefix, sizeof(prefix), "parkwatch: %s: ", level_names[level]);
	va_start(args, fmt);
	write_message(level, prefix, fmt, args);
	va_end(args);
	return r;
}

int pw_log_usage(int r, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	write_message(PW_LOG_LEVEL_MAX, "parkwatch: ", fmt, args);
	va_end(args);
	return r;
}

/* The journal's binary form of a field: name, newline, length, value, newline (systemd, journal-native protocol). */
static void journal_field(struct pw_buf *datagram, const char *name, const char *value, size_t size)
{
	pw_buf_puts(datagram, name);
	pw_buf_putc(datagram, '\n');
	pw_buf_u64(datagram, size);
	pw_buf_append(datagram, value, size);
	pw_buf_putc(datagram, '\n');
}

static int to_journal(enum pw_log_level level, const struct pw_log_field *fields, size_t count, const char *message)
{
	_cleanup_(pw_buf_done) struct pw_buf datagram = PW_BUF_INIT(128U << 10);
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket"};
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char priority = (char)('0' + priorities[level]);

	if (fd < 0)
		return -errno;
	journal_field(&datagram, "MESSAGE", message, strlen(message));
	journal_field(&datagram, "PRIORITY", &priority, 1);
	journal_field(&datagram, "SYSLOG_IDENTIFIER", "parkwatch", strlen("parkwatch"));
	for (size_t i = 0; i < count; i++)
		journal_field(&datagram, fields[i].name, fields[i].value, strlen(fields[i].value));
	if (pw_buf_error(&datagram))
		return pw_buf_error(&datagram);
	if (sendto(fd, datagram.data, datagram.size, MSG_NOSIGNAL, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return 0;
}

static bool needs_quotes(const char *value)
{
	return !*value || strpbrk(value, " =\"\\") || strlen(value) != strcspn(value, "\t\r\n");
}

/* name=value, the name in small letters, the value quoted where logfmt wants it. */
static void logfmt_field(struct pw_buf *line, const char *name, const char *value)
{
	bool quotes = needs_quotes(value);

	if (line->size > 0)
		pw_buf_putc(line, ' ');
	for (; *name; name++)
		pw_buf_putc(line, *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name);
	pw_buf_putc(line, '=');
	if (quotes)
		pw_buf_putc(line, '"');
	for (; *value; value++) {
		if (quotes && (*value == '"' || *value == '\\'))
			pw_buf_printf(line, "\\%c", *value);
		else
			pw_buf_putc(line, *value);
	}
	if (quotes)
		pw_buf_putc(line, '"');
}

int pw_log_event(enum pw_log_level level, const struct pw_log_field *fields, size_t count, const char *message)
{
	_cleanup_(pw_buf_done) struct pw_buf line = PW_BUF_INIT((size_t)PW_LOG_EVENT_MAX * 2);
	char when[PW_RFC3339_SIZE];

	if (count > PW_LOG_FIELDS_MAX)
		count = PW_LOG_FIELDS_MAX;
	if (stderr_is_journal() && to_journal(level, fields, count, message) == 0)
		return 0;
	logfmt_field(&line, "time", pw_time_rfc3339(pw_wall_ns(), when));
	logfmt_field(&line, "level", level_names[level]);
	for (size_t i = 0; i < count; i++)
		logfmt_field(&line, fields[i].name, fields[i].value);
	logfmt_field(&line, "msg", message);
	return write_line(level, "", pw_buf_text(&line), line.size, PW_LOG_EVENT_MAX);
}
