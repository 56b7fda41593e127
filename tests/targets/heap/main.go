// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// heap allocates, keeps and lets go at sites that are known, and says what its own heap profile holds.
//
//	keep SITE N      N more objects at a site ("small", "record", "inlined", "deep", "generic", "buffer", "large")
//	drop SITE        lets all objects of a site go
//	churn N          N objects of a site that nobody keeps
//	buckets N        N different (stack, size) pairs of the profile
//	records          what runtime.MemProfile returns, raw: {stack, alloc_objects, ...} with function and line of each frame
//	pprof FILE       the profile as runtime/pprof writes it
//	serve            net/http/pprof at an address that is in the answer
//	memstats         runtime.ReadMemStats
//
// HEAP_RATE is runtime.MemProfileRate, by default 1024.
package main

import (
	"errors"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"

	"parkwatch.test/targets/internal/ctl"
)

type record struct { // with pointers, above 512 bytes: has a malloc header from 1.22 on
	next *record
	name string
	body [600]byte
}

type table struct { // above 32 kB: a span of its own
	rows [8192]*record
}

var (
	smalls  [][]byte
	records []*record
	ints    []*[64]int
	deeps   []*[128]byte
	boxes   []any
	buffers [][]byte
	tables  []*table
	many    [][]byte
	churned []byte
)

func main() {
	runtime.MemProfileRate = 1024
	if rate, err := strconv.Atoi(os.Getenv("HEAP_RATE")); err == nil {
		runtime.MemProfileRate = rate
	}
	ctl.Serve(false, map[string]ctl.Command{"keep": keep, "drop": drop, "churn": churn, "buckets": buckets,
		"gc": collect, "records": list, "pprof": write, "serve": serve, "memstats": memstats})
}

func keep(args []string) (ctl.Answer, error) {
	if len(args) < 1 {
		return nil, errors.New("keep SITE N")
	}
	n, err := ctl.Number(args[1:], 1)
	for i := 0; err == nil && i < n; i++ {
		err = keepOne(args[0])
	}
	return nil, err
}

//go:noinline
func keepOne(site string) error {
	switch site {
	case "small":
		smalls = append(smalls, keepSmall())
	case "record":
		records = append(records, keepRecord())
	case "inlined":
		ints = append(ints, keepInlined())
	case "deep":
		deeps = append(deeps, keepDeep(40))
	case "generic":
		boxes = append(boxes, keepGeneric[[48]int]())
	case "buffer":
		buffers = append(buffers, func() []byte { return make([]byte, 10000) }())
	case "large":
		tables = append(tables, keepLarge())
	default:
		return errors.New("no such site")
	}
	return nil
}

//go:noinline
func keepSmall() []byte { return make([]byte, 100) }

//go:noinline
func keepRecord() *record { return &record{name: "kept"} }

//go:noinline
func keepLarge() *table { return new(table) }

func inner() *[64]int { return new([64]int) } // inlined twice over
func middle() *[64]int {
	return inner()
}

//go:noinline
func keepInlined() *[64]int { return middle() }

//go:noinline
func keepDeep(depth int) *[128]byte {
	if depth > 0 {
		p := keepDeep(depth - 1)
		p[depth]++
		return p
	}
	return new([128]byte)
}

//go:noinline
func keepGeneric[T any]() *T { return new(T) }

func drop(args []string) (ctl.Answer, error) {
	if len(args) != 1 {
		return nil, errors.New("drop SITE")
	}
	switch args[0] {
	case "small":
		smalls = nil
	case "record":
		records = nil
	case "inlined":
		ints = nil
	case "deep":
		deeps = nil
	case "generic":
		boxes = nil
	case "buffer":
		buffers = nil
	case "large":
		tables = nil
	default:
		return nil, errors.New("no such site")
	}
	return nil, nil
}

func churn(args []string) (ctl.Answer, error) {
	n, err := ctl.Number(args, 1000)
	for i := 0; err == nil && i < n; i++ {
		churnOne()
	}
	return nil, err
}

//go:noinline
func churnOne() { churned = make([]byte, 2000) }

// A path through 16 calls, one of two each time, is another stack for each number below 65,536.
func buckets(args []string) (ctl.Answer, error) {
	n, err := ctl.Number(args, 50000)
	rate := runtime.MemProfileRate
	runtime.MemProfileRate = 1
	for i := 0; err == nil && i < n; i++ {
		many = append(many, left(i, 16))
	}
	runtime.MemProfileRate = rate
	return nil, err
}

//go:noinline
func left(path, depth int) []byte {
	if depth == 0 {
		return make([]byte, 16)
	}
	if path&1 == 0 {
		return left(path>>1, depth-1)
	}
	return right(path>>1, depth-1)
}

//go:noinline
func right(path, depth int) []byte {
	if depth == 0 {
		return make([]byte, 16)
	}
	if path&1 == 0 {
		return left(path>>1, depth-1)
	}
	return right(path>>1, depth-1)
}

// Without the allocations that the gc of every target makes.
func collect(args []string) (ctl.Answer, error) {
	n, err := ctl.Number(args, 1)
	for i := 0; err == nil && i < n; i++ {
		runtime.GC()
	}
	return nil, err
}

func list([]string) (ctl.Answer, error) {
	type row struct {
		Stack        [][]any `json:"stack"`
		ObjectBytes  int64   `json:"object_bytes"`
		AllocObjects int64   `json:"alloc_objects"`
		AllocBytes   int64   `json:"alloc_bytes"`
		FreeObjects  int64   `json:"free_objects"`
		FreeBytes    int64   `json:"free_bytes"`
	}
	records := make([]runtime.MemProfileRecord, 0)
	for n, ok := runtime.MemProfile(nil, true); !ok; {
		records = make([]runtime.MemProfileRecord, n+50)
		n, ok = runtime.MemProfile(records, true)
		records = records[:n]
	}
	rows := make([]row, 0, len(records))
	for i := range records {
		r := &records[i]
		if r.AllocObjects == 0 {
			continue
		}
		out := row{ObjectBytes: r.AllocBytes / r.AllocObjects, AllocObjects: r.AllocObjects, AllocBytes: r.AllocBytes,
			FreeObjects: r.FreeObjects, FreeBytes: r.FreeBytes}
		frames := runtime.CallersFrames(r.Stack())
		for {
			frame, more := frames.Next()
			out.Stack = append(out.Stack, []any{frame.Function, frame.File, frame.Line})
			if !more {
				break
			}
		}
		rows = append(rows, out)
	}
	return ctl.Answer{"rate": runtime.MemProfileRate, "records": rows}, nil
}

func write(args []string) (ctl.Answer, error) {
	if len(args) != 1 {
		return nil, errors.New("pprof FILE")
	}
	file, err := os.Create(args[0])
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return nil, pprof.Lookup("heap").WriteTo(file, 0)
}

func serve([]string) (ctl.Answer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go http.Serve(listener, nil)
	return ctl.Answer{"address": listener.Addr().String()}, nil
}

func memstats([]string) (ctl.Answer, error) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	sizes := make([][3]uint64, 0, len(m.BySize))
	for _, s := range m.BySize {
		sizes = append(sizes, [3]uint64{uint64(s.Size), s.Mallocs, s.Frees})
	}
	return ctl.Answer{"heap_alloc": m.HeapAlloc, "heap_objects": m.HeapObjects, "num_gc": m.NumGC, "by_size": sizes}, nil
}
