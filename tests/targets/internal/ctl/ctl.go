// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// Package ctl is how a test talks to a target program: one command per line on standard input, one JSON object per
// line on standard output. It runs on the main goroutine with plain blocking reads and starts no goroutine, so that
// all that an observer sees is what the program itself does.
package ctl

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Answer is what a command gives back; "ok" is added.
type Answer map[string]any

// Command answers one line; args are the words behind the command.
type Command func(args []string) (Answer, error)

// Serve says {"ready":true} and answers commands until `quit`. At the end of standard input it exits too, unless hold
// is set: then the program goes on without a master (services started with </dev/null).
func Serve(hold bool, commands map[string]Command) {
	Say(Answer{"ready": true, "pid": os.Getpid(), "go": runtime.Version()})
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		if words[0] == "quit" {
			Say(Answer{"ok": true})
			os.Exit(0)
		}
		command := commands[words[0]]
		if command == nil {
			command = builtin[words[0]]
		}
		if command == nil {
			Say(Answer{"ok": false, "error": "unknown command " + words[0]})
			continue
		}
		answer, err := command(words[1:])
		if err != nil {
			Say(Answer{"ok": false, "error": err.Error()})
			continue
		}
		if answer == nil {
			answer = Answer{}
		}
		answer["ok"] = true
		Say(answer)
	}
	for hold {
		time.Sleep(time.Hour) // not select {}: alone it would be a deadlock
	}
	os.Exit(0)
}

// Say writes one JSON line with one write(2).
func Say(answer Answer) {
	line, err := json.Marshal(answer)
	if err != nil {
		panic(err)
	}
	os.Stdout.Write(append(line, '\n'))
}

// Number is the first argument as a count, or fallback without one.
func Number(args []string, fallback int) (int, error) {
	if len(args) == 0 {
		return fallback, nil
	}
	n, err := strconv.Atoi(args[0])
	if err != nil || n < 0 {
		return 0, fmt.Errorf("not a count: %s", args[0])
	}
	return n, nil
}

// builtin commands exist in every target.
var builtin = map[string]Command{
	"stats":  func([]string) (Answer, error) { return Stats(), nil },
	"gc":     gc,
	"groups": func([]string) (Answer, error) { return Answer{"groups": Groups()}, nil },
	"dump":   dump,
}

// Stats is what the runtime says about itself.
func Stats() Answer {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Answer{
		"goroutines": runtime.NumGoroutine(), "num_gc": m.NumGC, "num_forced_gc": m.NumForcedGC, "heap_alloc": m.HeapAlloc,
		"heap_objects": m.HeapObjects, "next_gc": m.NextGC, "pause_total_ns": m.PauseTotalNs, "gomaxprocs": runtime.GOMAXPROCS(0),
		"num_cpu": runtime.NumCPU(), "cgo_calls": runtime.NumCgoCall(), "go": runtime.Version(), "pid": os.Getpid(),
	}
}

func gc(args []string) (Answer, error) {
	n, err := Number(args, 1)
	for i := 0; err == nil && i < n; i++ {
		runtime.GC()
	}
	return Stats(), err
}

func stacks() []byte {
	for size := 1 << 20; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return buf[:n]
		}
	}
}

// dump FILE writes what debug=2 would show.
func dump(args []string) (Answer, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("dump FILE")
	}
	return nil, os.WriteFile(args[0], stacks(), 0o600)
}

// Group is a number of goroutines with the same go statement and the same status or wait reason, in the words of the
// runtime's own stack dump: the truth that an observer's table is compared with. The main goroutine has no creator.
type Group struct {
	Reason   string `json:"reason"`
	Function string `json:"function"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	Count    int    `json:"count"`
}

// Groups parses the runtime's own dump; system goroutines are not in it.
func Groups() []Group {
	var groups []Group
	for _, block := range strings.Split(string(stacks()), "\n\n") {
		lines := strings.Split(strings.TrimSpace(block), "\n")
		from, to := strings.Index(lines[0], "["), strings.LastIndex(lines[0], "]")
		if !strings.HasPrefix(lines[0], "goroutine ") || from < 0 || to < from {
			continue
		}
		g := Group{Count: 1, Reason: strings.SplitN(lines[0][from+1:to], ",", 2)[0]}
		for i, line := range lines {
			if strings.HasPrefix(line, "created by ") && i+1 < len(lines) {
				g.Function = strings.SplitN(strings.TrimPrefix(line, "created by "), " in goroutine ", 2)[0]
				where := strings.SplitN(strings.TrimSpace(lines[i+1]), " +", 2)[0]
				colon := strings.LastIndex(where, ":")
				g.File = where[:colon]
				g.Line, _ = strconv.Atoi(where[colon+1:])
			}
		}
		known := false
		for i := range groups {
			same := groups[i]
			same.Count = 1
			if same == g {
				groups[i].Count++
				known = true
			}
		}
		if !known {
			groups = append(groups, g)
		}
	}
	return groups
}
