// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

package main

import (
	"sync"
	"syscall"
	"time"

	"parkwatch.test/targets/internal/ctl"
)

const soon = 20 * time.Millisecond

func channelTwins() {
	work := make(chan int)
	p := at("workers", "", "", "", 12) // they wait for work on one channel, and there is none
	p.times(func() {
		go func() {
			p.here()
			for range work {
			}
		}()
	})
	q := at("senders", "", "", "", 12)
	results := make(chan int)
	q.times(func() {
		go func() {
			for {
				q.here()
				results <- 1
			}
		}()
	})
	go func() { // all of them get their turn
		for range results {
			time.Sleep(soon / 10)
		}
	}()
	r := at("ticks", "", "", "", 12)
	r.times(func() {
		ticker := time.NewTicker(time.Hour)
		go func() {
			r.here()
			<-ticker.C
		}()
	})
	s := at("few", "", "", "", 3)
	s.times(func() {
		done := make(chan int)
		go func() {
			s.here()
			<-done
		}()
	})
}

func lockTwins() {
	s := new(store)
	p := at("contended", "", "", "", 3)
	p.times(func() {
		go func() {
			for {
				p.here()
				s.mu.Lock()
				time.Sleep(soon)
				s.mu.Unlock()
				time.Sleep(soon)
			}
		}()
	})
	q := at("waitgroups", "", "", "", 2)
	q.times(func() {
		go func() {
			for {
				var wg sync.WaitGroup
				wg.Add(1)
				go func() {
					time.Sleep(soon)
					wg.Done()
				}()
				q.here()
				wg.Wait()
			}
		}()
	})
	cond := sync.NewCond(new(sync.Mutex))
	r := at("signalled", "", "", "", 2)
	r.times(func() {
		go func() {
			for {
				cond.L.Lock()
				r.here()
				cond.Wait()
				cond.L.Unlock()
			}
		}()
	})
	go func() {
		for {
			time.Sleep(soon)
			cond.Broadcast()
		}
	}()
	// One after the other, always in one order.
	a, b := new(store), new(store)
	t := at("in order", "", "", "", 2)
	t.times(func() {
		go func() {
			for {
				a.mu.Lock()
				t.here()
				b.mu.Lock()
				time.Sleep(soon)
				b.mu.Unlock()
				a.mu.Unlock()
			}
		}()
	})
}

func otherTwins() {
	p := at("fixed sleepers", "", "", "", 12) // as many as there were
	p.times(func() {
		go func() {
			p.here()
			time.Sleep(time.Hour)
		}()
	})
	q := at("read with deadline", "", "", "", 2)
	q.times(func() {
		client, _ := pair()
		client.SetReadDeadline(time.Now().Add(time.Hour))
		go func() {
			q.here()
			client.Read(make([]byte, 1))
		}()
	})
	r := at("system calls", "", "", "", 1)
	r.times(func() {
		go func() {
			for {
				r.here()
				syscall.Select(0, nil, nil, nil, &syscall.Timeval{Usec: 20000})
			}
		}()
	})
	if ctl.Cgo {
		s := at("cgo calls", "", "", "", 1)
		s.times(func() {
			go func() {
				for {
					s.here()
					ctl.CSleep(20)
				}
			}()
		})
	}
}
