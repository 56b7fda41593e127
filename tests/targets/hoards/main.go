// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// hoards keeps what it allocates at one line, rate times 10 KB a second, and allocates as much again at another, which
// it forgets. With -cap it is the healthy twin: it forgets the oldest of what it keeps when there are so many; with
// -start it keeps so many from the start. It collects five times a second.
package main

import (
	"flag"
	"runtime"
	"time"
)

var (
	kept   [][]byte
	forgot []byte
)

//go:noinline
func keep() {
	block := make([]byte, 10<<10)
	for i := range block { // what nobody writes to takes no memory
		block[i] = 1
	}
	kept = append(kept, block)
}

//go:noinline
func forget() { forgot = make([]byte, 10<<10) }

func main() {
	rate := flag.Int("rate", 200, "a second")
	capacity := flag.Int("cap", 0, "keep at most so many; 0: all")
	start := flag.Int("start", 0, "keep so many from the start")
	flag.Parse()
	runtime.MemProfileRate = 4 << 10
	if n, _ := runtime.MemProfile(nil, true); n < 0 { // what refers to it keeps the linker from switching it off
		panic("no profile")
	}
	for len(kept) < *start {
		keep()
	}
	for range time.Tick(200 * time.Millisecond) {
		for i := 0; i < *rate/5; i++ {
			keep()
			forget()
		}
		if *capacity > 0 && len(kept) > *capacity {
			kept = append([][]byte(nil), kept[len(kept)-*capacity:]...)
		}
		runtime.GC()
	}
}
