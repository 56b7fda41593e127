// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// grows leaks goroutines of one kind, rate a second: each waits for ever in its own way. With -heal it is the healthy
// twin: each waits in the same way, at the same rate, and ends after that time.
package main

import (
	"flag"
	"fmt"
	"os"
	"sync"
	"time"
)

type kind func(end <-chan struct{})

var kinds = map[string]kind{
	"send": func(end <-chan struct{}) {
		c := make(chan int)
		if end != nil {
			go func() { <-end; <-c }()
		}
		c <- 1
	},
	"receive": func(end <-chan struct{}) {
		c := make(chan int)
		if end != nil {
			go func() { <-end; close(c) }()
		}
		<-c
	},
	"select": func(end <-chan struct{}) {
		a, b := make(chan int), make(chan int)
		select {
		case <-a:
		case b <- 1:
		case <-end:
		}
	},
	"waitgroup": func(end <-chan struct{}) {
		var group sync.WaitGroup
		group.Add(1)
		if end != nil {
			go func() { <-end; group.Done() }()
		}
		group.Wait()
	},
	"cond": func(end <-chan struct{}) {
		var mutex sync.Mutex
		cond := sync.NewCond(&mutex)
		if end != nil {
			go func() { <-end; mutex.Lock(); cond.Signal(); mutex.Unlock() }()
		}
		mutex.Lock()
		cond.Wait()
		mutex.Unlock()
	},
	"sleep": func(end <-chan struct{}) {
		for {
			time.Sleep(time.Hour)
		}
	},
	"ticker": func(end <-chan struct{}) {
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
			case <-end:
				return
			}
		}
	},
	"nil": func(end <-chan struct{}) {
		var c chan int
		if end == nil {
			<-c
		}
		select {
		case <-c:
		case <-end:
		}
	},
	"mutex": func(end <-chan struct{}) {
		var mutex sync.Mutex
		mutex.Lock()
		if end != nil {
			go func() { <-end; mutex.Unlock() }()
		}
		mutex.Lock()
	},
}

func main() {
	name := flag.String("kind", "send", "what they wait for")
	rate := flag.Int("rate", 20, "a second")
	heal := flag.Duration("heal", 0, "each ends after so long; 0: never")
	flag.Parse()
	wait, ok := kinds[*name]
	if !ok {
		fmt.Fprintln(os.Stderr, "no kind", *name)
		os.Exit(2)
	}
	fmt.Println("ready")
	for range time.Tick(time.Second / time.Duration(*rate)) {
		var end chan struct{}
		if *heal > 0 {
			if *name == "sleep" {
				go time.Sleep(*heal)
				continue
			}
			end = make(chan struct{})
			time.AfterFunc(*heal, func() { close(end) })
		}
		start(wait, end)
	}
}

func start(wait kind, end <-chan struct{}) {
	go wait(end)
}
