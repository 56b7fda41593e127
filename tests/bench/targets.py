# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What was promised, measured and judged: pass or miss for each, on an otherwise idle machine, in under 15 minutes."""
from daemon import cpu_percent, memory_of, observed, reads_while_scraped, scrapes
from paired import confidence, median, ratios, show
from servers import PAIRS, default_daemon, http_saturated

SECONDS = 5


def judged(name, passed, text):
    print(f"{'pass' if passed else 'MISS'}: {name}: {text}", flush=True)
    return {"name": name, "passed": passed, "text": text}


def throughput(pairs):
    results = default_daemon(pairs, SECONDS)
    values, p99 = results["throughput"], results["p99"]
    low, _ = confidence(values)
    return [judged("default daemon, saturated HTTP server, median of the throughput at least 0.99 of unobserved", median(values) >= 0.99,
                   f"{median(values):.3f}"),
            judged("the same, lower 95% bound of that median at least 0.98", low >= 0.98, f"{low:.3f}; p99 {show(p99)} times unobserved")]


def continuous(rounds):
    results = http_saturated(rounds, SECONDS, ("unobserved", "parkwatch --budget none", "bpftrace at entry"))
    values = ratios(results, "parkwatch --budget none", "bpftrace at entry", "rate")
    return [judged("all events continuous: at least 3 times the throughput that bpftrace at function entry leaves", median(values) >= 3,
                   f"{show(values, '{:.2f}')} times")]


def ten_idle():
    def action(daemon):
        shares = [cpu_percent(daemon, 10) for _ in range(4)]
        return median(shares), memory_of(daemon)["total_bytes"]
    share, size = observed("idle", 10, action, rest=15)
    return [judged("daemon with 10 idle targets: at most 0.3% of a CPU", share <= 0.3, f"{share:.2f}%"),
            judged("daemon with 10 idle targets: at most 30 MB (goal 20)", size <= 30e6, f"{size / 1e6:.1f} MB")]


def fifty():
    def action(daemon):
        took, sizes = scrapes(daemon, 20)
        return [1e3 * value for value in took], sizes, *reads_while_scraped(daemon)
    took, sizes, quiet, scraped = observed("many_sites", 50, action, rest=15)
    return [judged("a scrape with 50 targets of 200 go statements (100 of them by name, the default): at most 20 ms", median(took) <= 20,
                   f"{show(took, '{:.1f}')} ms, {median(sizes) / 1e6:.2f} MB"),
            judged("a scrape reads no target", scraped <= 1.1 * quiet + 20,
                   f"{scraped} reads of memory in 3 s with 50 scrapes, {quiet} without")]


def targets(rounds):
    every = ten_idle() + fifty() + continuous(5) + throughput(PAIRS if rounds >= 9 else max(rounds, 3))
    missed = [one for one in every if not one["passed"]]
    print(f"targets: {len(every) - len(missed)} of {len(every)} hold")
    return {"judged": every}


BENCHES = {"targets": targets}
