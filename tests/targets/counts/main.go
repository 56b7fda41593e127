// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// counts does work on command and knows its own numbers exactly: how many goroutines each go statement started, how
// many of them ended, how often they parked and why, and how many GC cycles there were. What is counted from outside
// must be equal.
//
//	run N      goroutines that end by return, panic and Goexit, grow their stack, spin until they are preempted, die
//	           with their thread, start others, park a known number of times, are coroutines; with a GC in between
//	gc K       K collections, and there are no others: the pacer is off
//	leak N     N goroutines that stay parked in a receive; unleak wakes them and they end
//	profile F  a CPU profile into F until profile_stop, for the PGO flavour
//	stats      the numbers; groups, dump FILE: the runtime's own view
//
// What makes parks exact: time.Sleep parks once. A send that does not block on an unbuffered channel succeeds only if
// a receiver is already queued, and a queued receiver always parks (src/runtime/chan.go:chanrecv, the channel's lock
// is released by gopark's commit); likewise for receives and for select. Locks, WaitGroups and conditions are not
// exact and not used here. A goroutine that allocates may be parked by the GC for assistance, so those that are
// counted do not allocate while a GC runs.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"time"

	"parkwatch.test/targets/internal/ctl"
)

var (
	normal    = ctl.NewSite("normal", "")
	panics    = ctl.NewSite("panic", "")
	exits     = ctl.NewSite("goexit", "")
	deep      = ctl.NewSite("deep", "")
	spin      = ctl.NewSite("spin", "")
	locked    = ctl.NewSite("locked", "")
	closure   = ctl.NewSite("closure", "")
	inlined   = ctl.NewSite("inlined", "")
	generic   = ctl.NewSite("generic", "")
	method    = ctl.NewSite("method", "")
	parent    = ctl.NewSite("parent", "")
	child     = ctl.NewSite("child", "")
	sleeper   = ctl.NewSite("sleep", "sleep")
	receiver  = ctl.NewSite("receive", "chan receive")
	sender    = ctl.NewSite("send", "chan send")
	selecter  = ctl.NewSite("select", "select")
	deepSleep = ctl.NewSite("deep_sleep", "sleep")
	leaked    = ctl.NewSite("leak", "chan receive")
	coroutine = ctl.NewSite("coroutine", "")
)

var (
	base     int // goroutines before the first run
	leaks    int
	leakChan = make(chan struct{})
)

func main() {
	debug.SetGCPercent(-1)
	base = runtime.NumGoroutine()
	ctl.Serve(false, map[string]ctl.Command{"run": run, "leak": leak, "unleak": unleak, "stats": stats,
		"profile": profile, "profile_stop": profileStop})
}

func profile(args []string) (ctl.Answer, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("profile FILE")
	}
	file, err := os.Create(args[0])
	if err != nil {
		return nil, err
	}
	base++ // the goroutine that writes it
	return nil, pprof.StartCPUProfile(file)
}

func profileStop([]string) (ctl.Answer, error) {
	pprof.StopCPUProfile()
	base--
	return nil, nil
}

func stats([]string) (ctl.Answer, error) {
	answer := ctl.Stats()
	totals := map[string]int64{}
	for _, s := range ctl.Sites {
		totals["spawned"] += s.Spawned
		totals["exited"] += s.Exited
		totals["parked"] += s.Parked
	}
	answer["sites"] = ctl.Sites
	answer["totals"] = totals
	return answer, nil
}

func run(args []string) (ctl.Answer, error) {
	n, err := ctl.Number(args, 100)
	if err != nil {
		return nil, err
	}
	few := (n + 9) / 10
	ends(n)
	threads((n + 99) / 100)
	families(few)
	coroutines(few)
	parks(few)
	if err := settle(); err != nil {
		return nil, err
	}
	collect((n+99)/100, few)
	if err := settle(); err != nil {
		return nil, err
	}
	return stats(nil)
}

// settle waits until every goroutine is gone in the runtime's own books, which come after what a probe can see.
func settle() error {
	for deadline := time.Now().Add(60 * time.Second); runtime.NumGoroutine() != base+leaks; {
		if time.Now().After(deadline) {
			return fmt.Errorf("%d goroutines, %d expected", runtime.NumGoroutine(), base+leaks)
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

//go:noinline
func ends(n int) {
	for i := 0; i < n; i++ {
		normal.Next()
		go bodyNormal()
	}
	for i := 0; i < n; i++ {
		panics.Next()
		go bodyPanic()
	}
	for i := 0; i < n; i++ {
		exits.Next()
		go bodyGoexit()
	}
	for i := 0; i < n; i++ {
		closure.Next()
		go func() { defer closure.Done(); sink(i) }()
	}
	for i := 0; i < n; i++ {
		countInlined()
		goInlined()
		goGeneric(i)
		goGeneric("x")
		goMethod(worker{i})
	}
}

//go:noinline
func sink(int) {}

func bodyNormal() { normal.Done() }

func bodyPanic() {
	defer panics.Done()
	defer func() {
		if recover() == nil {
			panic("nothing to recover")
		}
	}()
	panic("on purpose")
}

func bodyGoexit() {
	defer exits.Done()
	func() {
		defer sink(0)
		runtime.Goexit()
	}()
}

// goInlined is small enough to be inlined: the go statement then belongs to an inlined frame.
func goInlined() {
	go bodyInlined()
}

//go:noinline
func countInlined() {
	inlined.Next()
	inlined.Function, inlined.Line = "main.goInlined", inlined.Line-6
}

func bodyInlined() { inlined.Done() }

//go:noinline
func goGeneric[T any](v T) {
	generic.Next()
	go genericBody(v)
}

func genericBody[T any](T) { generic.Done() }

type worker struct{ n int }

func (worker) work() { method.Done() }

//go:noinline
func goMethod(w worker) {
	method.Next()
	go w.work()
}

// threads: a goroutine that ends while locked to its thread takes the thread with it.
//
//go:noinline
func threads(n int) {
	for i := 0; i < n; i++ {
		locked.Next()
		go func() { runtime.LockOSThread(); locked.Done() }()
	}
}

//go:noinline
func families(n int) {
	for i := 0; i < n; i++ {
		parent.Next()
		go bodyParent()
	}
}

func bodyParent() {
	defer parent.Done()
	for i := 0; i < 3; i++ {
		child.Next()
		go child.Done()
	}
}

const parksEach = 3

//go:noinline
func parks(n int) {
	for i := 0; i < n; i++ {
		sleeper.Next()
		go bodySleep()
	}
	for i := 0; i < n; i++ {
		deepSleep.Next()
		go bodyDeepSleep()
	}
	recv, send, never := make(chan int), make(chan int), make(chan int)
	for i := 0; i < n; i++ {
		receiver.Next()
		go bodyReceive(recv)
	}
	for left := n * parksEach; left > 0; {
		select {
		case recv <- left:
			left--
			receiver.Parks(1)
		default:
			runtime.Gosched()
		}
	}
	for i := 0; i < n; i++ {
		sender.Next()
		go bodySend(send)
	}
	for left := n * parksEach; left > 0; {
		select {
		case <-send:
			left--
			sender.Parks(1)
		default:
			runtime.Gosched()
		}
	}
	for i := 0; i < n; i++ {
		selecter.Next()
		go bodySelect(recv, never)
	}
	for left := n * parksEach; left > 0; {
		select {
		case recv <- left:
			left--
			selecter.Parks(1)
		default:
			runtime.Gosched()
		}
	}
}

func bodySleep() {
	defer sleeper.Done()
	for i := 0; i < parksEach; i++ {
		time.Sleep(time.Millisecond)
		sleeper.Parks(1)
	}
}

func bodyDeepSleep() {
	defer deepSleep.Done()
	recurse(200, func() { time.Sleep(2 * time.Millisecond) })
	deepSleep.Parks(1)
}

func bodyReceive(ch chan int) {
	defer receiver.Done()
	for i := 0; i < parksEach; i++ {
		<-ch
	}
}

func bodySend(ch chan int) {
	defer sender.Done()
	for i := 0; i < parksEach; i++ {
		ch <- i
	}
}

func bodySelect(a, b chan int) {
	defer selecter.Done()
	for i := 0; i < parksEach; i++ {
		select {
		case <-a:
		case <-b:
		}
	}
}

//go:noinline
func recurse(depth int, bottom func()) int {
	var pad [64]byte
	pad[depth%64] = byte(depth)
	if depth == 0 {
		bottom()
		return 0
	}
	return recurse(depth-1, bottom) + int(pad[depth%64])
}

// collect has goroutines that grow their stack and goroutines that must be preempted while collections run.
//
//go:noinline
func collect(spinners, growers int) {
	for i := 0; i < spinners; i++ {
		spin.Next()
		go bodySpin()
	}
	runtime.GC()
	for i := 0; i < growers; i++ {
		deep.Next()
		go bodyDeep()
	}
	runtime.GC()
}

func bodySpin() {
	defer spin.Done()
	for end := time.Now().Add(25 * time.Millisecond); time.Now().Before(end); {
		for i := 0; i < 1000000; i++ {
			spun += i
		}
	}
}

var spun int

func bodyDeep() {
	defer deep.Done()
	recurse(5000, nothing)
}

func nothing() {}

//go:noinline
func leak(args []string) (ctl.Answer, error) {
	n, err := ctl.Number(args, 100)
	if err != nil {
		return nil, err
	}
	for i := 0; i < n; i++ {
		leaked.Next()
		go bodyLeak()
	}
	leaks += n
	leaked.Parks(n)
	time.Sleep(10 * time.Millisecond) // for the reader's sake: they have most likely parked; unleak proves it
	return stats(nil)
}

func bodyLeak() {
	defer leaked.Done()
	<-leakChan
}

func unleak([]string) (ctl.Answer, error) {
	for leaks > 0 {
		select {
		case leakChan <- struct{}{}:
			leaks--
		default:
			runtime.Gosched()
		}
	}
	if err := settle(); err != nil {
		return nil, err
	}
	return stats(nil)
}
