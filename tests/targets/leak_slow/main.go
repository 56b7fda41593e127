// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// leak_slow has a dependency that stalls: stall makes its requests wait, resume lets them all go. A true pile-up, and
// no leak. Flag -rate: requests per second.
package main

import (
	"flag"
	"sync"
	"time"

	"parkwatch.test/targets/internal/ctl"
)

var (
	mu   sync.Mutex
	gate = make(chan struct{})
)

func current() chan struct{} {
	mu.Lock()
	defer mu.Unlock()
	return gate
}

func main() {
	rate := flag.Float64("rate", 50, "requests per second")
	flag.Parse()
	close(gate)
	go func() {
		for range time.Tick(time.Duration(float64(time.Second) / *rate)) {
			go request()
		}
	}()
	ctl.Serve(true, map[string]ctl.Command{
		"stall": func([]string) (ctl.Answer, error) {
			mu.Lock()
			defer mu.Unlock()
			gate = make(chan struct{})
			return nil, nil
		},
		"resume": func([]string) (ctl.Answer, error) {
			close(current())
			return nil, nil
		},
	})
}

func request() {
	<-current()
}
