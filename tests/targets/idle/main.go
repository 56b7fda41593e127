// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// idle does nothing at all; what it costs to observe it is the floor.
package main

import "parkwatch.test/targets/internal/ctl"

func main() { ctl.Serve(true, nil) }
