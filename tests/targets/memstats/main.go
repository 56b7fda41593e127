// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// memstats says what runtime.MemStats, debug.ReadGCStats and runtime/metrics say, and then stands still: from reading
// them to waiting for the next command it allocates nothing and starts nothing, so that an observer must find the same.
//
//	stats      all numbers as one JSON object: "MemStats.X", "GCStats.X", "/path:unit", and "buckets /path:unit"
//	work N     allocates, collects, contends for a mutex and passes values between goroutines, N rounds
//	load       allocates, contends and reads metrics without end, in goroutines of its own; rest ends it
//	queue N    N objects get finalizers (and, from Go 1.24, cleanups) behind one that does not return
//	off        debug.SetGCPercent(-1); limit: a memory limit of 64 MB
package main

import (
	"math"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

var (
	samples []metrics.Sample
	stats   runtime.MemStats
	gcStats = debug.GCStats{
		Pause: make([]time.Duration, 0, 512), PauseEnd: make([]time.Time, 0, 512), PauseQuantiles: make([]time.Duration, 5),
	}
	out     = make([]byte, 0, 4<<20)
	line    = make([]byte, 0, 256)
	chunk   [256]byte
	sink    []byte
	fields  []string // of MemStats, those that are unsigned numbers or floats; "" the others
	kept    [][]byte
	mutex   sync.Mutex
	loading atomic.Bool
	running sync.WaitGroup
)

func main() {
	for _, description := range metrics.All() {
		if !strings.HasPrefix(description.Name, "/godebug/") {
			samples = append(samples, metrics.Sample{Name: description.Name})
		}
	}
	for i, t := 0, reflect.TypeOf(stats); i < t.NumField(); i++ {
		fields = append(fields, "")
		switch t.Field(i).Type.Kind() {
		case reflect.Uint32, reflect.Uint64, reflect.Float64:
			fields[i] = "MemStats." + t.Field(i).Name
		}
	}
	work(3)
	readAll() // the first one allocates
	write(`{"ready":true,"pid":` + strconv.Itoa(os.Getpid()) + "}\n")
	for {
		answer(command())
	}
}

func answer(text string) {
	word, argument, _ := strings.Cut(text, " ")
	n, _ := strconv.Atoi(argument)
	switch word {
	case "stats":
		time.Sleep(10 * time.Millisecond) // what the command before it left behind comes to rest
		readAll()
		send(format())
		return
	case "work":
		work(n)
	case "load":
		loading.Store(true)
		for i := 0; i < 3; i++ {
			running.Add(1)
			go load()
		}
		running.Add(1)
		go readers()
	case "rest":
		loading.Store(false)
		running.Wait()
	case "queue":
		queue(n)
	case "off":
		debug.SetGCPercent(-1)
	case "limit":
		debug.SetMemoryLimit(64 << 20)
	case "quit":
		os.Exit(0)
	default:
		write(`{"ok":false,"error":"unknown command"}` + "\n")
		return
	}
	write(`{"ok":true}` + "\n")
}

// command reads one line with plain system calls.
func command() string {
	line = line[:0]
	for {
		n, err := syscall.Read(0, chunk[:1])
		if n <= 0 || err != nil && err != syscall.EINTR {
			os.Exit(0)
		}
		if chunk[0] == '\n' {
			return string(line)
		}
		line = append(line, chunk[0])
	}
}

func write(text string) {
	send([]byte(text))
}

func send(text []byte) {
	for len(text) > 0 {
		n, err := syscall.Write(1, text)
		if err != nil && err != syscall.EINTR {
			os.Exit(1)
		}
		if n > 0 {
			text = text[n:]
		}
	}
}

// readAll: MemStats stops the world, which is one more in the histograms, so they come last.
func readAll() {
	runtime.ReadMemStats(&stats)
	debug.ReadGCStats(&gcStats)
	metrics.Read(samples)
}

func key(name string) {
	out = append(out, ',', '"')
	out = append(out, name...)
	out = append(out, '"', ':')
}

func number(name string, value uint64) {
	key(name)
	out = strconv.AppendUint(out, value, 10)
}

func float(value float64) {
	if math.IsInf(value, 0) || math.IsNaN(value) {
		out = append(out, "null"...)
		return
	}
	out = strconv.AppendFloat(out, value, 'g', -1, 64)
}

func histogram(name string, h *metrics.Float64Histogram) {
	out = append(out, ',', '"')
	out = append(out, name...)
	out = append(out, '"', ':', '[')
	for i, count := range h.Counts {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendUint(out, count, 10)
	}
	out = append(out, `],"buckets `...)
	out = append(out, name...)
	out = append(out, '"', ':', '[')
	for i, bound := range h.Buckets {
		if i > 0 {
			out = append(out, ',')
		}
		float(bound)
	}
	out = append(out, ']')
}

func format() []byte {
	out = append(out[:0], `{"ok":true`...)
	value := reflect.ValueOf(&stats).Elem()
	for i, name := range fields {
		if name == "" {
			continue
		}
		if field := value.Field(i); field.Kind() == reflect.Float64 {
			key(name)
			float(field.Float())
		} else {
			number(name, field.Uint())
		}
	}
	number("GCStats.NumGC", uint64(gcStats.NumGC))
	number("GCStats.PauseTotal", uint64(gcStats.PauseTotal))
	number("GCStats.LastGC", uint64(gcStats.LastGC.UnixNano()))
	for i, quantile := range gcStats.PauseQuantiles {
		number(quantiles[i], uint64(quantile))
	}
	for i := range samples {
		switch sample := &samples[i]; sample.Value.Kind() {
		case metrics.KindUint64:
			number(sample.Name, sample.Value.Uint64())
		case metrics.KindFloat64:
			key(sample.Name)
			float(sample.Value.Float64())
		case metrics.KindFloat64Histogram:
			histogram(sample.Name, sample.Value.Float64Histogram())
		}
	}
	return append(out, "}\n"...)
}

var quantiles = [...]string{"GCStats.Quantile0", "GCStats.Quantile1", "GCStats.Quantile2", "GCStats.Quantile3", "GCStats.Quantile4"}

// ---- work ----

type node struct {
	next *node
	data [40]byte
}

func round() {
	for size := 8; size <= 1<<20; size = size*5/4 + 1 {
		sink = make([]byte, size)
		kept = append(kept, make([]byte, size/2+1))
	}
	if len(kept) > 400 {
		kept = kept[200:]
	}
	var list *node
	for i := 0; i < 2000; i++ {
		list = &node{next: list}
		tiny = new(byte)
	}
	held = list
}

var (
	tiny *byte
	held *node
)

func contend() {
	var group sync.WaitGroup
	values := make(chan int)
	for i := 0; i < 4; i++ {
		group.Add(2)
		go func() {
			defer group.Done()
			for k := 0; k < 5; k++ {
				mutex.Lock()
				time.Sleep(20 * time.Microsecond)
				mutex.Unlock()
			}
		}()
		go func(sends bool) {
			defer group.Done()
			for k := 0; k < 100; k++ {
				if sends {
					values <- k
				} else {
					<-values
				}
			}
		}(i%2 == 0)
	}
	group.Wait()
}

func work(n int) {
	for i := 0; i < n; i++ {
		round()
		contend()
		runtime.GC()
	}
}

func load() {
	defer running.Done()
	for loading.Load() {
		var data []byte
		for i := 0; i < 100; i++ {
			data = make([]byte, 16<<(i%12))
			tiny2 := new(byte)
			_ = tiny2
		}
		_ = data
		mutex.Lock()
		kept = append(kept[:0:0], make([]byte, 1000))
		mutex.Unlock()
	}
}

// readers merges the slots of the runtime's heap statistics, as reading them does, half of the time.
func readers() {
	defer running.Done()
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	for loading.Load() {
		for i := 0; i < 50; i++ {
			metrics.Read(sample)
		}
		time.Sleep(100 * time.Microsecond)
	}
}

func queue(n int) {
	runtime.SetFinalizer(&node{}, func(*node) { time.Sleep(time.Hour) })
	runtime.GC()
	time.Sleep(20 * time.Millisecond) // the goroutine of finalizers sleeps in it from now on
	for i := 0; i < n; i++ {
		runtime.SetFinalizer(&node{}, func(*node) {})
		addCleanup()
	}
	for i := 0; i < 2; i++ {
		runtime.GC()
	}
}
