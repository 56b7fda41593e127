// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// drains holds what a process has only so many of, n at once and rate a second more: goroutines started in a storm,
// threads, timers, connections that the other side has closed, connections on which nothing comes. With -heal it is the
// healthy twin: as many come, and each is given back at once.
//
//	make KIND N  N more of a kind
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
	"time"

	"parkwatch.test/targets/internal/ctl"
)

var (
	heal  = flag.Bool("heal", false, "give each back at once")
	never = make(chan int)
	held  []any
)

var kinds = map[string]func(){
	"storm":   storm,
	"threads": threads,
	"timers":  timers,
	"closed":  func() { closed("tcp", "127.0.0.1:0") },
	"silent":  silent,
	"reset":   reset,
	"unix":    func() { closed("unix", fmt.Sprintf("@drains-%d", os.Getpid())) },
}

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

// closed: the other side has closed, this one does not.
func closed(network, address string) {
	client, server := connect(network, address)
	client.Close()
	keep(server)
}

// reset: the other side has reset it, as the kernel does when keep-alive finds nobody there.
func reset() {
	client, server := connect("tcp", "127.0.0.1:0")
	client.(*net.TCPConn).SetLinger(0)
	client.Close()
	keep(server)
}

// silent: a goroutine reads what never comes.
func silent() {
	client, server := connect("tcp", "127.0.0.1:0")
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

var listeners = map[string]net.Listener{}

// connect returns both ends.
func connect(network, address string) (net.Conn, net.Conn) {
	var err error
	if listeners[network] == nil {
		listeners[network], err = net.Listen(network, address)
		check(err)
	}
	client, err := net.Dial(network, listeners[network].Addr().String())
	check(err)
	server, err := listeners[network].Accept()
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
	for i := 0; i < *n; i++ {
		one()
	}
	if *rate > 0 {
		go add(one, *rate)
	}
	ctl.Serve(true, map[string]ctl.Command{"make": more})
}

// more is the command `make KIND N`.
func more(args []string) (ctl.Answer, error) {
	if len(args) != 2 || kinds[args[0]] == nil {
		return nil, fmt.Errorf("make KIND N")
	}
	n, err := ctl.Number(args[1:], 1)
	for i := 0; err == nil && i < n; i++ {
		kinds[args[0]]()
	}
	return ctl.Answer{"goroutines": runtime.NumGoroutine()}, err
}

// add makes them in ten batches a second, as many as the clock says, however late it is.
func add(one func(), rate int) {
	start := time.Now()
	for done := 0; ; time.Sleep(100 * time.Millisecond) {
		for ; done < int(time.Since(start).Seconds()*float64(rate)); done++ {
			one()
		}
	}
}
