#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Holds a profile of `parkwatch goroutines` against what a Go program says of itself.

    goroutines.py groups PROFILE.json ANSWER.json      the answer of `groups` of a test target
    goroutines.py dump PROFILE.debug2 DUMP             the runtime's own stack dump: frame by frame, offset by offset
    goroutines.py crash PROFILE.debug2 STDERR          what GOTRACEBACK=crash printed, with the runtime's own frames
    goroutines.py debug1 BEFORE.json AFTER.json TEXT   /debug/pprof/goroutine?debug=1, asked between two profiles
    goroutines.py debug2 BEFORE AFTER TEXT             the same of debug=2: goroutine by goroutine, offset by offset
    goroutines.py lines PROFILE.debug2                 nothing but the lines that debug=2 has
    goroutines.py schema SCHEMA.json PROFILE.json
    goroutines.py faults PROFILE.json ANSWER.json      the answer of tests/targets/faults: nothing missing, nothing more

Exit 0 if they agree; else 1 and every difference in a line.
"""
import collections
import json
import re
import sys


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def differences(expected, actual):
    for key in sorted(set(expected) | set(actual), key=str):
        if expected.get(key, 0) != actual.get(key, 0):
            yield f"{key}: expected {expected.get(key, 0)}, seen {actual.get(key, 0)}"


def is_system(group):
    return bool(group["diagnosis"]) and group["diagnosis"]["rule"] == "PW-D01"


def groups(profile, answer):
    """By wait reason and go statement. main is left out: it runs while it is asked, and reads while we look."""
    expected = collections.Counter()
    for group in load(answer)["groups"]:
        if group["function"]:
            expected[group["reason"], group["function"], group["file"], group["line"]] += group["count"]
    actual = collections.Counter()
    for group in load(profile)["groups"]:
        place = group["created_by"]
        if place and not is_system(group):
            reason = group["wait_reason"] or group["status"]
            actual[reason, place["function"], place["file"], place["line"]] += group["count"]
    return differences(expected, actual)


def faults(profile, answer):
    """Each fault is named by the rule, verdict, words and line that it should be, and nothing else is accused."""
    accused = [g for g in load(profile)["groups"] if g["diagnosis"] and not is_system(g)]
    matched = set()
    for place in load(answer)["places"]:
        if not place["rule"]:
            continue
        where = place["line"] and f"({place['file'].rsplit('/', 1)[-1]}:{place['line']})"
        seen = 0
        for number, group in enumerate(accused):
            said = group["diagnosis"]
            if said["rule"] == place["rule"] and (where or "") in said["text"] and place["text"] in said["text"]:
                matched.add(number)
                seen += group["count"]
                if said["verdict"] != place["verdict"]:
                    yield f"{place['label']}: {said['verdict']}, expected {place['verdict']}"
        if seen < place["count"]:
            yield f"{place['label']}: {place['rule']} at {where} says '{place['text']}' of {seen}, expected {place['count']}"
    for number, group in enumerate(accused):
        if number not in matched:
            yield f"{group['count']} {group['wait_reason']} are accused: {group['diagnosis']}"


HEADER = re.compile(r"goroutine (\d+)(?: gp=\S+ m=\S+(?: mp=\S+)?)? \[([^],]*)(?:, [^]]*)?\](?: \{.*\})?:$")
TRACEBACK_MIN = 90  # frames that a traceback shows at least: 100, less those that are hidden
ELIDED = re.compile(r"\.\.\.\d+ frames elided\.\.\.$|\.\.\.additional frames elided\.\.\.$")


def tracebacks(path):
    """goid -> (reason, frames); a frame is (function, place), the go statement the last one."""
    found = {}
    with open(path, encoding="utf-8") as file:
        blocks = file.read().strip().split("\n\n")
    for block in blocks:
        lines = block.split("\n")
        match = HEADER.match(lines[0])
        if not match:
            raise SystemExit(f"{path}: not the header of a goroutine: {lines[0]}")
        frames, elided, i = [], None, 1
        while i < len(lines):
            if ELIDED.match(lines[i]):
                elided = len(frames)
                i += 1
                continue
            if lines[i].startswith("\tgoroutine running"):
                i += 1
                continue
            function = re.sub(r"\([^()]*\)$", "", lines[i])
            if not lines[i + 1].startswith("\t"):
                raise SystemExit(f"{path}: no place behind {lines[i]}")
            place = re.sub(r" fp=.*", "", lines[i + 1].strip())
            frames.append((function, place))
            i += 2
        found[int(match.group(1))] = (match.group(2), frames, elided)
    return found


def first_difference(goid, reason, frames, seen):
    for want, have in zip(frames + [None] * len(seen), seen + [None] * len(frames)):
        if want != have:
            yield f"goroutine {goid} [{reason}]: expected {want}, seen {have}"
            return


def dump(profile, own):
    expected, actual = tracebacks(own), tracebacks(profile)
    for goid in sorted(set(expected) | set(actual)):
        if goid == 1:  # wrote the dump
            continue
        if goid not in expected or goid not in actual:
            yield f"goroutine {goid} is only in {'the dump' if goid in expected else 'the profile'}"
            continue
        (reason, frames, elided), (seen_reason, seen, _) = expected[goid], actual[goid]
        if reason != seen_reason:
            yield f"goroutine {goid}: expected [{reason}], seen [{seen_reason}]"
        if elided is None and TRACEBACK_MIN < len(frames) < len(seen):
            elided = len(frames) - 1  # go1.19 says nothing of it when hidden frames reach its maximum
        if elided is not None:  # the runtime prints the two ends of a deep stack, or only the inner one
            rest = len(frames) - elided
            seen = seen[:elided] + (seen[-rest:] if rest else [])
        yield from first_difference(goid, reason, frames, seen)


def is_shown(function, first):
    """src/runtime/traceback.go:showframe, without the system's frames that GOTRACEBACK=crash adds."""
    if first or not function.startswith("runtime."):
        return True
    return function == "runtime.gopanic" or function[len("runtime."):][:1].isupper()


def crash_tracebacks(path):
    """As tracebacks(), from the standard error of a program that has crashed: each thread adds what it was doing."""
    found = {}
    with open(path, encoding="utf-8") as file:
        blocks = re.split(r"\n\n|\n(?=goroutine \d+ .*:$)", file.read(), flags=re.MULTILINE)
    for block in blocks:
        lines = block.strip("\n").split("\n")
        match = HEADER.match(lines[0])
        if not match or match.group(1) == "0":
            continue
        frames, elided = [], None
        for function, place in zip(lines[1:], lines[2:]):
            if ELIDED.match(function):
                elided = len(frames)
            elif place.startswith("\t") and not function.startswith("\t"):
                function = re.sub(r"\([^()]*\)$", "", function)
                frames.append((function, re.sub(r" fp=.*", "", place.strip())))
        if frames or int(match.group(1)) not in found:
            found[int(match.group(1))] = (match.group(2), frames, elided)
    return found


def is_system_trace(frames):
    started = [function for function, _ in frames if not function.startswith("created by ")][-2:]
    return started[-1:] == ["runtime.goexit"] and started[0].startswith("runtime.") and started[0] != "runtime.main"


def without_wrappers(frames, seen):
    """What the compiler made is only in the system's view: methods of embedded fields, and the function of a go
    statement with arguments. Left out here if it is what makes the difference."""
    kept, rest = [], list(seen)
    for i, frame in enumerate(frames):
        function, place = frame
        made = place.startswith("<autogenerated>")
        made |= i + 2 == len(frames) and place.split(" ")[0] == frames[-1][1].split(" ")[0]
        if rest and rest[0] == frame:
            rest.pop(0)
        elif made:
            continue
        kept.append(frame)
    return kept


def crash(profile, own):
    """System goroutines are in this dump only, and so are hidden frames of the runtime."""
    expected, actual = crash_tracebacks(own), tracebacks(profile)
    for goid in sorted(set(expected) | set(actual)):
        if goid not in actual:
            if not is_system_trace(expected[goid][1]):
                yield f"goroutine {goid} is only in the dump: {expected[goid]}"
            continue
        if goid not in expected:
            yield f"goroutine {goid} is only in the profile"
            continue
        (reason, frames, elided), (seen_reason, seen, _) = expected[goid], actual[goid]
        if reason != seen_reason:
            yield f"goroutine {goid}: expected [{reason}], seen [{seen_reason}]"
        parts = [frames] if elided is None else [frames[:elided], frames[elided:]]
        parts = [[frame for frame in part if is_shown(frame[0], frame == (seen or [None])[0])] for part in parts]
        if elided is not None:  # the innermost and the outermost frames of a deep stack
            seen = seen[: len(parts[0])] + seen[len(seen) - len(parts[1]) :]
        frames = without_wrappers(sum(parts, []), seen)
        yield from first_difference(goid, reason, frames, seen)


def shown(names):
    """runtime/pprof.printStackRecord: what comes first of the runtime is hidden, unless there is nothing else."""
    frames = [frame for frame in names if frame[0] != "runtime.goexit"]
    for i, (function, _) in enumerate(frames):
        if not function.startswith("runtime."):
            return tuple(frames[i:])
    return tuple(frames)


def profile_stacks(path):
    counts = collections.Counter()
    for group in load(path)["groups"]:
        if not is_system(group):
            stack = [(frame["function"], f"{frame['file']}:{frame['line']}") for frame in group["stack"]]
            counts[shown(stack)] += group["count"]
    return counts


def debug1_stacks(path):
    counts, asking = collections.Counter(), collections.Counter()
    with open(path, encoding="utf-8") as file:
        blocks = file.read().split("\n\n")
    for block in blocks:
        lines = [line for line in block.split("\n") if line]
        if lines and lines[0].startswith("goroutine profile:"):
            lines = lines[1:]
        if not lines:
            continue
        count = int(lines[0].split(" @ ")[0])
        stack = []
        for line in lines[1:]:
            fields = re.split(r"\t+", line)  # a tabwriter aligned them
            if len(fields) >= 4:
                stack.append((re.sub(r"\+0x[0-9a-f]+$", "", fields[2].strip()), fields[3].strip()))
        key = shown(stack)
        if any(function.startswith("runtime/pprof.") for function, _ in stack):
            asking[key] += count  # the goroutine that answers us
        else:
            counts[key] += count
    return counts, asking


def debug1(before, after, text):
    """Equal to one of the two profiles, but for the connection that asks: the goroutine that answers (named above) and
    the one that reads ahead on its connection."""
    theirs, asking = debug1_stacks(text)
    if not asking:
        yield "the answering goroutine is not in its own answer"
    ahead = [stack for stack in theirs if any("(*connReader).backgroundRead" in function for function, _ in stack)]
    for stack in ahead:
        theirs[stack] -= 1
        break
    theirs = +theirs
    best = None
    for path in (before, after):
        found = list(differences(theirs, profile_stacks(path)))
        best = found if best is None or len(found) < len(best) else best
    yield from best


def debug2(before, after, text):
    """Each goroutine as it stood in one of the two, but for the connection that asks: the goroutine that answers, and
    the one that reads ahead on its connection, which are only in the answer, or stand elsewhere by then."""
    theirs, seen = tracebacks(text), [tracebacks(path) for path in (before, after)]
    asking = {goid for goid, (_, frames, _) in theirs.items() if any(f.startswith("runtime/pprof.") for f, _ in frames)}
    if len(asking) != 1:
        yield f"{len(asking)} goroutines answer"
    ahead = [goid for goid, (_, frames, _) in theirs.items() if any("backgroundRead" in f for f, _ in frames)]
    asking |= set(ahead[-1:])  # of the youngest connection
    for goid in sorted(theirs):
        if goid in asking:
            continue
        reason, frames, elided = theirs[goid]
        found = []
        for profile in seen:
            have_reason, have, _ = profile.get(goid, ("absent", [], None))
            if elided is not None:
                rest = len(frames) - elided
                have = have[:elided] + (have[-rest:] if rest else [])
            found.append([] if reason == have_reason else [f"goroutine {goid}: expected [{reason}], seen [{have_reason}]"])
            found[-1] += first_difference(goid, reason, frames, have)
        yield from min(found, key=len)
    for goid in sorted((set(seen[0]) & set(seen[1])) - set(theirs)):
        yield f"goroutine {goid} is not in the answer"


LINES = [  # of one goroutine, by what may follow what
    re.compile(r"goroutine \d+ \[[^],\n]+(, \d+ minutes)?(, locked to thread)?\]:$"),
    re.compile(r"(panic|[^\s:]\S*)\(\.\.\.\)$"),
    re.compile(r"\t[^\s:]+:\d+( \+0x[0-9a-f]+)?$"),
    re.compile(r"created by \S+( in goroutine \d+)?$"),
    re.compile(r"\tgoroutine running on other thread; stack unavailable$|\.\.\.additional frames elided\.\.\.$"),
]


def lines(path):
    with open(path, encoding="utf-8") as file:
        for block in file.read().rstrip("\n").split("\n\n"):
            for number, line in enumerate(block.split("\n")):
                if not any(kind.match(line) for kind in (LINES[1:] if number else LINES[:1])):
                    yield f"no line of debug=2: {line!r}"


def schema(document, profile):
    import jsonschema

    for error in jsonschema.Draft202012Validator(load(document)).iter_errors(load(profile)):
        yield f"{'/'.join(str(part) for part in error.path)}: {error.message}"


def main():
    what, *files = sys.argv[1:]
    judges = {"groups": groups, "dump": dump, "crash": crash, "debug1": debug1, "debug2": debug2, "lines": lines, "schema": schema, "faults": faults}
    found = list(judges[what](*files))
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
