// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

//go:build !withcgo

package ctl

// Cgo says whether this program is linked with C.
const Cgo = false

// CSleep needs C.
func CSleep(ms int) { panic("built without cgo") }
