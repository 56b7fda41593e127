// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

package main

import (
	"net"
	"runtime"
	"sync"
	"syscall"
	"time"

	"parkwatch.test/targets/internal/ctl"
)

var never = make(chan int) // nobody is at the other end, and all know it

func channelFaults() {
	var none chan int
	p := at("nil receive", "PW-G02", "certain", "is nil", 1)
	p.times(func() {
		go func() {
			p.here()
			<-none
		}()
	})
	q := at("nil send", "PW-G02", "certain", "is nil", 2)
	q.times(func() {
		go func() {
			q.here()
			none <- 1
		}()
	})
	r := at("empty select", "PW-G02", "certain", "no cases", 1)
	r.times(func() {
		go func() {
			r.here()
			select {}
		}()
	})
	s := at("send", "PW-G01", "possible", "each on its own channel", 12)
	s.times(func() {
		result := make(chan int)
		go func() {
			s.here()
			result <- 1
		}()
	})
	t := at("receive", "PW-G01", "possible", "each on its own channel", 12)
	t.times(func() {
		done := make(chan int)
		go func() {
			t.here()
			<-done
		}()
	})
}

type store struct {
	pad [3]uint64
	mu  sync.Mutex
	rw  sync.RWMutex
	wg  sync.WaitGroup
}

func (s *store) hold(p *place, wait chan int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.here()
	<-wait
}

func (s *store) get(p *place) {
	p.here()
	s.mu.Lock()
	s.mu.Unlock()
}

// both takes the locks of two stores, one after the other.
func both(p *place, first, second *store, ready *sync.WaitGroup) {
	first.mu.Lock()
	defer first.mu.Unlock()
	ready.Done()
	ready.Wait()
	p.here()
	second.mu.Lock()
	defer second.mu.Unlock()
}

func lockFaults() {
	s := new(store)
	holder := at("holder", "", "", "", 1)
	go s.hold(holder, make(chan int))
	time.Sleep(20 * time.Millisecond)
	p := at("held", "PW-G04", "possible", "itself blocked in \"chan receive\"", 3)
	p.times(func() { go s.get(p) })

	a, b, ready := new(store), new(store), new(sync.WaitGroup)
	ready.Add(2)
	q := at("crosswise", "PW-G04", "likely", "Deadlock", 2)
	go both(q, a, b, ready)
	go both(q, b, a, ready)

	reader := at("reader", "", "", "", 1)
	go func() {
		s.rw.RLock()
		defer s.rw.RUnlock()
		reader.here()
		<-never
	}()
	time.Sleep(20 * time.Millisecond)
	r := at("writer", "PW-G04", "possible", "itself blocked in \"chan receive\"", 1)
	r.times(func() {
		go func() {
			r.here()
			s.rw.Lock()
		}()
	})
	time.Sleep(20 * time.Millisecond)
	t := at("reader behind a writer", "PW-G04", "possible", "lock", 1)
	t.times(func() {
		go func() {
			t.here()
			s.rw.RLock()
		}()
	})

	s.wg.Add(2)
	go func() { s.wg.Done() }()
	u := at("waitgroup", "PW-G05", "possible", "1 still to be done", 1)
	u.times(func() {
		go func() {
			u.here()
			s.wg.Wait()
		}()
	})
	cond := sync.NewCond(new(sync.Mutex))
	v := at("cond", "PW-G05", "possible", "Signal or Broadcast", 2)
	v.times(func() {
		go func() {
			cond.L.Lock()
			defer cond.L.Unlock()
			v.here()
			cond.Wait()
		}()
	})
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// pair is a connection to ourselves.
func pair() (client, server net.Conn) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	defer listener.Close()
	client, err = net.Dial("tcp", listener.Addr().String())
	check(err)
	server, err = listener.Accept()
	check(err)
	kept = append(kept, client, server)
	return client, server
}

var kept []any

func spawnSleeper(p *place) {
	go func() {
		p.here()
		time.Sleep(time.Hour)
	}()
}

func otherFaults() {
	o := at("sleepers", "PW-G06", "possible", "again and again", 12)
	o.times(func() { spawnSleeper(o) })
	go func() {
		for {
			time.Sleep(200 * time.Millisecond)
			spawnSleeper(o)
		}
	}()

	p := at("read without deadline", "PW-G07", "possible", "without a deadline", 2)
	p.times(func() {
		client, _ := pair()
		go func() {
			p.here()
			client.Read(make([]byte, 1))
		}()
	})
	var pipe [2]int
	check(syscall.Pipe(pipe[:]))
	q := at("system call", "PW-D02", "possible", "system call", 1)
	q.times(func() {
		go func() {
			q.here()
			syscall.Read(pipe[0], make([]byte, 1))
		}()
	})
	if ctl.Cgo {
		r := at("cgo", "PW-D02", "possible", "C function called at parkwatch.test/targets/internal/ctl.CSleep", 1)
		r.times(func() { go ctl.CSleep(3600 * 1000) }) // its line is another file's
	}
	// Two writers of one connection: the second waits for the first.
	s := at("semaphore", "PW-D03", "possible", "semaphore", 1)
	client, _ := pair()
	full := at("full", "PW-G07", "possible", "without a deadline", 1)
	go func() {
		full.here()
		client.Write(make([]byte, 64<<20))
	}()
	time.Sleep(100 * time.Millisecond)
	s.times(func() {
		go func() {
			s.here()
			client.Write(make([]byte, 1))
		}()
	})
	f := at("finalizer", "PW-F01", "possible", "no other finalizer runs", 1)
	makeFinalized(f)
	for i := 0; i < 20 && f.Line == 0; i++ {
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
}

type finalized struct{ n [4]uint64 }

//go:noinline
func makeFinalized(p *place) {
	runtime.SetFinalizer(&finalized{}, func(*finalized) {
		p.here()
		<-never
	})
}
