// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// ok_burst is the noisy twin of leak_chan: every few seconds a burst of goroutines that wait a moment and end.
// Flags: -burst goroutines, -every, -hold how long they wait.
package main

import (
	"flag"
	"time"

	"parkwatch.test/targets/internal/ctl"
)

func main() {
	burst := flag.Int("burst", 500, "goroutines")
	every := flag.Duration("every", 4*time.Second, "between bursts")
	hold := flag.Duration("hold", 2*time.Second, "how long each waits")
	flag.Parse()
	go func() {
		for ; ; time.Sleep(*every) {
			for i := 0; i < *burst; i++ {
				go func() { time.Sleep(*hold) }()
			}
		}
	}()
	ctl.Serve(true, nil)
}
