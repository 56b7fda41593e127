// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// running has goroutines that run all the time, each in another way: in calls of its own, in the vDSO (time.Now), on the
// runtime's stack (allocation, growing stacks). For core files, where it can be told where each of them stood. With the
// argument "forever" there is one only, and nothing can interrupt it; with "panic" one that dies.
package main

import (
	"os"
	"runtime"
	"time"

	"parkwatch.test/targets/internal/ctl"
)

var (
	numbers [4]uint64
	moments int64
	blocks  [64][]byte
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "panic" {
		go follow(nil, 3)
		ctl.Serve(false, nil)
		return
	}
	if len(os.Args) > 1 {
		go forever(3)
		ctl.Serve(false, nil)
		return
	}
	runtime.GOMAXPROCS(6)
	go outer(0)
	go clock()
	go allocate()
	go grow()
	ctl.Serve(false, nil)
}

// forever cannot be interrupted with GODEBUG=asyncpreemptoff=1: it runs even while the runtime dies.
//
//go:noinline
func forever(depth int) {
	if depth > 0 {
		forever(depth - 1)
		return
	}
	for {
		numbers[3]++
	}
}

// follow dies of a nil pointer, a moment after the start.
//
//go:noinline
func follow(pointer *uint64, depth int) uint64 {
	if depth > 0 {
		return follow(pointer, depth-1) + 1
	}
	time.Sleep(100 * time.Millisecond)
	return *pointer
}

//go:noinline
func outer(which int) {
	for {
		middle(which, 3)
	}
}

//go:noinline
func middle(which, depth int) {
	if depth > 0 {
		middle(which, depth-1)
		return
	}
	inner(which)
}

//go:noinline
func inner(which int) {
	for i := uint64(0); i < 1<<16; i++ {
		numbers[which] = numbers[which]*6364136223846793005 + i
	}
}

//go:noinline
func clock() {
	for {
		moments += time.Now().UnixNano()
	}
}

//go:noinline
func allocate() {
	for i := 0; ; i++ {
		blocks[i%len(blocks)] = make([]byte, 40000)
	}
}

// grow runs a fresh goroutine after the other whose stack has to grow.
func grow() {
	done := make(chan int)
	for {
		go func() { done <- deep(100) }()
		<-done
	}
}

//go:noinline
func deep(n int) int {
	var room [128]byte
	if n == 0 {
		return len(room)
	}
	room[n] = byte(n)
	return deep(n-1) + int(room[n])
}
