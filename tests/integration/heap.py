#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Holds a heap profile of `parkwatch heap` against what a Go program says of itself.

    heap.py records PROFILE.json ANSWER.json    what runtime.MemProfile returned (`records` of the test target)
    heap.py pprof OURS.pb.gz THEIRS.pb.gz       runtime/pprof's own file: types, period, each sample, line by line
    heap.py inuse ANSWER.json FUNCTION           bytes in use that were allocated there, by the same: prints it
    heap.py total FILE.pb.gz [REGEX]            inuse_space of all samples (with a function that matches): prints it

Exit 0 if they agree; else 1 and every difference in a line.
"""
import collections
import gzip
import json
import math
import re
import sys


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def differences(expected, actual):
    for key in sorted(set(expected) | set(actual), key=str):
        if expected.get(key) != actual.get(key):
            yield f"{key}: expected {expected.get(key)}, seen {actual.get(key)}"


def scale(objects, size, rate):
    """runtime/pprof.scaleHeapSample"""
    if not objects or rate <= 1:
        return objects, objects * size
    factor = 1 / (1 - math.exp(-size / rate))
    return int(objects * factor), int(objects * size * factor)


STACK0 = 32  # addresses that a runtime.MemProfileRecord has room for; the profile keeps more from Go 1.23 on


def shown(stack):
    """runtime/pprof: what comes first of the runtime is hidden, unless there is nothing else, and goexit at the end."""
    if len(stack) > 1 and stack[-1][0] == "runtime.goexit":
        stack = stack[:-1]
    for i, (function, *_) in enumerate(stack):
        if not function.startswith(("runtime.", "internal/runtime/")):
            return tuple(stack[i:])
    return tuple(stack)


def records(ours, theirs):
    answer = load(theirs)
    expected, actual, cut = {}, {}, set()
    for record in answer["records"]:
        size, allocated = record["object_bytes"], record["alloc_objects"]
        if record["alloc_bytes"] != size * allocated:
            yield f"the program's own record is not of one size: {record}"
        values = scale(allocated - record["free_objects"], size, answer["rate"]) + scale(allocated, size, answer["rate"])
        stack = shown([tuple(frame) for frame in record["stack"]])
        if len(record["stack"]) == STACK0:
            cut.add(stack)
        expected[stack] = tuple(a + b for a, b in zip(values, expected.get(stack, (0,) * 4)))
    profile = load(ours)
    if profile["rate"] != answer["rate"]:
        yield f"rate: expected {answer['rate']}, seen {profile['rate']}"
    for site in profile["sites"]:
        stack = tuple((frame["function"], frame["file"], frame["line"]) for frame in site["stack"])
        if stack in actual:
            yield f"twice: {stack}"
        if stack not in expected:
            stack = next((short for short in cut if stack[:len(short)] == short), stack)
        values = (site["inuse_objects"], site["inuse_bytes"], site["alloc_objects"], site["alloc_bytes"])
        actual[stack] = tuple(a + b for a, b in zip(values, actual.get(stack, (0,) * 4)))
    if not expected:
        yield "the program has no records"
    yield from differences(expected, actual)


# --- profile.proto ---

def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value - (1 << 64 if value >> 63 else 0), at


def fields(data):
    """Of one message: number -> list of values."""
    found, at = collections.defaultdict(list), 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        elif tag & 7 == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            raise ValueError(f"wire type {tag & 7}")
        found[tag >> 3].append(value)
    return found


def numbers(values):
    """A repeated number: packed or one by one."""
    out = []
    for value in values:
        if isinstance(value, int):
            out.append(value)
            continue
        at = 0
        while at < len(value):
            number, at = varint(value, at)
            out.append(number)
    return out


class Profile:
    def __init__(self, path):
        with gzip.open(path) as file:
            root = fields(file.read())
        self.strings = [text.decode() for text in root[6]]
        self.types = [self.type(message) for message in root[1]]
        self.period_type = self.type(root[11][0]) if root[11] else None
        self.period = root[12][0] if root[12] else 0
        self.default = self.strings[root[14][0]] if root[14] else ""
        functions, self.files = {}, collections.defaultdict(set)
        for message in root[5]:
            function = fields(message)
            # runtime/pprof writes the shapes of generics, which tracebacks show as "..."
            name = re.sub(r"\[.*\]", "[...]", self.strings[function[2][0]])
            functions[function[1][0]] = (name, self.strings[(function[4] or [0])[0]])
            self.files[name].add(functions[function[1][0]][1])
        self.locations = {}
        for message in root[4]:
            location = fields(message)
            self.locations[location[1][0]] = [
                functions[line[1][0]] + ((line[2] or [0])[0],) for line in map(fields, location[4])]
        self.samples = collections.Counter()
        for message in root[2]:
            sample = fields(message)
            stack = tuple(line for location in numbers(sample[1]) for line in self.locations[location])
            labels = tuple((self.strings[label[1][0]], (label[3] or [0])[0]) for label in map(fields, sample[3]))
            for i, value in enumerate(numbers(sample[2])):
                self.samples[stack, labels, self.types[i][0]] += value

    def with_one_file_each(self, theirs):
        """runtime/pprof knows a function by its name alone, with the file that it met first (proto.go:emitLocation); a
        package's init is of several files."""
        files = {name: min(found) for name, found in theirs.files.items() if len(found) == 1 and found < self.files[name]}
        samples = collections.Counter()
        for (stack, *rest), value in self.samples.items():
            samples[(tuple((name, files.get(name, file), line) for name, file, line in stack), *rest)] += value
        self.samples = samples

    def type(self, message):
        message = fields(message)
        return self.strings[message[1][0]], self.strings[message[2][0]]


def pprof(ours, theirs):
    ours, theirs = Profile(ours), Profile(theirs)
    ours.with_one_file_each(theirs)
    if ours.default != "inuse_space":  # theirs names none: the tools then take the last one, which is that
        yield f"default: {ours.default}"
    for what in ("types", "period_type", "period"):
        if getattr(ours, what) != getattr(theirs, what):
            yield f"{what}: expected {getattr(theirs, what)}, seen {getattr(ours, what)}"
    if not theirs.samples:
        yield "their profile has no samples"
    yield from differences(+theirs.samples, +ours.samples)


def inuse(answer, function):
    """Of a line, as runtime/pprof scales what runtime.MemProfile returned."""
    answer = load(answer)
    print(sum(scale(record["alloc_objects"] - record["free_objects"], record["object_bytes"], answer["rate"])[1]
              for record in answer["records"] if shown([tuple(frame) for frame in record["stack"]])[0][0] == function))
    return []


def total(path, pattern="."):
    profile = Profile(path)
    print(sum(value for (stack, _, kind), value in profile.samples.items()
              if kind == "inuse_space" and any(re.search(pattern, line[0]) for line in stack)))
    return []


def main():
    what, *files = sys.argv[1:]
    found = list({"records": records, "pprof": pprof, "inuse": inuse, "total": total}[what](*files))
    print("\n".join(found[:20]), end="\n" if found else "")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
