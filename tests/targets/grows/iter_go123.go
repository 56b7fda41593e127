// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

//go:build go1.23

package main

import "iter"

// An iterator that is asked once and then left: its coroutine waits for ever. The goroutine that asked has ended.
func init() {
	kinds["iterator"] = func(end <-chan struct{}) {
		next, stop := iter.Pull(func(yield func(int) bool) {
			for i := 0; yield(i); i++ {
			}
		})
		next()
		if end != nil {
			<-end
			stop()
		}
	}
}
