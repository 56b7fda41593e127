/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_CMD_NOTIFY_H
#define PW_CMD_NOTIFY_H

#include <stdint.h>

/* What systemd wants to hear (sd_notify(3)), by datagrams to $NOTIFY_SOCKET; nothing happens without it. */

/* "READY=1", "RELOADING=1\nMONOTONIC_USEC=...", "STOPPING=1", "WATCHDOG=1", "STATUS=...": 0 or -errno. */
int pw_notify(const char *state);
void pw_notify_reloading(void);
/* Interval at which the watchdog wants to hear from us (half of $WATCHDOG_USEC, if it is meant for us), 0: none. */
uint64_t pw_notify_watchdog_ns(void);

#endif
