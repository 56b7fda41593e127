/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_ALERT_FILE_H
#define PW_OUTPUT_ALERT_FILE_H

struct pw_alert;
struct pw_why;

/*
 * A file of JSON lines, one for each transition of an alert (0600, appended to, each line one write). A file that was
 * moved away or deleted is made anew at the next line, so that logrotate needs no word to us.
 */
struct pw_alert_file;

int pw_alert_file_new(struct pw_alert_file **ret_file, const char *path, struct pw_why *reterr_why)
	__attribute__((warn_unused_result));
void pw_alert_file_free(struct pw_alert_file *file);
const char *pw_alert_file_path(const struct pw_alert_file *file);
/* 0 or -errno of what the disk said; a line that did not get out whole is ended, so that the next one stands alone. */
int pw_alert_file_write(struct pw_alert_file *file, const struct pw_alert *alert) __attribute__((warn_unused_result));

#endif
