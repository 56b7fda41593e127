# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""How costs grow with the size of their input: fitted, plotted, and nothing worse than linear."""
import math
import os
import time

from daemon import Herd, cpu_percent, memory_of, observed, scrape_cpu_seconds
from micro import further
from paired import Target, median, print_table
from subjects import ROOT, Daemon, Private, built, wait_for

LIMIT = 1.1 # of the exponent: linear, and what noise does to it
SVG = os.path.join(ROOT, "tests", "bench", "growth.svg") # README shows it


def fit_of(sizes, costs, power):
    """fixed and slope of cost = fixed + slope * size^power, neither below 0, by least squares of relative errors; their sum."""
    xs = [size ** power for size in sizes]
    weights = [1 / cost ** 2 for cost in costs]
    total = sum(weights)
    x_mean, y_mean = (sum(w * value for w, value in zip(weights, values)) / total for values in (xs, costs))
    spread = sum(w * (x - x_mean) ** 2 for w, x in zip(weights, xs))
    slope = max(0, sum(w * (x - x_mean) * (y - y_mean) for w, x, y in zip(weights, xs, costs)) / spread)
    fixed = y_mean - slope * x_mean
    if fixed < 0:
        fixed, slope = 0, sum(w * x * y for w, x, y in zip(weights, xs, costs)) / sum(w * x * x for w, x in zip(weights, xs))
    return fixed, slope, sum(((fixed + slope * x) / y - 1) ** 2 for x, y in zip(xs, costs))


def fit(sizes, costs):
    """(fixed, slope, b) of cost = fixed + slope * size^b: the b that fits best; 0 where nothing grows by a third."""
    if max(costs) < 1.33 * min(costs):
        return sum(costs) / len(costs), 0, 0
    power = min((step / 100 for step in range(30, 201)), key=lambda b: fit_of(sizes, costs, b)[2])
    return (*fit_of(sizes, costs, power)[:2], power)


def by_goroutines():
    """CPU time of reading all stacks, by the daemon's own account; what it holds of them; what it takes all in all."""
    sizes, looks, memory, cpu = (1000, 10000, 100000, 1000000), [], [], []
    for count in sizes:
        program = Private(built("many_stacks", "1.24", "plain"))
        target = Target(program.path)
        target.tell(f"start {count} 8")
        daemon = Daemon([program.pattern], "--budget", "0")
        wait_for(f"the stacks of {count} goroutines", lambda: daemon.metric("parkwatch_snapshot_cpu_seconds"), 120, 1)
        looks.append(daemon.metric("parkwatch_snapshot_cpu_seconds"))
        time.sleep(5)
        cpu.append(cpu_percent(daemon, 20))
        memory.append(memory_of(daemon)["total_bytes"])
        daemon.close()
        target.close()
    return sizes, looks, memory, cpu


def by_targets(_):
    sizes, cpu, memory, scrape_s, scrape_bytes = (1, 10, 25, 50, 100), [], [], [], []
    for count in sizes:
        def action(daemon):
            size = len(daemon.metrics())
            return cpu_percent(daemon, 20), memory_of(daemon)["total_bytes"], median(scrape_cpu_seconds(daemon, 5)), size
        values = observed("many_sites", count, action, settings="metrics_sites: 200\n", rest=15)
        for to, value in zip((cpu, memory, scrape_s, scrape_bytes), values):
            to.append(value)
    return sizes, cpu, memory, scrape_s, scrape_bytes


def short(value):
    """In five characters or so: 1.2k, 340u."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""), (1e-3, "m"), (1e-6, "u")):
        if value >= unit:
            return f"{value / unit:.3g}{name}"
    return f"{value:.2g}"


def panel(left, top, title, sizes, costs, fitted):
    """Both axes logarithmic; measured points, and the fit as a line."""
    width, height, (fixed, slope, power) = 300, 220, fitted
    steps = [sizes[0] * (sizes[-1] / sizes[0]) ** (i / 40) for i in range(41)]
    line = [fixed + slope * size ** power for size in steps]
    ys = [math.log10(value) for value in [*costs, *line]]
    low, high = min(ys) - 0.15, max(ys) + 0.25

    def at(size, cost):
        return (left + 30 + math.log(size / sizes[0]) / math.log(sizes[-1] / sizes[0]) * (width - 60),
                top + height - 28 - (math.log10(cost) - low) / (high - low) * (height - 60))
    yield f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" stroke="#bbb"/>'
    grows = f"grows as n^{power:.2f}" if power else "does not grow"
    yield f'<text x="{left + 8}" y="{top + 16}">{title}: {grows}</text>'
    points = " ".join("%.1f,%.1f" % at(size, value) for size, value in zip(steps, line))
    yield f'<polyline fill="none" stroke="#9bd" stroke-width="2" points="{points}"/>'
    for size, cost in zip(sizes, costs):
        x, y = at(size, cost)
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#06c"/>'
        yield f'<text x="{x:.1f}" y="{y - 7:.1f}" font-size="10" text-anchor="middle">{short(cost)}</text>'
        yield f'<text x="{x:.1f}" y="{top + height - 8}" font-size="10" text-anchor="middle">{short(size)}</text>'


def svg(curves):
    parts = []
    for number, curve in enumerate(curves):
        parts += panel(20 + number % 3 * 320, 20 + number // 3 * 240, *curve)
    rows = (len(curves) + 2) // 3
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="980" height="{rows * 240 + 20}" font-family="sans-serif" font-size="12">\n'
            '<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n")


def growth(rounds):
    sizes, cpu, memory, scrape_s, scrape_bytes = by_targets(rounds)
    goroutines, looks, held, share = by_goroutines()
    hits = further(max(rounds // 2, 3))
    counts = list(hits["added_ns"])
    curves = [("daemon, % of a CPU, by processes", sizes, cpu), ("daemon, bytes, by processes", sizes, memory),
              ("scrape, s of CPU, by processes", sizes, scrape_s), ("scrape, bytes, by processes", sizes, scrape_bytes),
              ("first look, s of CPU, by goroutines", goroutines, looks), ("daemon, bytes, by goroutines", goroutines, held),
              ("daemon, % of a CPU, by goroutines", goroutines, share),
              ("hit, ns, by processes of a file", counts, [max(hits["added_ns"][count], 1) for count in counts])]
    curves = [(title, x, y, fit(x, y)) for title, x, y in curves]
    print(f"growth: cost = fixed + slope * n^b; nothing may be worse than linear (b at most {LIMIT})")
    print_table([["cost", *[""] * 5, "b", ""]] + [
        [title, *[f"{short(n)}: {short(cost)}" for n, cost in zip(x, y)], *[""] * (5 - len(x)), f"{fitted[2]:.2f}",
         "ok" if fitted[2] <= LIMIT else "WORSE"] for title, x, y, fitted in curves])
    with open(SVG, "w") as out:
        out.write(svg(curves))
    print(f"  plotted in {os.path.relpath(SVG, ROOT)}")
    return {"judged": [{"name": title, "passed": fitted[2] <= LIMIT, "text": f"n^{fitted[2]:.2f}"} for title, *_, fitted in curves],
            **{title: {"sizes": list(x), "costs": list(y), "fit": fitted} for title, x, y, fitted in curves}}


BENCHES = {"growth": growth}
