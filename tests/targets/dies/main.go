// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// dies ends on command: exit N, panic, eat N (megabytes, until somebody kills it), exec FILE; before that, block N parks
// N goroutines in a send that nobody receives. What it is told is answered before it happens.
package main

import (
	"errors"
	"os"
	"strconv"
	"syscall"
	"time"

	"parkwatch.test/targets/internal/ctl"
)

var (
	nobody = make(chan int)
	kept   [][]byte
)

func number(args []string) (int, error) {
	if len(args) != 1 {
		return 0, errors.New("one number")
	}
	return strconv.Atoi(args[0])
}

func block(args []string) (ctl.Answer, error) {
	n, err := number(args)
	for i := 0; i < n && err == nil; i++ {
		go func() { nobody <- 1 }()
	}
	return nil, err
}

func exit(args []string) (ctl.Answer, error) {
	n, err := number(args)
	if err == nil {
		ctl.Say(ctl.Answer{"ok": true})
		os.Exit(n)
	}
	return nil, err
}

func eat(args []string) (ctl.Answer, error) {
	n, err := number(args)
	if err != nil {
		return nil, err
	}
	ctl.Say(ctl.Answer{"ok": true})
	for i := 0; i < n; i++ {
		block := make([]byte, 1<<20)
		for j := 0; j < len(block); j += 4096 {
			block[j] = 1
		}
		kept = append(kept, block)
	}
	time.Sleep(time.Minute)
	return nil, nil
}

func main() {
	ctl.Serve(true, map[string]ctl.Command{
		"block": block,
		"exit":  exit,
		"eat":   eat,
		"panic": func([]string) (ctl.Answer, error) {
			ctl.Say(ctl.Answer{"ok": true})
			panic("as asked")
		},
		"exec": func(args []string) (ctl.Answer, error) {
			ctl.Say(ctl.Answer{"ok": true})
			return nil, syscall.Exec(args[0], args, os.Environ())
		},
	})
}
