// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// many_stacks parks many goroutines deep in calls, to measure how long it takes to look at them.
//
//	start N [DEPTH]   N goroutines, each parked below DEPTH (default 8) calls of one function, on a channel
//	wake N            N of them run and park again
//	profile LEVEL     the program takes its own goroutine profile (debug=LEVEL): {"wall_ns", "cpu_ns", "bytes"}
//	gaps N            spins for N steps of a microsecond: {"p50_ns", "p99_ns", "p999_ns", "max_ns"} of their length
package main

import (
	"runtime"
	"strconv"
	"sync"

	"parkwatch.test/targets/internal/ctl"
)

var (
	gate  = make(chan int)
	ready sync.WaitGroup
)

func main() {
	ctl.Serve(false, map[string]ctl.Command{"start": start, "wake": wake, "profile": profile, "gaps": gaps})
}

func start(args []string) (ctl.Answer, error) {
	depth := 8
	n, err := ctl.Number(args, 100000)
	if err == nil && len(args) > 1 {
		depth, err = strconv.Atoi(args[1])
	}
	if err != nil {
		return nil, err
	}
	ready.Add(n)
	for i := 0; i < n; i++ {
		go descend(depth)
	}
	ready.Wait()
	return nil, nil
}

func wake(args []string) (ctl.Answer, error) {
	n, err := ctl.Number(args, 1)
	for left := n; err == nil && left > 0; {
		select {
		case gate <- 1:
			left--
		default:
			runtime.Gosched()
		}
	}
	return nil, err
}

//go:noinline
func descend(depth int) int {
	if depth > 1 {
		return descend(depth-1) + depth
	}
	ready.Done()
	sum := 0
	for i := range gate {
		sum += i
	}
	return sum
}
