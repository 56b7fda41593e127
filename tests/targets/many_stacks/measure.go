// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

package main

import (
	"io"
	"runtime/debug"
	"runtime/pprof"
	"sort"
	"strconv"
	"syscall"
	"time"

	"parkwatch.test/targets/internal/ctl"
)

func cpu() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// profile takes the program's own goroutine profile, as net/http/pprof would.
func profile(args []string) (ctl.Answer, error) {
	level, err := ctl.Number(args, 1)
	if err != nil {
		return nil, err
	}
	var written counter
	start, used := time.Now(), cpu()
	err = pprof.Lookup("goroutine").WriteTo(io.Writer(&written), level)
	return ctl.Answer{"wall_ns": time.Since(start), "cpu_ns": cpu() - used, "bytes": written}, err
}

var sink uint64

// gaps spins, and says how long the longest of N steps of about a microsecond took.
func gaps(args []string) (ctl.Answer, error) {
	n, err := ctl.Number(args, 1000000)
	if err != nil || n < 1000 {
		return nil, strconv.ErrRange
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	steps := make([]int64, n)
	for i := range steps {
		steps[i] = 1 // the pages are there
	}
	last := time.Now()
	for i := range steps {
		for k := uint64(0); k < 300; k++ {
			sink = sink*6364136223846793005 + k
		}
		now := time.Now()
		steps[i] = int64(now.Sub(last))
		last = now
	}
	sort.Slice(steps, func(i, j int) bool { return steps[i] < steps[j] })
	return ctl.Answer{"p50_ns": steps[n/2], "p99_ns": steps[n/100*99], "p999_ns": steps[n/1000*999],
		"max_ns": steps[n-1]}, nil
}
