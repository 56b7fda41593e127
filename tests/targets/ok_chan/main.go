// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// ok_chan is the healthy twin of leak_chan: the same work at the same rate, and it gives up after the same timeout, but
// the result has a place to go, so that the goroutine that works for a request always ends.
package main

import (
	"parkwatch.test/targets/internal/ctl"
	"parkwatch.test/targets/internal/service"
)

func main() {
	s := service.Start()
	go s.Requests(func(id int) {
		result := make(chan int, 1)
		s.Site.Next()
		go func() { result <- s.Query(id) }()
		s.Await(result)
	})
	ctl.Serve(true, s.Commands())
}
