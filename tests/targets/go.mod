// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// scripts/targets replaces the go line with that of the toolchain, so that each version runs with its own defaults.
module parkwatch.test/targets

go 1.19
