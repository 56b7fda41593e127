// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// cgo has threads that C made and that call into Go, goroutines that wait in C, and calls in both directions at a known
// number: a runtime with threads that are not its own, as in Debian's servers.
//
//	call N      each of the C threads calls back into Go N times; back when all have
//	sleepers N  N goroutines that sleep in C for a day
//	malloc N    N MB by C's malloc, written, in pieces of 64 kB and one of the rest
//	stats       callbacks so far, goroutines
package main

/*
#cgo LDFLAGS: -pthread
#include "threads.h"
*/
import "C"

import (
	"runtime"
	"sync/atomic"

	"parkwatch.test/targets/internal/ctl"
)

const threads = 3

var (
	callbacks int64
	spawned   = ctl.NewSite("callback", "")
	asleep    = ctl.NewSite("sleeper", "syscall")
)

// goCallback runs on a thread of C's: it starts one goroutine and waits for it by yielding, so that it never parks.
//
//export goCallback
func goCallback() {
	var done int32
	spawned.Next()
	go func() {
		defer spawned.Done()
		atomic.StoreInt32(&done, 1)
	}()
	for atomic.LoadInt32(&done) == 0 {
		runtime.Gosched()
	}
	atomic.AddInt64(&callbacks, 1)
}

func main() {
	C.start_threads(threads)
	ctl.Serve(false, map[string]ctl.Command{"call": call, "sleepers": sleepers, "malloc": malloc, "stats": stats})
}

func call(args []string) (ctl.Answer, error) {
	n, err := ctl.Number(args, 1)
	if err != nil {
		return nil, err
	}
	C.call_back(C.int(n))
	return stats(nil)
}

func sleepers(args []string) (ctl.Answer, error) {
	n, err := ctl.Number(args, 1)
	for i := 0; err == nil && i < n; i++ {
		asleep.Next()
		go func() { C.sleep_long() }()
	}
	return ctl.Answer{"sites": ctl.Sites}, err
}

func malloc(args []string) (ctl.Answer, error) {
	n, err := ctl.Number(args, 1)
	for i := 0; err == nil && i < n*8; i++ { // half of it: below the size that malloc gets by mmap
		C.hold_memory(64 << 10)
	}
	if err == nil {
		C.hold_memory(C.size_t(n) << 19)
	}
	return nil, err
}

func stats([]string) (ctl.Answer, error) {
	answer := ctl.Stats()
	answer["callbacks"] = atomic.LoadInt64(&callbacks)
	answer["threads"] = threads
	answer["sites"] = ctl.Sites
	return answer, nil
}
