/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_SERVICE_H
#define PW_TARGET_SERVICE_H

#include <stddef.h>

struct pw_target;

/* What a cgroup path says of who runs in it; "" where it says nothing. Pure. */
struct pw_cgroup_names {
	char unit[128];	    /* systemd: "prometheus.service" */
	char container[80]; /* the runtime's id, 64 hex digits mostly */
	char pod[80];	    /* Kubernetes pod uid, with dashes */
};
void pw_cgroup_names_parse(struct pw_cgroup_names *ret_names, const char *path);

/* Names target->service from what is known of it: unit, else container, else main module and executable. */
void pw_target_name_service(struct pw_target *target);

#endif
