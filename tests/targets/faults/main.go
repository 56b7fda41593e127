// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// faults blocks in every way that parkwatch has a rule for, or shows the healthy twin of each.
//
//	faults      starts the faults; answers what each is, and where it stands
//	twins       starts the healthy ones
package main

import (
	"runtime"
	"sync"
	"time"

	"parkwatch.test/targets/internal/ctl"
)

// place is a statement at which goroutines block, and what is to be said of it.
type place struct {
	Label   string `json:"label"`
	Rule    string `json:"rule"`    // "" nothing
	Verdict string `json:"verdict"` // after a second or two
	Text    string `json:"text"`    // a part of what is said
	Line    int    `json:"line"`    // of the statement that blocks
	Count   int    `json:"count"` // at least
	File    string `json:"file"`
}

var (
	places []*place
	once   sync.Mutex
)

func at(label, rule, verdict, text string, count int) *place {
	p := &place{Label: label, Rule: rule, Verdict: verdict, Text: text, Count: count}
	places = append(places, p)
	return p
}

// here is called on the line before the statement that blocks.
//
//go:noinline
func (p *place) here() {
	_, file, line, _ := runtime.Caller(1)
	once.Lock()
	p.File, p.Line = file, line+1
	once.Unlock()
}

func (p *place) times(start func()) {
	for i := 0; i < p.Count; i++ {
		start()
	}
}

func answer() (ctl.Answer, error) {
	time.Sleep(100 * time.Millisecond) // until all of them stand where they will
	once.Lock()
	defer once.Unlock()
	return ctl.Answer{"places": places, "cgo": ctl.Cgo}, nil
}

func main() {
	ctl.Serve(false, map[string]ctl.Command{
		"faults": func([]string) (ctl.Answer, error) {
			channelFaults()
			lockFaults()
			otherFaults()
			iteratorFaults()
			return answer()
		},
		"twins": func([]string) (ctl.Answer, error) {
			channelTwins()
			lockTwins()
			otherTwins()
			iteratorTwins()
			return answer()
		},
	})
}
