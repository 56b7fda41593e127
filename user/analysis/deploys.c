/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/deploys.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "model/record.h"

#define SERVICES_MAX 4096U /* the one not seen for longest gives way */
#define BUILDS	     8U	   /* of a service; a rolling deployment has two */

struct service {
	uint64_t builds[BUILDS]; /* hashes; a ring */
	uint32_t build_count;
	uint64_t first_ns;    /* CLOCK_BOOTTIME when the service was first seen */
	uint64_t deployed_ns; /* 0: never */
};

void pw_deploys_init(struct pw_deploys *deploys)
{
	deploys->services = (struct pw_table)PW_TABLE_INIT_LRU(SERVICES_MAX, free);
}

void pw_deploys_done(struct pw_deploys *deploys)
{
	pw_table_done(&deploys->services);
}

static uint64_t hash_of(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 0x100000001b3ULL;
	return hash;
}

bool pw_deploys_note(struct pw_deploys *deploys, const struct pw_record *record)
{
	const char *name = pw_record_string(record, record->identity.service),
		   *build = pw_record_string(record, record->identity.build_id);
	struct service *service;
	uint64_t hash = hash_of(build);

	if (!*name || !*build)
		return false;
	service = pw_table_get_str(&deploys->services, name);
	if (!service) {
		service = calloc(1, sizeof(*service));
		if (service && pw_table_put_str(&deploys->services, name, service) < 0) {
			free(service);
			service = NULL;
		}
		if (!service)
			return true; /* then there are no deployments of it */
		service->first_ns = record->boot_ns;
	}
	for (uint32_t i = 0; i < PW_MIN(service->build_count, BUILDS); i++)
		if (service->builds[i] == hash)
			return true;
	if (service->build_count && record->identity.start_time_ns > service->first_ns)
		service->deployed_ns = record->boot_ns;
	service->builds[service->build_count++ % BUILDS] = hash;
	return true;
}

bool pw_deploys_within(const struct pw_deploys *deploys, const char *name, uint64_t now_ns, uint64_t window_ns)
{
	const struct service *service = pw_table_peek(&deploys->services, name, strlen(name));

	return service && service->deployed_ns && now_ns - PW_MIN(service->deployed_ns, now_ns) < window_ns;
}
