/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/alert_state.h"

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

struct pw_incident *pw_incident_open(struct pw_incidents *incidents, const struct pw_alert *alert)
{
	struct pw_incident *incident = NULL;

	if (incidents->open < PW_INCIDENTS_OPEN_MAX)
		incident = calloc(1, sizeof(*incident));
	if (!incident) {
		incidents->dropped++;
		return NULL;
	}
	incident->alert = *alert;
	incident->order = ++incidents->order;
	incident->next = incidents->first;
	incidents->first = incident;
	incidents->open++;
	return incident;
}

/* Has it been so for long enough? Keeps in *since when it began to be. */
static bool has_lasted(uint64_t *since_ns, bool so, uint64_t long_enough_ns, const struct pw_incident_signal *signal)
{
	if (!so) {
		*since_ns = 0;
		return false;
	}
	if (!*since_ns || signal->gap)
		*since_ns = signal->now_ns;
	return signal->now_ns - *since_ns >= long_enough_ns;
}

bool pw_incident_step(struct pw_incident *incident, const struct pw_incident_signal *signal)
{
	bool cleared = has_lasted(&incident->low_since_ns, signal->low, signal->clear_ns, signal),
	     drained = has_lasted(&incident->down_since_ns, signal->down, signal->hold_ns, signal);

	incident->alert.state = signal->low || signal->down ? PW_ALERT_CLEARING : PW_ALERT_FIRING;
	return cleared || drained;
}

void pw_incident_close(struct pw_incidents *incidents, struct pw_incident *incident)
{
	struct pw_incident **link = &incidents->first;

	while (*link && *link != incident)
		link = &(*link)->next;
	if (!*link)
		return;
	*link = incident->next;
	incidents->open--;
	free(incident);
}
