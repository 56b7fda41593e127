// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// memory puts its memory where it is told to, for who asks where the RSS goes. Sizes are MB.
//
//	hold N         N MB of live heap, in objects of 4 kB, all written
//	drop           what is held becomes garbage; no collection is made
//	free           the same, collected and given back (debug.FreeOSMemory)
//	large N        one live object of N MB that is never written: room without pages
//	stacks N K     N goroutines, each parked with a stack of at least K kB
//	mmap N         N MB of anonymous memory that the runtime does not know, written
//	huge N         the same in huge pages (madvise)
//	file PATH      maps the file and reads all of it
//	shared N       N MB of shared memory, written
//	limit N        debug.SetMemoryLimit
//	gogc N         debug.SetGCPercent; 0: off
//	churn N M      in the background: N MB of garbage a second in objects of M bytes (default 10 100)
//	forced N       in the background: N collections a second
//	leaks N        N collections that look for leaked goroutines too (Go 1.27; an error elsewhere)
//	mem            runtime.MemStats
package main

import (
	"errors"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"syscall"
	"time"

	"parkwatch.test/targets/internal/ctl"
)

var (
	held  [][]byte
	kept  [][]byte // the runtime must not see that nobody reads it
	gate  = make(chan int)
	sink  []byte
	total int
)

func main() {
	ctl.Serve(true, map[string]ctl.Command{
		"hold": hold, "drop": drop, "free": free, "large": large, "stacks": stacks, "mmap": anonymous, "huge": huge,
		"file": file, "shared": shared, "limit": limit, "gogc": gogc, "churn": churn, "forced": forced, "leaks": leaks, "mem": mem,
	})
}

func hold(args []string) (ctl.Answer, error) {
	n, err := ctl.Number(args, 1)
	for i := 0; err == nil && i < n<<8; i++ {
		object := make([]byte, 4096)
		for at := range object {
			object[at] = byte(at)
		}
		held = append(held, object)
	}
	return nil, err
}

func drop([]string) (ctl.Answer, error) {
	held = nil
	return nil, nil
}

func free([]string) (ctl.Answer, error) {
	held = nil
	debug.FreeOSMemory()
	return nil, nil
}

func large(args []string) (ctl.Answer, error) {
	n, err := ctl.Number(args, 1)
	if err == nil {
		kept = append(kept, make([]byte, n<<20))
	}
	return nil, err
}

//go:noinline
func descend(depth int, ready chan<- int) int {
	var room [1024]byte
	room[depth&1023] = 1
	if depth > 0 {
		return descend(depth-1, ready) + int(room[0])
	}
	ready <- 1
	return <-gate
}

func stacks(args []string) (ctl.Answer, error) {
	n, err := ctl.Number(args, 100)
	depth := 8
	if err == nil && len(args) > 1 {
		depth, err = strconv.Atoi(args[1])
	}
	ready := make(chan int)
	for i := 0; err == nil && i < n; i++ {
		go descend(depth, ready)
		<-ready
	}
	return nil, err
}

func mapped(size, flags int) ([]byte, error) {
	return syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, flags)
}

func fill(memory []byte) {
	for at := 0; at < len(memory); at += 4096 {
		memory[at] = 1
	}
	kept = append(kept, memory)
}

func anonymous(args []string) (ctl.Answer, error) {
	n, err := ctl.Number(args, 1)
	if err != nil {
		return nil, err
	}
	memory, err := mapped(n<<20, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err == nil {
		fill(memory)
	}
	return nil, err
}

func huge(args []string) (ctl.Answer, error) {
	n, err := ctl.Number(args, 2)
	if err != nil {
		return nil, err
	}
	memory, err := mapped((n+2)<<20, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err == nil {
		err = syscall.Madvise(memory, syscall.MADV_HUGEPAGE)
	}
	if err == nil {
		fill(memory[:n<<20])
	}
	return nil, err
}

func file(args []string) (ctl.Answer, error) {
	if len(args) != 1 {
		return nil, errors.New("file PATH")
	}
	opened, err := os.Open(args[0])
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	info, err := opened.Stat()
	if err != nil {
		return nil, err
	}
	memory, err := syscall.Mmap(int(opened.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_PRIVATE)
	if err != nil {
		return nil, err
	}
	for at := 0; at < len(memory); at += 4096 {
		total += int(memory[at])
	}
	kept = append(kept, memory)
	return nil, nil
}

func shared(args []string) (ctl.Answer, error) {
	n, err := ctl.Number(args, 1)
	if err != nil {
		return nil, err
	}
	memory, err := mapped(n<<20, syscall.MAP_SHARED|syscall.MAP_ANON)
	if err == nil {
		fill(memory)
	}
	return nil, err
}

func limit(args []string) (ctl.Answer, error) {
	n, err := ctl.Number(args, 0)
	if err == nil && n > 0 {
		debug.SetMemoryLimit(int64(n) << 20)
	}
	return nil, err
}

func gogc(args []string) (ctl.Answer, error) {
	n, err := ctl.Number(args, 100)
	if err == nil && n == 0 {
		n = -1
	}
	if err == nil {
		debug.SetGCPercent(n)
	}
	return nil, err
}

func churn(args []string) (ctl.Answer, error) {
	size := 100
	n, err := ctl.Number(args, 10)
	if err == nil && len(args) > 1 {
		size, err = strconv.Atoi(args[1])
	}
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			for done := 0; done < n<<20/100; done += size {
				sink = make([]byte, size)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	return nil, nil
}

func forced(args []string) (ctl.Answer, error) {
	n, err := ctl.Number(args, 10)
	if err != nil || n == 0 {
		return nil, err
	}
	go func() {
		for {
			runtime.GC()
			time.Sleep(time.Second / time.Duration(n))
		}
	}()
	return nil, nil
}

func leaks(args []string) (ctl.Answer, error) {
	profile := pprof.Lookup("goroutineleak")
	n, err := ctl.Number(args, 1)
	if profile == nil {
		return nil, errors.New("this Go version does not look for leaked goroutines")
	}
	for i := 0; err == nil && i < n; i++ {
		err = profile.WriteTo(io.Discard, 0)
	}
	return nil, err
}

func mem([]string) (ctl.Answer, error) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return ctl.Answer{
		"heap_alloc": m.HeapAlloc, "heap_inuse": m.HeapInuse, "heap_idle": m.HeapIdle, "heap_released": m.HeapReleased,
		"stack_inuse": m.StackInuse, "next_gc": m.NextGC, "num_gc": m.NumGC, "sys": m.Sys,
		"other_sys": m.OtherSys, "gc_sys": m.GCSys, "mspan_sys": m.MSpanSys, "mcache_sys": m.MCacheSys,
		"buck_hash_sys": m.BuckHashSys,
	}, nil
}
