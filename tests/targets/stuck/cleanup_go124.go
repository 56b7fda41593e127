// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

//go:build go1.24

package main

import (
	"runtime"
	"time"
)

//go:noinline
func clean(count int, f func(int)) {
	for i := 0; i < count; i++ {
		runtime.AddCleanup(&finalized{}, f, i)
	}
}

func init() {
	kinds["cleanup"] = func() {
		s := new(store)
		go s.hold(never)
		time.Sleep(20 * time.Millisecond)
		go func() {
			for {
				clean(1, func(int) { s.get() })
				runtime.GC()
				time.Sleep(time.Second)
			}
		}()
	}
}
