// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// stuck gets stuck in one way, -after a while: a lock that nobody unlocks, a finalizer that waits for one, a recursion
// that does not end. Kinds that begin with "ok-" are the healthy twins: they look the same, and go on.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

type store struct {
	pad  [3]uint64
	lock sync.Mutex
	rw   sync.RWMutex
}

var never = make(chan int)

func (s *store) hold(wait <-chan int) {
	s.lock.Lock()
	defer s.lock.Unlock()
	<-wait
}

func (s *store) get() {
	s.lock.Lock()
	s.lock.Unlock()
}

// both takes the locks of two stores, one after the other.
func both(first, second *store, ready *sync.WaitGroup) {
	first.lock.Lock()
	defer first.lock.Unlock()
	ready.Done()
	ready.Wait()
	second.lock.Lock()
	defer second.lock.Unlock()
}

// work holds the lock for a second, again and again: others wait for long, but each gets it.
func (s *store) work(writes bool) {
	for {
		if writes {
			s.rw.Lock()
			time.Sleep(700 * time.Millisecond)
			s.rw.Unlock()
			continue
		}
		s.lock.Lock()
		time.Sleep(700 * time.Millisecond)
		s.lock.Unlock()
	}
}

func (s *store) read() {
	for {
		s.rw.RLock()
		time.Sleep(300 * time.Millisecond)
		s.rw.RUnlock()
	}
}

type finalized struct{ n [4]uint64 }

//go:noinline
func finalize(count int, f func(*finalized)) {
	for i := 0; i < count; i++ {
		runtime.SetFinalizer(&finalized{}, f)
	}
}

func collect(every time.Duration, count int, f func(*finalized)) {
	for {
		finalize(count, f)
		runtime.GC()
		time.Sleep(every)
	}
}

// dig goes deeper by a frame of a kilobyte, waits, and goes on: at the bottom it waits for ever, or comes back.
//
//go:noinline
func dig(depth int, pause time.Duration, stay bool) byte {
	var frame [1024]byte
	frame[depth%len(frame)] = byte(depth)
	if pause > 0 && depth%64 == 0 {
		time.Sleep(pause)
	}
	if depth > 0 {
		return frame[depth%len(frame)] + dig(depth-1, pause, stay)
	}
	if stay {
		<-never
	}
	return frame[0]
}

var kinds = map[string]func(){
	"mutex": func() {
		s := new(store)
		go s.hold(never)
		time.Sleep(20 * time.Millisecond)
		for i := 0; i < 3; i++ {
			go s.get()
		}
	},
	"abba": func() {
		a, b, ready := new(store), new(store), new(sync.WaitGroup)
		ready.Add(2)
		go both(a, b, ready)
		go both(b, a, ready)
	},
	"rwmutex": func() {
		s := new(store)
		go func() {
			s.rw.RLock()
			defer s.rw.RUnlock()
			<-never
		}()
		time.Sleep(20 * time.Millisecond)
		go func() {
			s.rw.Lock()
			defer s.rw.Unlock()
		}()
	},
	"ok-mutex": func() {
		s := new(store)
		for i := 0; i < 3; i++ {
			go s.work(false)
		}
		for i := 0; i < 2; i++ {
			go s.work(true)
		}
		for i := 0; i < 3; i++ {
			go s.read()
		}
	},
	"finalizer": func() {
		s := new(store)
		go s.hold(never)
		time.Sleep(20 * time.Millisecond)
		go collect(time.Second, 1, func(*finalized) { s.get() })
	},
	"ok-finalizer": func() {
		go collect(500*time.Millisecond, 2, func(*finalized) { time.Sleep(200 * time.Millisecond) })
	},
	"recursion": func() { go dig(400000, 20*time.Millisecond, true) },
	"ok-recursion": func() {
		go dig(20000, 0, true)
	},
}

func main() {
	name := flag.String("kind", "mutex", "how it gets stuck")
	after := flag.Duration("after", 0, "when")
	end := flag.Duration("end", 0, "what it waits for comes after so long; 0: never")
	flag.Parse()
	begin, ok := kinds[*name]
	if !ok {
		fmt.Fprintln(os.Stderr, "no kind", *name)
		os.Exit(2)
	}
	fmt.Println("ready")
	time.Sleep(*after)
	begin()
	if *end > 0 {
		time.AfterFunc(*end, func() { close(never) })
	}
	for i := 0; ; i++ {
		runtime.Gosched()
		time.Sleep(50 * time.Millisecond)
	}
}
