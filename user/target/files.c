/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/files.h"

#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/time.h"
#include "reader/reader.h"

#define RETRY_NS       (2 * PW_NS_PER_SEC) /* until a file that failed is tried again: others go first */
#define SLOW_STEP_NS   (3 * PW_NS_PER_SEC) /* longer for each further file of a user that stalls */
#define SLOW_MAX_NS    (60 * PW_NS_PER_SEC)
#define SLOW_FORGET_NS (2 * SLOW_MAX_NS)

struct file_key { /* no padding: it is hashed as bytes */
	uint64_t dev, inode, size;
	int64_t mtime_ns;
};

struct file {
	enum pw_file_state state;
	struct pw_build *build; /* referenced, for PW_FILE_GO */
	unsigned int attempts;
	uint64_t not_before_ns; /* for PW_FILE_BUSY */
};

struct slow_user {
	uint64_t stalls, last_ns;
};

struct question {
	struct question *next, **link;
	struct pw_files *files;
	struct file_key key;
	int64_t request;
	uint64_t asked_ns;
	uid_t uid; /* of the process that runs it */
};

static void file_free(void *value)
{
	struct file *file = value;

	pw_build_unref(file->build);
	free(file);
}

static void question_free(struct question *question)
{
	*question->link = question->next;
	if (question->next)
		question->next->link = question->link;
	question->files->question_count--;
	free(question);
}

void pw_files_init(struct pw_files *files, struct pw_reader *reader)
{
	*files = (struct pw_files){
		.reader = reader,
		.table = PW_TABLE_INIT_LRU(PW_DISCOVER_FILES_MAX, file_free),
		.slow = PW_TABLE_INIT_LRU(PW_DISCOVER_SLOW_MAX, free),
	};
}

void pw_files_done(struct pw_files *files)
{
	while (files->questions) {
		pw_reader_cancel(files->reader, files->questions->request);
		question_free(files->questions);
	}
	pw_table_done(&files->table);
	pw_table_done(&files->slow);
}

/* ---- users whose files stall the reader ---- */

static struct slow_user *slow_user_of(struct pw_files *files, uid_t uid, uint64_t now)
{
	struct slow_user *user = pw_table_get_u64(&files->slow, uid);

	return user && now - user->last_ns < SLOW_FORGET_NS ? user : NULL;
}

static bool may_ask(struct pw_files *files, uid_t uid, uint64_t now)
{
	const struct slow_user *user = slow_user_of(files, uid, now);

	if (files->question_count >= PW_DISCOVER_ASKING_MAX)
		return false;
	return !user || (!files->question_count &&
			 now >= user->last_ns + PW_MIN((user->stalls - 1) * SLOW_STEP_NS, SLOW_MAX_NS));
}

/* What else is asked on behalf of this user goes back, so that the next answer is somebody else's. */
static void take_back_questions(struct pw_files *files, uid_t uid)
{
	for (struct question *question = files->questions, *next; question; question = next) {
		struct file *file = pw_table_get(&files->table, &question->key, sizeof(question->key));

		next = question->next;
		if (question->uid != uid)
			continue;
		if (file) {
			file->state = PW_FILE_BUSY;
			file->attempts--;
		}
		pw_reader_cancel(files->reader, question->request);
		question_free(question);
	}
}

static void stand_back(struct pw_files *files, uid_t uid)
{
	uint64_t now = pw_now_ns();
	struct slow_user *user = slow_user_of(files, uid, now);

	take_back_questions(files, uid);
	if (!user) {
		user = calloc(1, sizeof(*user));
		if (!user || pw_table_put_u64(&files->slow, uid, user)) {
			free(user);
			return;
		}
	}
	user->stalls++;
	user->last_ns = now;
}

/* ---- answers ---- */

static struct file_key key_of(const struct pw_proc_file_id *id)
{
	return (struct file_key){id->dev, id->inode, id->size_bytes, id->mtime_ns};
}

/* The same build may lie in many files (images, copies): its facts are kept once. */
static struct pw_build *share_build(struct pw_files *files, const struct pw_build_facts *facts)
{
	pw_table_foreach(&files->table, entry)
	{
		struct file *file = entry->value;

		/* Byte by byte, and not by build ID, which anybody can copy. If padding differs they are not shared. */
		/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
		if (file->build && memcmp(&file->build->facts, facts, sizeof(*facts)) == 0)
			return pw_build_ref(file->build);
	}
	return pw_build_new(facts);
}

static void take_facts(struct pw_files *files, struct file *file, const struct pw_build_facts *facts)
{
	file->state = PW_FILE_NOT_GO;
	if (!facts->is_go)
		return;
	file->build = share_build(files, facts);
	file->state = file->build ? PW_FILE_GO : PW_FILE_FAILED;
}

static void take_refusal(struct pw_files *files, struct file *file, const struct file_key *key, int r, const char *why)
{
	bool transient = r == -ECONNRESET || r == -ETIMEDOUT || r == -ENOMEM;

	if (r == -EBADMSG || r == -ENOTSUP || r == -E2BIG) {
		file->state = PW_FILE_NOT_GO; /* scripts' interpreters for other machines, broken files */
		return;
	}
	files->failed++;
	file->state = transient && file->attempts < 2 ? PW_FILE_BUSY : PW_FILE_FAILED;
	file->not_before_ns = pw_now_ns() + RETRY_NS;
	pw_log_warn(0, "executable (device 0x%llx, inode %llu) cannot be read: %s%s", (unsigned long long)key->dev,
		    (unsigned long long)key->inode, why,
		    file->state == PW_FILE_BUSY ? "; trying once more later" : "; its processes are not observed");
}

static void on_facts(void *context, int r, const struct pw_build_facts *facts, const char *why)
{
	struct question *question = context;
	struct pw_files *files = question->files;
	struct file_key key = question->key;
	uid_t uid = question->uid;
	uint64_t took_ns = pw_now_ns() - question->asked_ns;
	struct file *file;

	question_free(question);
	if (r == -ECANCELED)
		return;
	pw_log_debug(0, "setup: facts %.1f ms", (double)took_ns / (double)PW_NS_PER_MS);
	if (r == -ETIMEDOUT)
		stand_back(files, uid);
	file = pw_table_get(&files->table, &key, sizeof(key));
	if (!file)
		return; /* pushed out meanwhile */
	if (r < 0)
		take_refusal(files, file, &key, r, why);
	else
		take_facts(files, file, facts);
	if (files->answered)
		files->answered(files->context);
}

static int same_file(int fd, const struct file_key *key)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	return st.st_dev == key->dev && st.st_ino == key->inode && (uint64_t)st.st_size == key->size ? 0 : -ESTALE;
}

/* -EAGAIN: not now. */
static int ask(struct pw_files *files, const struct pw_procfs *procfs, pid_t pid, const struct file_key *key)
{
	uint64_t now = pw_now_ns();
	struct pw_proc_status status;
	_cleanup_fd_ int exe_fd = pw_procfs_open_exe(procfs, pid);
	struct question *question;
	int r;

	if (exe_fd < 0)
		return exe_fd;
	r = same_file(exe_fd, key);
	if (!r)
		r = pw_procfs_status(procfs, pid, &status);
	if (r)
		return r;
	if (!may_ask(files, status.uid_real, now))
		return -EAGAIN;
	question = calloc(1, sizeof(*question));
	if (!question)
		return -ENOMEM;
	question->files = files;
	question->key = *key;
	question->asked_ns = now;
	question->uid = status.uid_real;
	question->next = files->questions;
	question->link = &files->questions;
	if (question->next)
		question->next->link = &question->next;
	files->questions = question;
	files->question_count++;
	question->request = pw_reader_ask_facts(files->reader, exe_fd, on_facts, question);
	if (question->request < 0) {
		r = (int)question->request;
		question_free(question);
	}
	return r;
}

int pw_files_state(struct pw_files *files, const struct pw_procfs *procfs, pid_t pid, const struct pw_proc_file_id *id,
		   enum pw_file_state *ret_state, struct pw_build **ret_build)
{
	struct file_key key = key_of(id);
	struct file *file = pw_table_get(&files->table, &key, sizeof(key));
	int r;

	if (!file || file->state == PW_FILE_BUSY) {
		*ret_state = PW_FILE_BUSY;
		if (files->question_count >= PW_DISCOVER_ASKING_MAX || (file && pw_now_ns() < file->not_before_ns))
			return 0;
		r = ask(files, procfs, pid, &key);
		if (r)
			return r == -EAGAIN ? 0 : r;
		if (!file) {
			file = calloc(1, sizeof(*file));
			if (!file)
				return -ENOMEM; /* the answer finds nobody, and is dropped */
			r = pw_table_put(&files->table, &key, sizeof(key), file);
			if (r) {
				free(file);
				return r;
			}
		}
		file->attempts++;
		file->state = PW_FILE_ASKED;
	}
	*ret_state = file->state;
	*ret_build = file->build;
	return 0;
}
