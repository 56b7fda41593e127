// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// convoy is a lock that everybody wants: goroutines take it, and hold it long enough that the others have to park.
//
//	measure MS     {"ns_per_op", "ops"}: an operation is one time that the lock was had
package main

import (
	"sync"
	"sync/atomic"
	"time"

	"parkwatch.test/targets/internal/ctl"
)

const workers = 8

func main() {
	ctl.Serve(false, map[string]ctl.Command{"measure": func(args []string) (ctl.Answer, error) {
		ms, err := ctl.Number(args, 1000)
		if err != nil {
			return nil, err
		}
		var lock sync.Mutex
		var group sync.WaitGroup
		var stop int32
		ops, work, start := 0, 0, time.Now()
		for i := 0; i < workers; i++ {
			group.Add(1)
			go func() {
				defer group.Done()
				for atomic.LoadInt32(&stop) == 0 {
					lock.Lock()
					ops++
					for spin := 0; spin < 5000; spin++ { // longer than others spin for it: they park
						work += spin
					}
					lock.Unlock()
				}
			}()
		}
		time.Sleep(time.Duration(ms) * time.Millisecond)
		atomic.StoreInt32(&stop, 1)
		group.Wait()
		return ctl.Answer{"ns_per_op": float64(time.Since(start).Nanoseconds()) / float64(ops), "ops": ops, "work": work}, nil
	}})
}
