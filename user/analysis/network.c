/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <inttypes.h>
#include <stdio.h>

#include "analysis/analysis.h"
#include "analysis/descriptors.h"
#include "base/macros.h"
#include "base/time.h"
#include "model/alert.h"
#include "model/record.h"

/* The sockets of a group of goroutines in IO wait, for PW-G07. */

bool pw_network_endless(const struct pw_record_park *park)
{
	return 2ULL * park->sockets.no_deadline > park->sockets.deadline_known;
}

bool pw_network_suspicious(const struct pw_record_park *park, const struct pw_rules_config *rules, bool cold)
{
	const struct pw_record_sockets *sockets = &park->sockets;
	bool closed = 2ULL * sockets->closed > sockets->known,
	     heard = 2ULL * sockets->heard > sockets->established && sockets->heard;

	if (closed)
		return true; /* nothing will ever come */
	if (heard && sockets->quiet_ns < rules->g07_quiet_ns)
		return false;
	return !cold;
}

void pw_network_explain(struct pw_alert *alert, const struct pw_record_park *park)
{
	const struct pw_record_sockets *sockets = &park->sockets;
	char quiet[PW_DURATION_SIZE], heard[96] = "";

	if (!sockets->known) {
		snprintf(alert->hint, sizeof(alert->hint),
			 "No deadline ends their wait (what their sockets are is not known): set one, or close what is "
			 "no longer used.");
		return;
	}
	if (sockets->heard)
		snprintf(heard, sizeof(heard), ", half of them without data for %s",
			 pw_time_duration(sockets->quiet_ns, quiet));
	else if (sockets->established)
		snprintf(heard, sizeof(heard), ", when they last received is not known");
	snprintf(alert->hint, sizeof(alert->hint),
		 "No deadline ends their wait. Of %" PRIu32 " sockets %" PRIu32 " are established%s, %" PRIu32
		 " closed by the other side. Set deadlines, close what is no longer used.",
		 sockets->known, sockets->established, heard, sockets->closed);
}
