// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

var (
	committedVersion = regexp.MustCompile(`\{ (\d+), (true|false), "([^"]*)", reasons_(\d+),`)
	committedTable   = regexp.MustCompile(`pw_layout_(\w+)\[_PW_FIELD_MAX\]`)
	committedRow     = regexp.MustCompile(`\[PW_FIELD_(\w+)\] = \{([^}]*)\}`)
	committedReasons = regexp.MustCompile(`reasons_(\d+)\[\] = \{`)
)

// parseCommitted reads layout_tables.c back.
func parseCommitted(path string, fields []field) (map[int]*version, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	paths := map[string]string{}
	for _, f := range fields {
		paths[f.name] = f.structName + " " + f.path
	}
	var order []*version
	reasons := map[string][]string{}
	use := map[int]string{}
	arch, in := "", ""
	for _, line := range strings.Split(string(text), "\n") {
		if m := committedReasons.FindStringSubmatch(line); m != nil {
			in = m[1]
		} else if line == "};" {
			in = ""
		} else if in != "" {
			reason, err := strconv.Unquote(strings.TrimSuffix(strings.TrimSpace(line), ","))
			if err != nil {
				return nil, fmt.Errorf("%s: %q: %w", path, line, err)
			}
			reasons[in] = append(reasons[in], reason)
		}
		if m := committedVersion.FindStringSubmatch(line); m != nil {
			minor, _ := strconv.Atoi(m[1])
			order = append(order, &version{minor, m[2] == "true", m[3], map[string]map[string]int64{}, nil})
			use[minor] = m[4]
		}
		if m := committedTable.FindStringSubmatch(line); m != nil {
			arch = m[1]
		}
		if m := committedRow.FindStringSubmatch(line); m != nil {
			values := strings.Split(m[2], ",")
			if len(values) != len(order) {
				return nil, fmt.Errorf("%s: %q: %d values for %d versions", path, line, len(values), len(order))
			}
			for i, v := range order {
				offset, err := strconv.ParseInt(strings.TrimSpace(values[i]), 0, 64)
				if err != nil {
					return nil, fmt.Errorf("%s: %q: %w", path, line, err)
				}
				if v.offsets[arch] == nil {
					v.offsets[arch] = map[string]int64{}
				}
				v.offsets[arch][paths[m[1]]] = offset
			}
		}
	}
	versions := map[int]*version{}
	for _, v := range order {
		v.reasons = reasons[use[v.minor]]
		versions[v.minor] = v
	}
	return versions, nil
}

// check compares what the toolchains and the data file say with the committed table and prints each difference.
func check(path string, fields []field, list []*version) (int, error) {
	committed, err := parseCommitted(path, fields)
	if err != nil {
		return 0, err
	}
	differences, compared := 0, 0
	differ := func(format string, arguments ...any) {
		differences++
		fmt.Printf("gen-layouts: "+format+"\n", arguments...)
	}
	for _, v := range list {
		c := committed[v.minor]
		if c == nil {
			differ("1.%d is not in %s", v.minor, path)
			continue
		}
		if c.toolchain != v.toolchain || c.exact != v.exact {
			differ("1.%d: toolchain %s exact=%t, committed %s exact=%t", v.minor, v.toolchain, v.exact, c.toolchain, c.exact)
		}
		if strings.Join(c.reasons, "\n") != strings.Join(v.reasons, "\n") {
			differ("1.%d: wait reasons are %q, committed %q", v.minor, v.reasons, c.reasons)
		}
		for arch, offsets := range v.offsets {
			for _, f := range fields {
				key := f.structName + " " + f.path
				got, ok := c.offsets[arch][key]
				compared++
				if !ok || got != offsets[key] {
					differ("1.%d %s: %s is %#x, committed %#x (%t)", v.minor, arch, key, offsets[key], got, ok)
				}
			}
		}
	}
	fmt.Printf("gen-layouts: %d values of %d versions compared, %d differences\n", compared, len(list), differences)
	return differences, nil
}
