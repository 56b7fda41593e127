// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

package ctl

import (
	"runtime"
	"sync/atomic"
)

// Site is one go statement and what happened to the goroutines that it started, counted by the program itself.
type Site struct {
	Label    string `json:"label"`
	Function string `json:"function"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	Reason   string `json:"reason,omitempty"` // the wait reason of all its parks, in the runtime's words
	Spawned  int64  `json:"spawned"`
	Exited   int64  `json:"exited"`
	Parked   int64  `json:"parked"`
}

// Sites is every go statement that ran so far.
var Sites []*Site

// NewSite is for a go statement whose body parks only with reason ("" = never).
func NewSite(label, reason string) *Site {
	s := &Site{Label: label, Reason: reason}
	Sites = append(Sites, s)
	return s
}

// Next counts one goroutine of the go statement on the line behind the call of Next.
//
//go:noinline
func (s *Site) Next() {
	var pcs [1]uintptr
	runtime.Callers(2, pcs[:])
	frame, _ := runtime.CallersFrames(pcs[:]).Next()
	s.Function, s.File, s.Line = frame.Function, frame.File, frame.Line+1
	atomic.AddInt64(&s.Spawned, 1)
}

// Done counts the end of one goroutine, to be deferred by it.
func (s *Site) Done() { atomic.AddInt64(&s.Exited, 1) }

// Parks counts n parks, to be called by whoever knows that they have happened.
func (s *Site) Parks(n int) { atomic.AddInt64(&s.Parked, int64(n)) }
