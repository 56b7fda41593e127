// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// pingpong measures what one park costs: two goroutines hand a value to and fro over unbuffered channels.
//
//	measure MS     {"ns_per_op", "ops"}: an operation is one way, and one park
package main

import (
	"time"

	"parkwatch.test/targets/internal/ctl"
)

func main() {
	there, back := make(chan int), make(chan int)
	go func() {
		for v := range there {
			back <- v + 1
		}
	}()
	ctl.Serve(false, map[string]ctl.Command{"measure": func(args []string) (ctl.Answer, error) {
		ms, err := ctl.Number(args, 1000)
		if err != nil {
			return nil, err
		}
		start, ops := time.Now(), 0
		for time.Since(start) < time.Duration(ms)*time.Millisecond {
			for i := 0; i < 1000; i++ {
				there <- i
				<-back
			}
			ops += 2000
		}
		return ctl.Answer{"ns_per_op": float64(time.Since(start).Nanoseconds()) / float64(ops), "ops": ops}, nil
	}})
}
