// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// waits has a known number of goroutines for every way in which a goroutine can wait, each from its own go statement,
// and then stands still.
//
//	expect      label, function, line and number of each go statement, as the program made them
//	groups      the same in the words of the runtime's own stack dump, with wait reasons
//	dump FILE   the dump itself
//	wake N      the receivers of the group "woken" run N times, all in all, and park again
package main

import (
	"context"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"syscall"
	"time"

	"parkwatch.test/targets/internal/ctl"
)

var (
	never, other = make(chan int), make(chan int) // nobody is at the other end
	nilChan      chan int
	full         = make(chan int, 1)
	mutex        sync.Mutex
	rw           sync.RWMutex
	rwRead       sync.RWMutex
	group        sync.WaitGroup
	cond         = sync.NewCond(new(sync.Mutex))
	woken        = make(chan int)
	once         sync.Once
)

func main() {
	full <- 1
	mutex.Lock()
	rw.Lock()
	rwRead.RLock()
	group.Add(1)
	channels()
	locks()
	timers()
	kernel()
	shapes()
	runtime.GC() // the GC's own goroutines exist from now on
	time.Sleep(50 * time.Millisecond)
	ctl.Serve(false, map[string]ctl.Command{"expect": expect, "wake": wake})
}

func expect([]string) (ctl.Answer, error) {
	total := int64(1) // main
	for _, s := range ctl.Sites {
		total += s.Spawned
	}
	return ctl.Answer{"sites": ctl.Sites, "goroutines": total, "cgo": ctl.Cgo}, nil
}

// site: n times what start does, which is Next and, on the line behind it, a go statement.
func site(label, reason string, n int, start func(*ctl.Site)) {
	s := ctl.NewSite(label, reason)
	for i := 0; i < n; i++ {
		start(s)
	}
}

func channels() {
	site("receive", "chan receive", 7, func(s *ctl.Site) {
		s.Next()
		go func() { <-never }()
	})
	site("send", "chan send", 5, func(s *ctl.Site) {
		s.Next()
		go func() { other <- 1 }()
	})
	site("send_full", "chan send", 2, func(s *ctl.Site) {
		s.Next()
		go func() { full <- 1 }()
	})
	site("receive_nil", "chan receive (nil chan)", 2, func(s *ctl.Site) {
		s.Next()
		go func() { <-nilChan }()
	})
	site("send_nil", "chan send (nil chan)", 2, func(s *ctl.Site) {
		s.Next()
		go func() { nilChan <- 1 }()
	})
	site("select", "select", 4, func(s *ctl.Site) {
		s.Next()
		go func() {
			select {
			case <-never:
			case full <- 1:
			}
		}()
	})
	site("select_none", "select (no cases)", 3, func(s *ctl.Site) {
		s.Next()
		go func() { select {} }()
	})
	site("range", "chan receive", 3, func(s *ctl.Site) {
		s.Next()
		go func() {
			for range never {
			}
		}()
	})
	site("woken", "chan receive", 4, func(s *ctl.Site) {
		s.Next()
		go func() {
			for range woken {
			}
		}()
	})
}

// wake: a send that does not block succeeds only if a receiver has parked.
func wake(args []string) (ctl.Answer, error) {
	n, err := ctl.Number(args, 1)
	for left := n; err == nil && left > 0; {
		select {
		case woken <- 1:
			left--
		default:
			runtime.Gosched()
		}
	}
	return nil, err
}

// The reasons of locks changed their names: see expect of the version at hand in `groups`.
func locks() {
	site("mutex", "sync.Mutex.Lock", 3, func(s *ctl.Site) {
		s.Next()
		go func() { mutex.Lock() }()
	})
	site("rwmutex_read", "sync.RWMutex.RLock", 2, func(s *ctl.Site) {
		s.Next()
		go func() { rw.RLock() }()
	})
	site("rwmutex_write", "sync.RWMutex.Lock", 1, func(s *ctl.Site) {
		s.Next()
		go func() { rwRead.Lock() }()
	})
	site("waitgroup", "sync.WaitGroup.Wait", 3, func(s *ctl.Site) {
		s.Next()
		go func() { group.Wait() }()
	})
	site("cond", "sync.Cond.Wait", 4, func(s *ctl.Site) {
		s.Next()
		go func() {
			cond.L.Lock()
			cond.Wait()
		}()
	})
	site("once", "", 2, func(s *ctl.Site) { // one runs it, the other waits for its mutex
		s.Next()
		go func() { once.Do(func() { <-never }) }()
	})
}

func timers() {
	site("sleep", "sleep", 6, func(s *ctl.Site) {
		s.Next()
		go func() { time.Sleep(24 * time.Hour) }()
	})
	site("ticker", "chan receive", 2, func(s *ctl.Site) {
		ticker := time.NewTicker(12 * time.Hour)
		s.Next()
		go func() { <-ticker.C }()
	})
	site("after", "select", 2, func(s *ctl.Site) {
		s.Next()
		go func() {
			select {
			case <-never:
			case <-time.After(24 * time.Hour):
			}
		}()
	})
	site("context", "chan receive", 2, func(s *ctl.Site) {
		ctx, cancel := context.WithCancel(context.Background())
		_ = cancel
		s.Next()
		go func() { <-ctx.Done() }()
	})
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func kernel() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	conns := make(chan net.Conn)
	site("accept", "IO wait", 1, func(s *ctl.Site) {
		s.Next()
		go func() {
			for {
				c, err := listener.Accept()
				check(err)
				conns <- c
			}
		}()
	})
	site("read", "IO wait", 3, func(s *ctl.Site) {
		client, err := net.Dial("tcp", listener.Addr().String())
		check(err)
		server := <-conns
		kept = append(kept, server)
		s.Next()
		go func() { client.Read(make([]byte, 1)) }()
	})
	deadlines(listener.Addr().String(), conns)
	var pipe [2]int
	check(syscall.Pipe(pipe[:]))
	site("syscall", "syscall", 2, func(s *ctl.Site) {
		s.Next()
		go func() { syscall.Read(pipe[0], make([]byte, 1)) }()
	})
	if ctl.Cgo {
		site("cgo", "syscall", 2, func(s *ctl.Site) {
			s.Next()
			go func() { ctl.CSleep(24 * 3600 * 1000) }()
		})
	}
}

// deadlines: the network with deadlines, in both directions, and what is not the network but polled as well.
func deadlines(address string, conns chan net.Conn) {
	connect := func() net.Conn {
		client, err := net.Dial("tcp", address)
		check(err)
		kept = append(kept, client, <-conns)
		return client
	}
	site("read_deadline", "IO wait", 2, func(s *ctl.Site) {
		client := connect()
		client.SetReadDeadline(time.Now().Add(12 * time.Hour))
		s.Next()
		go func() { client.Read(make([]byte, 1)) }()
	})
	site("write", "IO wait", 1, func(s *ctl.Site) {
		client := connect()
		s.Next()
		go func() { client.Write(make([]byte, 64<<20)) }()
	})
	site("write_deadline", "IO wait", 2, func(s *ctl.Site) {
		client := connect()
		client.SetReadDeadline(time.Now().Add(6 * time.Hour))
		client.SetWriteDeadline(time.Now().Add(24 * time.Hour))
		s.Next()
		go func() { client.Write(make([]byte, 64<<20)) }()
	})
	site("both_deadlines", "IO wait", 1, func(s *ctl.Site) {
		client := connect()
		client.SetDeadline(time.Now().Add(12 * time.Hour))
		s.Next()
		go func() { client.Read(make([]byte, 1)) }()
	})
	site("accept_deadline", "IO wait", 1, func(s *ctl.Site) {
		listener, err := net.ListenTCP("tcp", nil)
		check(err)
		listener.SetDeadline(time.Now().Add(12 * time.Hour))
		kept = append(kept, listener)
		s.Next()
		go func() { listener.Accept() }()
	})
	site("pipe", "IO wait", 1, func(s *ctl.Site) {
		r, w, err := os.Pipe()
		check(err)
		kept = append(kept, w)
		s.Next()
		go func() { r.Read(make([]byte, 1)) }()
	})
	site("packet", "IO wait", 1, func(s *ctl.Site) {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		check(err)
		s.Next()
		go func() { conn.ReadFrom(make([]byte, 1)) }()
	})
}

var kept []io.Closer

// shapes: what is around the wait rather than the wait.
func shapes() {
	site("deep", "chan receive", 2, func(s *ctl.Site) {
		s.Next()
		go func() { descend(100) }()
	})
	site("locked_thread", "chan receive", 1, func(s *ctl.Site) {
		s.Next()
		go func() {
			runtime.LockOSThread()
			<-never
		}()
	})
	site("labels", "chan receive", 2, func(s *ctl.Site) {
		s.Next()
		go pprof.Do(context.Background(), pprof.Labels("kind", "labelled"), func(context.Context) { <-never })
	})
	site("method", "chan receive", 2, func(s *ctl.Site) {
		w := &worker{never}
		s.Next()
		go w.wait()
	})
	site("deferred", "chan receive", 1, func(s *ctl.Site) {
		s.Next()
		go func() {
			defer func() {
				recover()
				<-never
			}()
			panic("on purpose")
		}()
	})
}

type worker struct{ ch chan int }

func (w *worker) wait() { <-w.ch }

//go:noinline
func descend(depth int) int {
	if depth == 0 {
		return <-never
	}
	return descend(depth-1) + depth
}
