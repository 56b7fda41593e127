// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// drains holds what a process has only so many of, n at once and rate a second more: goroutines started in a storm,
// threads, timers, connections that the other side has closed, connections on which nothing comes. With -heal it is the
// healthy twin: as many come, and each is given back at once.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"parkwatch.test/targets/internal/ctl"
)

var (
	heal  = flag.Bool("heal", false, "give each back at once")
	never = make(chan int)
	held  []any
	made  int64
)

var kinds = map[string]func(){"storm": storm, "threads": threads, "timers": timers, "closed": closed, "silent": silent, "unix": closed}

func storm() {
	if *heal {
		go func() {}()
	} else {
		go func() { <-never }()
	}
}

func threads() {
	ready := make(chan bool)
	go func() {
		runtime.LockOSThread()
		ready <- true
		if !*heal {
			<-never
		}
		runtime.UnlockOSThread()
	}()
	<-ready
}

func timers() {
	timer := time.AfterFunc(24*time.Hour, func() {})
	if *heal {
		timer.Stop()
	} else {
		held = append(held, timer)
	}
}

func closed() {
	client, server := connect()
	client.Close()
	keep(server)
}

func silent() {
	client, server := connect()
	held = append(held, client)
	if *heal {
		server.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	}
	go read(server)
}

func read(c net.Conn) {
	c.Read(make([]byte, 1))
	c.Close()
}

func keep(c net.Conn) {
	if *heal {
		c.Close()
	} else {
		held = append(held, c)
	}
}

var listener net.Listener

// connect returns both ends.
func connect() (net.Conn, net.Conn) {
	client, err := net.Dial(listener.Addr().Network(), listener.Addr().String())
	check(err)
	server, err := listener.Accept()
	check(err)
	return client, server
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	name := flag.String("kind", "storm", "what it holds")
	n := flag.Int("n", 0, "so many at once")
	rate := flag.Int("rate", 0, "so many more a second")
	flag.Parse()
	one, ok := kinds[*name]
	if !ok {
		fmt.Fprintln(os.Stderr, "no kind", *name)
		os.Exit(2)
	}
	var err error
	if *name == "unix" {
		listener, err = net.Listen("unix", fmt.Sprintf("@drains-%d", os.Getpid()))
	} else {
		listener, err = net.Listen("tcp", "127.0.0.1:0")
	}
	check(err)
	for i := 0; i < *n; i++ {
		one()
	}
	made = int64(*n)
	if *rate > 0 {
		go add(one, *rate)
	}
	ctl.Serve(true, map[string]ctl.Command{"made": func([]string) (ctl.Answer, error) {
		return ctl.Answer{"made": atomic.LoadInt64(&made), "goroutines": runtime.NumGoroutine()}, nil
	}})
}

// add makes them in ten batches a second, as many as the clock says, however late it is.
func add(one func(), rate int) {
	start := time.Now()
	for done := 0; ; time.Sleep(100 * time.Millisecond) {
		for ; done < int(time.Since(start).Seconds()*float64(rate)); done++ {
			one()
			atomic.AddInt64(&made, 1)
		}
	}
}
