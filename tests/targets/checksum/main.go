// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// checksum computes all the time, with many goroutines, growing stacks, channels, timers and collections, and checks
// every result: a program that somebody disturbs exits with status 1 and says so.
package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"parkwatch.test/targets/internal/ctl"
)

var rounds int64

func main() {
	want := sum(200)
	for i := 0; i < 2*runtime.GOMAXPROCS(0); i++ {
		go work(want)
	}
	go collect()
	ctl.Serve(false, map[string]ctl.Command{"stats": func([]string) (ctl.Answer, error) {
		answer := ctl.Stats()
		answer["rounds"] = atomic.LoadInt64(&rounds)
		return answer, nil
	}})
}

func collect() {
	for range time.Tick(20 * time.Millisecond) {
		runtime.GC()
	}
}

func work(want [32]byte) {
	for {
		if got := round(); got != want {
			fmt.Fprintf(os.Stderr, "checksum: %x instead of %x after %d rounds\n", got, want, atomic.LoadInt64(&rounds))
			os.Exit(1)
		}
		atomic.AddInt64(&rounds, 1)
	}
}

// round has its sum made by goroutines that hand it over, each on a stack that grows.
func round() [32]byte {
	var group sync.WaitGroup
	parts := make(chan [32]byte)
	for i := 0; i < 4; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			parts <- sum(200)
		}()
	}
	first := <-parts
	for i := 0; i < 3; i++ {
		if part := <-parts; part != first {
			return part
		}
	}
	group.Wait()
	return first
}

//go:noinline
func sum(depth int) [32]byte {
	var pad [256]byte
	for i := range pad {
		pad[i] = byte(i * depth)
	}
	if depth == 0 {
		return sha256.Sum256(pad[:])
	}
	inner := sum(depth - 1)
	copy(pad[:], inner[:])
	return sha256.Sum256(pad[:])
}
