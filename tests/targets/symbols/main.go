// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// Prints its own call stacks as the runtime sees them, one frame a line: "frame <pc> <function> <file>:<line>"; a line
// "stack" starts each stack and "entry <address>" says where main.main is in memory. For the tests of what reads symbols
// out of the file: inlined calls, generics, closures, method wrappers, deferred calls, goroutines.
package main

import (
	"fmt"
	"runtime"
	"sort"
)

//go:noinline
func show() {
	var pcs [64]uintptr
	n := runtime.Callers(2, pcs[:])
	frames := runtime.CallersFrames(pcs[:n])
	fmt.Println("stack")
	for more := n > 0; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		fmt.Printf("frame %x %s %s:%d\n", frame.PC, frame.Function, frame.File, frame.Line)
	}
}

func inner() {
	show()
}

func middle() { inner() }

func outer(n int) int {
	for i := 0; i < n; i++ {
		middle()
	}
	return n
}

func pick[T any](a, b T, first bool) T {
	show()
	if first {
		return a
	}
	return b
}

type shower interface{ Show() }

type value struct{ n int }

func (v value) Show() { outer(v.n) }

type embeds struct{ value }

//go:noinline
func call(s shower) { s.Show() }

//go:noinline
func deferred() {
	defer func() {
		recover()
		middle()
	}()
	panic("expected")
}

func inGoroutine() {
	done := make(chan bool)
	go func() {
		middle()
		close(done)
	}()
	<-done
}

func main() {
	pc, _, _, _ := runtime.Caller(0)
	fmt.Printf("entry %x\n", runtime.FuncForPC(pc).Entry())
	outer(1)
	pick("a", "b", true)
	pick(1, 2, false)
	call(value{1})
	call(&embeds{value{1}})
	deferred()
	inGoroutine()
	sort.Slice([]int{2, 1}, func(i, j int) bool {
		middle()
		return i < j
	})
}
