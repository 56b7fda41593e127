/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_BINARY_BUILDINFO_H
#define PW_BINARY_BUILDINFO_H

#include <stdbool.h>
#include <stddef.h>

struct pw_why;
struct pw_elf;

/* What the Go linker wrote about the build (src/debug/buildinfo). Empty string: not there. */
struct pw_buildinfo {
	char go_version[64]; /* as written: "go1.19.8", "devel go1.28-..." */
	int go_minor;	     /* 19 for 1.19; -1 if it cannot be told */
	char main_path[256]; /* path of package main */
	char module[256];    /* main module */
	char module_version[128];
	char revision[64]; /* vcs.revision */
	bool modified;	   /* vcs.modified=true */
	bool cgo;	   /* CGO_ENABLED=1 */
	bool instrumented; /* -race, -msan or -asan */
	char build_mode[32];
	char experiments[128]; /* GOEXPERIMENT, from the setting or the X: suffix of the version */
};

/* Reads .go.buildinfo, or finds its magic in writable or read-only data. Where it was taken out but the function table
 * is there, the version comes from the runtime (or stays empty, go_minor -1) and the rest is empty. -ENODATA: not a Go
 * program, -EBADMSG: there, but lies. */
int pw_buildinfo_read(struct pw_buildinfo *ret_info, const struct pw_elf *elf, struct pw_why *reterr_why)
	__attribute__((warn_unused_result));

#endif
