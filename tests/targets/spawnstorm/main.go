// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// spawnstorm starts goroutines that end at once: storm N starts N, and says how long one took.
package main

import (
	"sync"
	"time"

	"parkwatch.test/targets/internal/ctl"
)

func main() {
	ctl.Serve(false, map[string]ctl.Command{"storm": func(args []string) (ctl.Answer, error) {
		n, err := ctl.Number(args, 100000)
		if err != nil {
			return nil, err
		}
		start := time.Now()
		for left := n; left > 0; left -= 100 {
			var group sync.WaitGroup
			group.Add(100)
			for i := 0; i < 100; i++ {
				go group.Done()
			}
			group.Wait()
		}
		return ctl.Answer{"ns_per_op": float64(time.Since(start).Nanoseconds()) / float64(n), "ops": n}, nil
	}})
}
