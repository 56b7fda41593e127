# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Makes programs that run and whose ELF files lie.

    hostile.py GO-PROGRAM SLEEPER DIRECTORY     prints the path of each

The section headers of a Go program are not needed to run it, so they can say anything. What the runtime itself needs
(function table, build info) is put, spoilt, into a C program that only sleeps (SLEEPER: it must have the sections
.go.buildinfo and .gopclntab with room for them).
"""
import os
import random
import struct
import sys

SHDR = struct.Struct("<IIQQQQIIQQ")  # name type flags addr offset size link info addralign entsize


class Elf:
    def __init__(self, path):
        self.data = bytearray(open(path, "rb").read())
        self.shoff, = struct.unpack_from("<Q", self.data, 0x28)
        self.shentsize, self.shnum, self.shstrndx = struct.unpack_from("<HHH", self.data, 0x3A)
        strings = self.section(self.shstrndx)
        self.names = {}
        for i in range(self.shnum):
            start = strings[4] + self.section(i)[0]
            self.names[self.data[start:self.data.index(b"\0", start)].decode()] = i

    def section(self, index):
        return SHDR.unpack_from(self.data, self.shoff + index * self.shentsize)

    def change(self, index, **fields):
        order = ["name", "type", "flags", "addr", "offset", "size", "link", "info", "addralign", "entsize"]
        values = list(self.section(index))
        for name, value in fields.items():
            values[order.index(name)] = value
        SHDR.pack_into(self.data, self.shoff + index * self.shentsize, *values)

    def fill(self, name, content):
        _, _, _, _, offset, size, *_ = self.section(self.names[name])
        self.data[offset:offset + min(size, len(content))] = content[:size]

    def content(self, name):
        _, _, _, _, offset, size, *_ = self.section(self.names[name])
        return bytes(self.data[offset:offset + size])


def headers_that_lie(go):
    def variant(name, action):
        elf = Elf(go)
        action(elf)
        return name, elf.data

    def every(**fields):
        return lambda elf: [elf.change(i, **fields) for i in range(1, elf.shnum)]

    yield variant("entsize-0", every(entsize=0))
    yield variant("sizes-of-2-to-the-62", every(size=1 << 62))
    yield variant("offsets-beyond-the-file", every(offset=(1 << 63) - 1))
    yield variant("all-one-section", every(offset=0, size=4096, type=3))
    yield variant("links-in-a-circle", lambda elf: [elf.change(i, link=(i + 1) % elf.shnum, info=i) for i in range(elf.shnum)])
    yield variant("65535-sections", lambda elf: struct.pack_into("<H", elf.data, 0x3C, 0xFFFF))
    yield variant("no-sections", lambda elf: (struct.pack_into("<Q", elf.data, 0x28, 0),
                                              struct.pack_into("<HH", elf.data, 0x3C, 0, 0)))
    yield variant("names-beyond", lambda elf: struct.pack_into("<H", elf.data, 0x3E, 0xFFFE))
    yield variant("every-section-is-a-symbol-table", every(type=2, entsize=24, link=0))


def tables_that_lie(go, sleeper):
    info, table = Elf(go).content(".go.buildinfo"), bytearray(Elf(go).content(".gopclntab"))

    def variant(name, build_info, function_table):
        elf = Elf(sleeper)
        elf.fill(".go.buildinfo", bytes(build_info))
        elf.fill(".gopclntab", bytes(function_table))
        return name, elf.data

    def patched(offset, value):
        changed = bytearray(table)
        struct.pack_into("<Q", changed, offset, value)
        return changed

    yield variant("a-function-table-without-code", info, table)
    yield variant("2-to-the-60-functions", info, patched(8, 1 << 60))
    yield variant("names-at-2-to-the-63", info, patched(0x20, 1 << 63))
    yield variant("functions-at-the-header", info, patched(0x40, 0))
    yield variant("a-version-of-2-to-the-62-bytes", info[:32] + b"\xff\xff\xff\xff\xff\xff\xff\xff\x3f" + info[41:], table)
    yield variant("a-version-that-talks", info[:32] + b"\x20go1.24\x1b[2J\n\"};rm -rf /{ \xff\xfe%s%n......" + info[65:], table)
    random.seed(1)
    for number in range(6):
        noise = bytearray(table)
        for _ in range(20000):
            noise[random.randrange(16, len(noise))] = random.randrange(256)
        yield variant(f"noise-{number}", info, noise)


def main():
    go, sleeper, directory = sys.argv[1:4]
    for name, data in [*headers_that_lie(go), *tables_that_lie(go, sleeper)]:
        path = os.path.join(directory, name)
        with open(path, "wb") as out:
            out.write(data)
        os.chmod(path, 0o755)
        print(path)
    gigantic = os.path.join(directory, "gigantic")
    with open(gigantic, "wb") as out:
        out.write(open(go, "rb").read())
        out.truncate(64 << 30)
    os.chmod(gigantic, 0o755)
    print(gigantic)


if __name__ == "__main__":
    main()
