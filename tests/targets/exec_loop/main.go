// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// exec_loop becomes another program on command: exec FILE ARGS..., or itself without FILE.
package main

import (
	"os"
	"syscall"

	"parkwatch.test/targets/internal/ctl"
)

func main() {
	ctl.Serve(false, map[string]ctl.Command{"exec": func(args []string) (ctl.Answer, error) {
		if len(args) == 0 {
			self, err := os.Executable()
			if err != nil {
				return nil, err
			}
			args = []string{self}
		}
		return nil, syscall.Exec(args[0], args, os.Environ())
	}})
}
