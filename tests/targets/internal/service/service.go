// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// Package service is what leak_chan and ok_chan have in common: requests at a rate, a query that is sometimes too slow,
// and a timeout. The two differ only in the channel between them, as the bug does in life.
package service

import (
	"flag"
	"time"

	"parkwatch.test/targets/internal/ctl"
)

// Service makes requests.
type Service struct {
	Site    *ctl.Site // the go statement that leaks, or does not
	rate    float64
	slow    int
	timeout time.Duration
}

// Start reads the flags: -rate requests per second, every -slow'th of which is too slow (1 = all), -timeout.
func Start() *Service {
	s := &Service{Site: ctl.NewSite("query", "chan send")}
	flag.Float64Var(&s.rate, "rate", 20, "requests per second")
	flag.IntVar(&s.slow, "slow", 2, "every n-th query is slower than the timeout")
	flag.DurationVar(&s.timeout, "timeout", 20*time.Millisecond, "how long a request waits")
	flag.Parse()
	return s
}

// Requests calls handle at the rate, each in its own goroutine.
func (s *Service) Requests(handle func(id int)) {
	ticker := time.NewTicker(time.Duration(float64(time.Second) / s.rate))
	defer ticker.Stop()
	for id := 1; ; id++ {
		<-ticker.C
		handle := handle
		id := id
		go handle(id)
	}
}

// Query is the dependency.
func (s *Service) Query(id int) int {
	if id%s.slow == 0 {
		time.Sleep(s.timeout * 3 / 2)
	}
	return id
}

// Await is the request's side: the result, or the timeout.
func (s *Service) Await(result chan int) {
	timer := time.NewTimer(s.timeout)
	defer timer.Stop()
	select {
	case <-result:
	case <-timer.C:
	}
}

// Commands add the go statement's own numbers to stats.
func (s *Service) Commands() map[string]ctl.Command {
	return map[string]ctl.Command{"stats": func([]string) (ctl.Answer, error) {
		answer := ctl.Stats()
		answer["sites"] = ctl.Sites
		return answer, nil
	}}
}
