/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/config_watch.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/macros.h"
#include "base/time.h"

#define LINKS_MAX  8 /* on the way to the file, as many as make sense */
#define LOOK_NS	   (500 * PW_NS_PER_MS)
#define SETTLE_NS  (100 * PW_NS_PER_MS)
#define SETTLE_MAX (300 * PW_NS_PER_MS) /* for one that never stands still */
#define LAG_NS	   (10 * PW_NS_PER_MS)
#define EVENTS                                                                                               \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | \
	 IN_MOVE_SELF | IN_ONLYDIR)

struct state { /* of the file behind all links */
	bool there;
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};

struct pw_config_watch {
	char path[PATH_MAX];
	int fd; /* of inotify; -1: looks alone */
	int directories[LINKS_MAX + 1];
	size_t directory_count;
	struct state seen;  /* newest one that has been told, or is settling */
	uint64_t settle_ns; /* CLOCK_MONOTONIC since which it has been settling; 0: it is not */
	pw_config_changed_fn changed;
	void *context;
	struct pw_source *events, *look, *settle;
};

static struct state state_of(const char *path)
{
	struct state state = {0};
	struct stat status;

	if (stat(path, &status) < 0)
		return state;
	state.there = true;
	state.device = status.st_dev;
	state.inode = status.st_ino;
	state.size = status.st_size;
	state.modified = status.st_mtim;
	state.changed = status.st_ctim;
	return state;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same(const struct state *a, const struct state *b)
{
	return a->there == b->there && a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       same_time(&a->modified, &b->modified) && same_time(&a->changed, &b->changed);
}

/* The directory of path into directory. False: there is none of its own. */
static void directory_of(const char *path, char directory[PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		snprintf(directory, PATH_MAX, ".");
	else
		snprintf(directory, PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

/* Where the link at path leads, from the directory it is in. False: it is no link, or leads nowhere we can say. */
static bool follow(char path[PATH_MAX], const char *directory)
{
	char target[PATH_MAX], joined[PATH_MAX * 2 + 2];
	ssize_t size = readlink(path, target, sizeof(target) - 1);

	if (size <= 0)
		return false;
	target[size] = '\0';
	snprintf(joined, sizeof(joined), "%s%s%s", *target == '/' ? "" : directory, *target == '/' ? "" : "/", target);
	if (strlen(joined) >= PATH_MAX)
		return false;
	memcpy(path, joined, strlen(joined) + 1);
	return true;
}

/* Watches the directories on the way to the file as it is now. */
static void watch_directories(struct pw_config_watch *watch)
{
	char path[PATH_MAX], directory[PATH_MAX];
	int before[LINKS_MAX + 1];
	size_t before_count = watch->directory_count;

	if (watch->fd < 0)
		return;
	memcpy(before, watch->directories, sizeof(before));
	memcpy(path, watch->path, sizeof(path));
	watch->directory_count = 0;
	do {
		int descriptor;

		directory_of(path, directory);
		descriptor = inotify_add_watch(watch->fd, directory, EVENTS);
		if (descriptor >= 0)
			watch->directories[watch->directory_count++] = descriptor;
	} while (watch->directory_count <= LINKS_MAX && follow(path, directory));
	for (size_t i = 0; i < before_count; i++) {
		bool kept = false;

		for (size_t j = 0; j < watch->directory_count; j++)
			kept |= watch->directories[j] == before[i];
		if (!kept)
			(void)inotify_rm_watch(watch->fd, before[i]);
	}
}

/* Is it another file than before? Then it is told when it stands still. */
static int look(struct pw_config_watch *watch)
{
	struct state state = state_of(watch->path);

	if (same(&state, &watch->seen))
		return 0;
	watch->seen = state;
	if (!watch->settle_ns)
		watch->settle_ns = pw_now_ns();
	return pw_source_set_timer(watch->settle, SETTLE_NS, 0);
}

static int on_look(struct pw_source *source pw_unused, uint64_t due_ns pw_unused, uint64_t late_ns pw_unused,
		   uint64_t missed pw_unused, void *context)
{
	return look(context);
}

static int on_settle(struct pw_source *source pw_unused, uint64_t due_ns pw_unused, uint64_t late_ns pw_unused,
		     uint64_t missed pw_unused, void *context)
{
	struct pw_config_watch *watch = context;
	struct state state = state_of(watch->path);

	if (!watch->settle_ns)
		return 0;
	if (!same(&state, &watch->seen) && pw_now_ns() - watch->settle_ns < SETTLE_MAX)
		return look(watch);
	watch->seen = state;
	watch->settle_ns = 0;
	watch_directories(watch); /* a link may lead elsewhere now */
	watch->changed(watch->context);
	return 0;
}

static int on_events(struct pw_source *source pw_unused, int fd, uint32_t events pw_unused, void *context)
{
	char buffer[16384] __attribute__((aligned(__alignof__(struct inotify_event))));

	while (read(fd, buffer, sizeof(buffer)) > 0)
		; /* which of the files in there it was does not matter: the file itself is looked at */
	return look(context);
}

/* Timestamps of files lag behind the clock by up to a jiffy. */
static bool changed_since(const struct state *state, uint64_t wall_ns)
{
	uint64_t changed_ns = (uint64_t)state->changed.tv_sec * PW_NS_PER_SEC + (uint64_t)state->changed.tv_nsec;

	return state->there && changed_ns + LAG_NS >= wall_ns;
}

int pw_config_watch_new(struct pw_config_watch **ret_watch, struct pw_loop *loop, const char *path,
			uint64_t read_wall_ns, pw_config_changed_fn changed, void *context)
{
	struct pw_config_watch *watch = calloc(1, sizeof(*watch));
	int r = 0;

	if (!watch)
		return -ENOMEM;
	watch->changed = changed;
	watch->context = context;
	snprintf(watch->path, sizeof(watch->path), "%s", path);
	watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watch->fd < 0)
		pw_log_info(-errno, "no inotify: %s; the configuration file is looked at each half second",
			    strerror(errno));
	else
		r = pw_loop_add_io(loop, watch->fd, EPOLLIN, on_events, watch, &watch->events);
	if (!r)
		r = pw_loop_add_timer(loop, LOOK_NS, LOOK_NS, on_look, watch, &watch->look);
	if (!r)
		r = pw_loop_add_timer(loop, 3600 * PW_NS_PER_SEC, 0, on_settle, watch, &watch->settle);
	if (r < 0) {
		pw_config_watch_free(watch);
		return r;
	}
	watch_directories(watch);
	watch->seen = state_of(watch->path);
	if (changed_since(&watch->seen, read_wall_ns))
		watch->seen = (struct state){0};
	*ret_watch = watch;
	return 0;
}

void pw_config_watch_free(struct pw_config_watch *watch)
{
	if (!watch)
		return;
	pw_source_remove(watch->events);
	pw_source_remove(watch->look);
	pw_source_remove(watch->settle);
	pw_closep(&watch->fd);
	free(watch);
}

void pw_config_watch_read(struct pw_config_watch *watch)
{
	watch->seen = state_of(watch->path);
	watch->settle_ns = 0;
	watch_directories(watch);
}
