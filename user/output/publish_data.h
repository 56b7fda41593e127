/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_PUBLISH_DATA_H
#define PW_OUTPUT_PUBLISH_DATA_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "model/rule_status.h"
#include "output/publish.h"

#define PW_PAGE_BYTES_MAX (64U << 20) /* 200 processes with 200 go statements in five states are about 40 MB */

struct pw_published {
	/* Written before publishing, constant after it: readable by any thread. */
	struct pw_record **records;
	size_t record_count;
	struct pw_alert *alerts;
	size_t alert_count;
	struct pw_health health;
	struct pw_ages_image **ages;
	size_t ages_count;
	struct pw_death_report **deaths;
	size_t death_count;
	struct pw_rule_status *rules;
	size_t rule_count;
	uint64_t *disabled; /* of each record; NULL with rules */
	size_t series_sites;
	uint64_t boot_ns, wall_ns;
	struct pw_page_pool *pool; /* what the pages' memory comes from; NULL: of nobody */

	atomic_uint references;

	pthread_mutex_t lock; /* of what follows; a page is not changed after done was set */
	struct {
		bool done;
		int error;
		struct pw_buf text;
	} pages[_PW_PAGE_MAX];
};

#endif
