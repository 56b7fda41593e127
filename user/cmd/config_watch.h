/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_CMD_CONFIG_WATCH_H
#define PW_CMD_CONFIG_WATCH_H

#include <stdint.h>

struct pw_config_watch;
struct pw_loop;

/*
 * Tells when the configuration file has changed: written in place, replaced by a rename, removed, made, or because a
 * symbolic link on the way to it points elsewhere (a ConfigMap of Kubernetes swaps the link of a directory). inotify on
 * the directories of the file and of its links tells at once; what it does not tell (NFS, a link further up, no watch
 * left) is found by a look each half second. A change is told when the file has stood still for a tenth of a second, so
 * within one second of the last change; once for each state.
 */
typedef void (*pw_config_changed_fn)(void *context);

/* read_wall_ns: when the file that is in force was read; a change since then is told too. */
int pw_config_watch_new(struct pw_config_watch **ret_watch, struct pw_loop *loop, const char *path,
			uint64_t read_wall_ns, pw_config_changed_fn changed, void *context)
	__attribute__((warn_unused_result));
void pw_config_watch_free(struct pw_config_watch *watch); /* NULL is fine */
/* The file is being read for another reason: its state of now needs no telling. */
void pw_config_watch_read(struct pw_config_watch *watch);

#endif
