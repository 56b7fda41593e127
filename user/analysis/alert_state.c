/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/alert_state.h"

#include <string.h>

#include "base/macros.h"

void pw_incidents_done(struct pw_incidents *incidents)
{
	struct pw_incident *next;

	for (struct pw_incident *incident = incidents->first; incident; incident = next) {
		next = incident->next;
		free(incident);
	}
	*incidents = (struct pw_incidents){};
}

static void remove_one(struct pw_incidents *incidents, struct pw_incident **link)
{
	struct pw_incident *incident = *link;

	*link = incident->next;
	incidents->ended--;
	free(incident);
}

/* Forgets the ended ones of that id, and the oldest ended ones beyond the cap. */
static void trim(struct pw_incidents *incidents, const char *id)
{
	size_t kept = 0;

	for (struct pw_incident **link = &incidents->first; *link;) {
		struct pw_incident *incident = *link;
		bool same = id && strcmp(incident->alert.id, id) == 0;

		if (!incident->open && (same || kept >= PW_INCIDENTS_ENDED_MAX)) {
			remove_one(incidents, link);
			continue;
		}
		kept += !incident->open;
		link = &incident->next;
	}
}

struct pw_incident *pw_incident_open(struct pw_incidents *incidents, const struct pw_alert *alert)
{
	struct pw_incident *incident;

	if (incidents->open >= PW_INCIDENTS_OPEN_MAX) {
		incidents->dropped++;
		return NULL;
	}
	incident = calloc(1, sizeof(*incident));
	if (!incident) {
		incidents->dropped++;
		return NULL;
	}
	trim(incidents, alert->id);
	incident->alert = *alert;
	incident->alert.state = PW_ALERT_FIRING;
	incident->order = ++incidents->order;
	incident->open = true;
	incident->next = incidents->first;
	incidents->first = incident;
	incidents->open++;
	incidents->fired++;
	return incident;
}

bool pw_incident_step(struct pw_incident *incident, bool low, uint64_t now_ns, uint64_t clear_ns, bool gap)
{
	if (!low) {
		incident->low_since_ns = 0;
		incident->alert.state = PW_ALERT_FIRING;
		return false;
	}
	if (!incident->low_since_ns || gap)
		incident->low_since_ns = now_ns;
	incident->alert.state = PW_ALERT_CLEARING;
	return now_ns - incident->low_since_ns >= clear_ns;
}

void pw_incident_end(struct pw_incidents *incidents, struct pw_incident *incident, enum pw_alert_state state,
		     uint64_t wall_ns)
{
	incident->open = false;
	incident->condition = NULL;
	incident->alert.state = state;
	incident->alert.resolved_wall_ns = wall_ns;
	incidents->open--;
	incidents->ended++;
	if (state == PW_ALERT_RESOLVED)
		incidents->resolved++;
	trim(incidents, NULL);
}

size_t pw_incidents_copy(const struct pw_incidents *incidents, struct pw_alert *alerts, size_t max)
{
	size_t count = 0;

	for (const struct pw_incident *incident = incidents->first; incident && count < max; incident = incident->next)
		if (incident->alert.state != PW_ALERT_PENDING)
			alerts[count++] = incident->alert;
	return count;
}
