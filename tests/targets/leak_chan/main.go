// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// leak_chan is a service with the classical leak: a request that gives up after a timeout leaves the goroutine that
// works for it behind, which then sends its result to nobody for ever. ok_chan is its twin with the one-word repair.
package main

import (
	"parkwatch.test/targets/internal/ctl"
	"parkwatch.test/targets/internal/service"
)

func main() {
	s := service.Start()
	go s.Requests(func(id int) {
		result := make(chan int) // nobody receives once handle has given up
		s.Site.Next()
		go func() { result <- s.Query(id) }()
		s.Await(result)
	})
	ctl.Serve(true, s.Commands())
}
