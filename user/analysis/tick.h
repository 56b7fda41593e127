/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_TICK_H
#define PW_ANALYSIS_TICK_H

#include <stdint.h>

struct pw_tick { /* one judgement of one target */
	uint64_t number;
	uint64_t taken_ns, wall_ns; /* of this census */
	uint64_t before_ns,
		before_wall_ns; /* of the tick before; 0: none, or the data in between is not to be trusted */
	uint64_t uptime_ns;	/* of the process */
};

#endif
