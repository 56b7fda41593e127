// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

//go:build go1.23

package main

import (
	"iter"
	"time"
)

func iteratorFaults() {
	p := at("iterator", "PW-G11", "possible", "iter.Pull", 12)
	p.times(func() {
		next, _ := iter.Pull(func(yield func(int) bool) {
			p.here()
			for yield(1) {
			}
		})
		next()
	})
}

func iteratorTwins() {
	p := at("iterators", "", "", "", 2)
	p.times(func() {
		go func() {
			next, stop := iter.Pull(func(yield func(int) bool) {
				p.here()
				for yield(1) {
				}
			})
			defer stop()
			for {
				next()
				time.Sleep(soon)
			}
		}()
	})
}
