// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

//go:build withcgo

package ctl

/*
#include <unistd.h>

static void nap(unsigned ms) { usleep(ms * 1000); }
*/
import "C"

// Cgo says whether this program is linked with C, as Debian's servers are.
const Cgo = true

// CSleep sleeps in C: the goroutine is in a system call as the runtime sees it.
func CSleep(ms int) { C.nap(C.unsigned(ms)) }
