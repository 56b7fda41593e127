/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_CMD_CONFIG_H
#define PW_CMD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analysis/analysis.h"
#include "base/log.h"
#include "collect/collect.h"
#include "output/sinks.h"

struct pw_buf;
struct pw_policy;
struct pw_why;

/*
 * The configuration: one YAML file, environment and flags over it, defaults under it. One table of settings (config.c)
 * drives the file, the flags of `daemon` and `trace`, `check-config` and the recording of rules.
 */
#define PW_CONFIG_PATH	  "/etc/parkwatch/parkwatch.yaml"
#define PW_SOCKET_PATH	  "/run/parkwatch/api.sock"
#define PW_DEATHS_PATH	  "/var/lib/parkwatch/deaths"
#define PW_LISTEN_DEFAULT "127.0.0.1:10435"

#define PW_CONFIG_BYTES_MAX (1U << 20) /* of the file: a thousand services fit in 64 kB */
#define PW_CONFIG_LIST_MAX  256	       /* entries of include, exclude, services */
#define PW_CONFIG_TEXT_MAX  256
#define PW_SETTINGS_MAX	    192

enum pw_config_source { PW_SOURCE_DEFAULT, PW_SOURCE_FILE, PW_SOURCE_ENVIRONMENT, PW_SOURCE_FLAG };

struct pw_config_pattern {
	char pattern[PW_CONFIG_TEXT_MAX];
	char value[PW_CONFIG_TEXT_MAX]; /* services: the name */
	uint32_t line;
};

struct pw_config_list {
	struct pw_config_pattern *items; /* owned */
	size_t count;
	enum pw_config_source source;
};

struct pw_config {
	char listen[PW_CONFIG_TEXT_MAX]; /* "" : no TCP listener ("none") */
	char socket[PW_CONFIG_TEXT_MAX];
	char record[PW_CONFIG_TEXT_MAX]; /* "" : no recording */
	char deaths[PW_CONFIG_TEXT_MAX]; /* directory of what is kept of processes that ended; "": memory only */
	uint64_t interval_ns, snapshot_interval_ns, memory_interval_ns;
	double budget_percent;	    /* < 0: none; 0: no probes */
	double host_budget_percent; /* the same for all processes together */
	enum pw_attach_method attach;
	enum pw_log_level log_level;
	uint64_t metrics_sites; /* go statements of one process shown by name in /metrics */
	struct pw_rules_config rules;
	struct pw_policy *policy; /* a reference: by service, owners, runbooks, benign list; NULL: none of it is said */
	struct pw_sinks_config sinks;
	struct pw_config_list include, exclude;
	struct pw_config_list services; /* those that give a name; what else they say is in policy */

	char path[PW_CONFIG_TEXT_MAX];		       /* file read, "" if none */
	enum pw_config_source source[PW_SETTINGS_MAX]; /* by row of the settings table */
	uint32_t line[PW_SETTINGS_MAX];		       /* in the file, where source is FILE */
};

void pw_config_init(struct pw_config *config); /* defaults */
void pw_config_done(struct pw_config *config);
int pw_config_copy(struct pw_config *ret_config, const struct pw_config *config) __attribute__((warn_unused_result));

/*
 * One value by its key in the file ("listen", "rules.PW-G08.tick"). A weaker source never overwrites a stronger one.
 * -EINVAL with a sentence: unknown key (with a suggestion), or a value that makes no sense.
 */
int pw_config_set(struct pw_config *config, const char *key, const char *value, enum pw_config_source source,
		  struct pw_why *reterr_why) __attribute__((warn_unused_result));

/*
 * Reads a file, or YAML text that is called name in messages; config is changed only if all of it is right. -ENOENT
 * no such file, -EINVAL with "name:line:column: what is wrong".
 */
int pw_config_read_file(struct pw_config *config, const char *path, struct pw_why *reterr_why)
	__attribute__((warn_unused_result));
int pw_config_read_text(struct pw_config *config, const char *name, const char *text, size_t size,
			struct pw_why *reterr_why) __attribute__((warn_unused_result));

/* PARKWATCH_LISTEN, PARKWATCH_SOCKET and so on: the key in capitals. Rules have none. */
int pw_config_read_environment(struct pw_config *config, struct pw_why *reterr_why) __attribute__((warn_unused_result));

/* File (path NULL: the default one, which may be absent), then environment; flags are in config already. */
int pw_config_load(struct pw_config *config, const char *path, struct pw_why *reterr_why)
	__attribute__((warn_unused_result));

/* Every effective value and where it comes from, one per line. */
void pw_config_print(const struct pw_config *config, struct pw_buf *out);
void pw_config_print_json(const struct pw_config *config, struct pw_buf *out);

/* Default of a setting as text, "" if there is none or the key is unknown. */
void pw_config_default_text(const char *key, char *ret_text, size_t size);

/* The service name that the configuration gives to a process, or NULL. Patterns are globs, the first match wins. */
const char *pw_config_service(const struct pw_config *config, const char *const *names, size_t count);

#endif
