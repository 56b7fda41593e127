// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// gen-layouts reads the DWARF of one small Go program per toolchain and architecture and writes user/go/layout_tables.c:
// the offsets of every field in PW_FIELDS (user/go/layout.h) and the strings of runtime.waitReasonStrings.
//
//	go run *.go -header user/go/layout.h -data best-effort.json -o layout_tables.c MINOR:ARCH:FILE...
//
// Versions without a toolchain come from the data file and are marked best effort. Run by scripts/gen-layouts.
package main

import (
	"bytes"
	"debug/buildinfo"
	"debug/dwarf"
	"debug/elf"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
)

const none = -1

// field is one X() of PW_FIELDS. A struct that was renamed has its names separated by '|'; one that a version does not
// have has no fields there, but each field must be in some version.
type field struct{ name, structName, path string }

// version is one Go minor version: where its numbers come from, and they.
type version struct {
	minor     int
	exact     bool
	toolchain string
	offsets   map[string]map[string]int64 // arch -> "runtime.g stack.lo" -> offset
	reasons   []string
}

// dataFile is the JSON for versions that no toolchain is packaged of.
type dataFile struct {
	Versions map[string]struct {
		Toolchain   string                      `json:"toolchain"`
		Offsets     map[string]map[string]int64 `json:"offsets"`
		WaitReasons []string                    `json:"wait_reasons"`
	} `json:"versions"`
}

var fieldPattern = regexp.MustCompile(`X\((\w+),\s*"([^"]*)",\s*"([^"]*)"\)`)

func readFields(header string) []field {
	text, err := os.ReadFile(header)
	if err != nil {
		log.Fatal(err)
	}
	var fields []field
	for _, m := range fieldPattern.FindAllStringSubmatch(string(text), -1) {
		fields = append(fields, field{m[1], m[2], m[3]})
	}
	if len(fields) == 0 {
		log.Fatalf("%s: no X(name, struct, path) found", header)
	}
	return fields
}

// structs collects the struct types of the wanted names; of one name the last wins (they are identical copies).
func structs(d *dwarf.Data, wanted map[string]bool) (map[string]*dwarf.StructType, error) {
	found := map[string]*dwarf.StructType{}
	r := d.Reader()
	for {
		e, err := r.Next()
		if err != nil {
			return nil, err
		}
		if e == nil {
			return found, nil
		}
		name, _ := e.Val(dwarf.AttrName).(string)
		if e.Tag != dwarf.TagStructType || !wanted[name] {
			continue
		}
		t, err := d.Type(e.Offset)
		if err != nil {
			return nil, err
		}
		if s, ok := t.(*dwarf.StructType); ok {
			found[name] = s
		}
	}
}

func unwrap(t dwarf.Type) dwarf.Type {
	for {
		td, ok := t.(*dwarf.TypedefType)
		if !ok {
			return t
		}
		t = td.Type
	}
}

// resolve finds the offset of a dotted path; alternatives (by version) are separated by '|'; "" is the size.
func resolve(s *dwarf.StructType, path string) int64 {
	if path == "" {
		return s.ByteSize
	}
	for _, alternative := range strings.Split(path, "|") {
		if offset := resolveOne(s, strings.Split(alternative, ".")); offset != none {
			return offset
		}
	}
	return none
}

func resolveOne(s *dwarf.StructType, names []string) int64 {
	for _, f := range s.Field {
		if f.Name != names[0] {
			continue
		}
		if len(names) == 1 {
			return f.ByteOffset
		}
		inner, ok := unwrap(f.Type).(*dwarf.StructType)
		if !ok {
			return none
		}
		if offset := resolveOne(inner, names[1:]); offset != none {
			return f.ByteOffset + offset
		}
	}
	return none
}

func readOffsets(file *elf.File, fields []field) (map[string]int64, error) {
	d, err := file.DWARF()
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, f := range fields {
		for _, name := range strings.Split(f.structName, "|") {
			wanted[name] = true
		}
	}
	found, err := structs(d, wanted)
	if err != nil {
		return nil, err
	}
	offsets := map[string]int64{}
	for _, f := range fields {
		offset := int64(none)
		for _, name := range strings.Split(f.structName, "|") {
			if s := found[name]; s != nil {
				offset = resolve(s, f.path)
			}
		}
		offsets[f.structName+" "+f.path] = offset
	}
	return offsets, nil
}

// bytesAt reads n bytes at a virtual address of the file.
func bytesAt(file *elf.File, addr, n uint64) ([]byte, error) {
	for _, p := range file.Progs {
		if p.Type == elf.PT_LOAD && addr >= p.Vaddr && addr+n <= p.Vaddr+p.Filesz {
			b := make([]byte, n)
			_, err := p.ReadAt(b, int64(addr-p.Vaddr))
			return b, err
		}
	}
	return nil, fmt.Errorf("address %#x is not in the file", addr)
}

// readReasons reads the []string array runtime.waitReasonStrings of a static, unstripped program.
func readReasons(file *elf.File) ([]string, error) {
	symbols, err := file.Symbols()
	if err != nil {
		return nil, err
	}
	for _, s := range symbols {
		if s.Name != "runtime.waitReasonStrings" {
			continue
		}
		var reasons []string
		for at := s.Value; at < s.Value+s.Size; at += 16 {
			head, err := bytesAt(file, at, 16)
			if err != nil {
				return nil, err
			}
			text, err := bytesAt(file, file.ByteOrder.Uint64(head), file.ByteOrder.Uint64(head[8:]))
			if err != nil && file.ByteOrder.Uint64(head[8:]) != 0 {
				return nil, err
			}
			reasons = append(reasons, string(text))
		}
		return reasons, nil
	}
	return nil, fmt.Errorf("no symbol runtime.waitReasonStrings")
}

func addProgram(versions map[int]*version, argument string, fields []field) error {
	part := strings.SplitN(argument, ":", 3)
	if len(part) != 3 {
		return fmt.Errorf("want MINOR:ARCH:FILE")
	}
	minor, err := strconv.Atoi(part[0])
	if err != nil {
		return err
	}
	info, err := buildinfo.ReadFile(part[2])
	if err != nil {
		return err
	}
	if !strings.HasPrefix(info.GoVersion+".", fmt.Sprintf("go1.%d.", minor)) {
		return fmt.Errorf("built by %s, not by Go 1.%d", info.GoVersion, minor)
	}
	file, err := elf.Open(part[2])
	if err != nil {
		return err
	}
	defer file.Close()
	offsets, err := readOffsets(file, fields)
	if err != nil {
		return err
	}
	reasons, err := readReasons(file)
	if err != nil {
		return err
	}
	v := versions[minor]
	if v == nil {
		v = &version{minor, true, info.GoVersion, map[string]map[string]int64{}, reasons}
		versions[minor] = v
	}
	if strings.Join(v.reasons, "\n") != strings.Join(reasons, "\n") {
		return fmt.Errorf("wait reasons differ between architectures")
	}
	v.offsets[part[1]] = offsets
	return nil
}

func addData(versions map[int]*version, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var data dataFile
	if err := json.Unmarshal(text, &data); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for name, d := range data.Versions {
		minor, err := strconv.Atoi(strings.TrimPrefix(name, "1."))
		if err != nil {
			return fmt.Errorf("%s: version %q", path, name)
		}
		if versions[minor] == nil {
			versions[minor] = &version{minor, false, d.Toolchain, d.Offsets, d.WaitReasons}
		}
	}
	return nil
}

func sorted(versions map[int]*version) []*version {
	var list []*version
	for _, v := range versions {
		list = append(list, v)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].minor < list[j].minor })
	return list
}

func writeOffsets(out *bytes.Buffer, fields []field, list []*version, arch string) {
	fmt.Fprintf(out, "\nconst int32_t pw_layout_%s[_PW_FIELD_MAX][PW_LAYOUT_VERSIONS] = {\n", arch)
	fmt.Fprintf(out, "\t/* %-48s", "")
	for _, v := range list {
		fmt.Fprintf(out, " %7s", fmt.Sprintf("1.%d", v.minor))
	}
	fmt.Fprintf(out, " */\n")
	for _, f := range fields {
		known := false
		fmt.Fprintf(out, "\t[PW_FIELD_%s] = {%*s", f.name, max(1, 33-len(f.name)), "")
		for i, v := range list {
			offset, ok := v.offsets[arch][f.structName+" "+f.path]
			if !ok {
				log.Fatalf("1.%d %s: no value for %s %q: add it to the data file", v.minor, arch, f.structName, f.path)
			}
			known = known || offset != none
			separator := ","
			if i == len(list)-1 {
				separator = ""
			}
			if offset == none {
				fmt.Fprintf(out, " %7s", "-1"+separator)
			} else {
				fmt.Fprintf(out, " %7s", fmt.Sprintf("%#x%s", offset, separator))
			}
		}
		fmt.Fprintf(out, " },\n")
		if !known {
			log.Fatalf("%s: no version has %s %q", f.name, f.structName, f.path)
		}
	}
	fmt.Fprintf(out, "};\n")
}

func writeReasons(out *bytes.Buffer, list []*version) {
	for _, v := range list {
		fmt.Fprintf(out, "\nstatic const char *const reasons_%d[] = {\n", v.minor)
		for _, r := range v.reasons {
			fmt.Fprintf(out, "\t%q,\n", r)
		}
		fmt.Fprintf(out, "};\n")
	}
}

func generate(fields []field, list []*version) []byte {
	out := &bytes.Buffer{}
	fmt.Fprintf(out, "/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */\n"+
		"/*\n * Generated by scripts/gen-layouts on %s from the DWARF of a program built by each of these\n"+
		" * toolchains, for amd64 and arm64. Do not edit: change PW_FIELDS in layout.h and run the script again.\n *\n",
		time.Now().UTC().Format("2006-01-02"))
	for _, v := range list {
		where := "toolchain, src/runtime/runtime2.go and the files of the other structs"
		if !v.exact {
			where = "scripts/gen-layouts.d/best-effort.json: best effort, no toolchain at hand to check it"
		}
		fmt.Fprintf(out, " * %-10s %s\n", v.toolchain, where)
	}
	fmt.Fprintf(out, " */\n#include \"go/layout_tables.h\"\n\n#include \"base/macros.h\"\n\n/* clang-format off */\n")
	writeReasonsThenVersions(out, list)
	for _, arch := range []string{"amd64", "arm64"} {
		writeOffsets(out, fields, list, arch)
	}
	return out.Bytes()
}

func writeReasonsThenVersions(out *bytes.Buffer, list []*version) {
	distinct := map[string]*version{}
	var unique []*version
	use := map[int]int{}
	for _, v := range list {
		key := strings.Join(v.reasons, "\n")
		if distinct[key] == nil {
			distinct[key] = v
			unique = append(unique, v)
		}
		use[v.minor] = distinct[key].minor
	}
	writeReasons(out, unique)
	fmt.Fprintf(out, "\nconst struct pw_layout_version pw_layout_versions[PW_LAYOUT_VERSIONS] = {\n")
	for _, v := range list {
		fmt.Fprintf(out, "\t{ %d, %t, %q, reasons_%d, ARRAY_SIZE(reasons_%d) },\n", v.minor, v.exact, v.toolchain,
			use[v.minor], use[v.minor])
	}
	fmt.Fprintf(out, "};\n_Static_assert(PW_LAYOUT_VERSIONS == %d, \"set PW_LAYOUT_VERSIONS in layout_tables.h\");\n",
		len(list))
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("gen-layouts: ")
	header := flag.String("header", "", "layout.h")
	data := flag.String("data", "", "JSON of the versions without a toolchain")
	output := flag.String("o", "", "file to write")
	compare := flag.String("check", "", "instead of writing, compare with this file")
	flag.Parse()

	fields := readFields(*header)
	versions := map[int]*version{}
	for _, argument := range flag.Args() {
		if err := addProgram(versions, argument, fields); err != nil {
			log.Fatalf("%s: %v", argument, err)
		}
	}
	if err := addData(versions, *data); err != nil {
		log.Fatal(err)
	}
	if *compare != "" {
		differences, err := check(*compare, fields, sorted(versions))
		if err != nil {
			log.Fatal(err)
		}
		if differences != 0 {
			os.Exit(1)
		}
		return
	}
	if err := os.WriteFile(*output, generate(fields, sorted(versions)), 0o644); err != nil {
		log.Fatal(err)
	}
}
