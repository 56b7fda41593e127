// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

//go:build go1.23

package main

import "iter"

// coroutines: each iter.Pull makes a goroutine that no go statement starts; a third run to their end, a third are
// stopped in the middle, a third before they began.
//
//go:noinline
func coroutines(n int) {
	three := iter.Seq[int](func(yield func(int) bool) {
		for i := 0; i < 3; i++ {
			if !yield(i) {
				return
			}
		}
	})
	for i := 0; i < n; i++ {
		next, stop := iter.Pull(three)
		for pulls := i % 3 * 2; pulls > 0; pulls-- {
			next()
		}
		stop()
		coroutine.Function = "iter.Pull"
		coroutine.Spawned++
		coroutine.Exited++
	}
}
