/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_ANALYSIS_PHRASE_H
#define PW_ANALYSIS_PHRASE_H

#include <stdint.h>

struct pw_alert_frame;

/* Parts of the sentences of alerts. Pure: times are shown in UTC. Each writes into `text` and returns it. */
#define PW_PHRASE_NUMBER_SIZE 32
#define PW_PHRASE_PLACE_SIZE  138
#define PW_PHRASE_BYTES_SIZE  24

const char *pw_phrase_number(uint64_t value, char text[PW_PHRASE_NUMBER_SIZE]);	 /* "1,312" */
const char *pw_phrase_clock(uint64_t wall_ns, char text[PW_PHRASE_NUMBER_SIZE]); /* "14:02 UTC" */
const char *pw_phrase_bytes(double bytes, char text[PW_PHRASE_BYTES_SIZE]);	 /* "1.9 GB" */
/* "main.handle (server.go:42)", or what is known of it. */
void pw_phrase_place(const struct pw_alert_frame *frame, char text[PW_PHRASE_PLACE_SIZE]);

#endif
