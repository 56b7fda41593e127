# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""How costs grow with the size of their input: fitted, plotted, and nothing worse than linear."""
import math
import os
import time

from daemon import Herd, cpu_percent, memory_of, observed, scrapes
from micro import further
from paired import Target, median, print_table
from subjects import ROOT, Daemon, built

LIMIT = 1.15 # of the exponent: linear, and what noise does to it
SVG = os.path.join(ROOT, "build", "bench", "growth.svg")


def exponent(sizes, costs):
    """b of cost = fixed + a * size^b, from the two largest steps: the fixed part, which small sizes show, is taken off."""
    fixed = min(costs) * 0.9
    points = [(math.log(size), math.log(max(cost - fixed, 1e-12))) for size, cost in list(zip(sizes, costs))[-2:]]
    (x0, y0), (x1, y1) = points
    return (y1 - y0) / (x1 - x0)


def census_cost(rounds):
    """CPU of a walk of all goroutines, by the daemon's own account."""
    costs, sizes = [], (1000, 10000, 100000, 1000000)
    for count in sizes:
        target = Target(built("many_stacks", "1.24", "plain"))
        target.tell(f"start {count} 8")
        daemon = Daemon(["many_stacks-1.2*"], "--budget", "0")
        deadline, value = time.monotonic() + 60, None
        while time.monotonic() < deadline and not value:
            time.sleep(1)
            if (daemon.metric(r"parkwatch_goroutines\b.*many_stacks") or 0) >= 0:
                value = daemon.metric("parkwatch_census_duration_seconds")
        costs.append(value or float("nan"))
        daemon.close()
        target.close()
    return sizes, costs, "goroutines", "s for a walk of all"


def by_targets(_):
    sizes, cpu, memory, scrape_s, scrape_bytes = (1, 10, 50, 100), [], [], [], []
    for count in sizes:
        def action(daemon):
            took, size = scrapes(daemon, 4)
            return cpu_percent(daemon, 8), memory_of(daemon)["total_bytes"], median(took), median(size)
        values = observed("many_sites", count, action, settings="metrics_sites: 200\n", rest=8)
        for to, value in zip((cpu, memory, scrape_s, scrape_bytes), values):
            to.append(value)
    return sizes, cpu, memory, scrape_s, scrape_bytes


def svg(curves):
    """One panel for each curve, both axes logarithmic, the fit dashed."""
    width, height, parts = 300, 220, []
    for number, (title, sizes, costs, power) in enumerate(curves):
        left, top = 20 + number % 3 * (width + 30), 20 + number // 3 * (height + 40)
        xs, ys = [math.log10(size) for size in sizes], [math.log10(max(cost, 1e-9)) for cost in costs]
        low, high = min(ys) - 0.2, max(ys) + 0.2

        def at(x, y):
            return (left + 40 + (x - xs[0]) / ((xs[-1] - xs[0]) or 1) * (width - 60),
                    top + height - 30 - (y - low) / (high - low) * (height - 60))
        points = [at(x, y) for x, y in zip(xs, ys)]
        parts.append(f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" stroke="#bbb"/>')
        parts.append(f'<text x="{left + 8}" y="{top + 16}">{title}: size^{power:.2f}</text>')
        parts.append('<polyline fill="none" stroke="#06c" stroke-width="2" points="' + " ".join(f"{x:.1f},{y:.1f}" for x, y in points) + '"/>')
        for (x, y), size, cost in zip(points, sizes, costs):
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#06c"/>')
            parts.append(f'<text x="{x:.1f}" y="{y - 6:.1f}" font-size="9" text-anchor="middle">{cost:.3g}</text>')
            parts.append(f'<text x="{x:.1f}" y="{top + height - 8}" font-size="9" text-anchor="middle">{size}</text>')
    rows = (len(curves) + 2) // 3
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{3 * (width + 30) + 20}" height="{rows * (height + 40) + 20}" '
            f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>' + "".join(parts) + "</svg>\n")


def growth(rounds):
    sizes, cpu, memory, scrape_s, scrape_bytes = by_targets(rounds)
    goroutines, walk, *_ = census_cost(rounds)
    hits = further(max(rounds // 2, 3))
    counts = list(hits["added_ns"])
    curves = [("daemon, % of a CPU, by targets", sizes, cpu), ("daemon, bytes, by targets", sizes, memory),
              ("scrape, s, by targets", sizes, scrape_s), ("scrape, bytes, by targets", sizes, scrape_bytes),
              ("walk, s, by goroutines", goroutines, walk),
              ("hit, ns, by processes of a file", counts, [max(hits["added_ns"][count], 1) for count in counts])]
    curves = [(title, x, y, exponent(x, y)) for title, x, y in curves]
    print(f"growth: cost = fixed + a * size^b; nothing may be worse than linear (b at most {LIMIT})")
    print_table([["cost", "b", ""] ] + [[title, f"{power:.2f}", "ok" if power <= LIMIT else "WORSE"] for title, _, _, power in curves])
    os.makedirs(os.path.dirname(SVG), exist_ok=True)
    with open(SVG, "w") as out:
        out.write(svg(curves))
    print(f"  plotted in {os.path.relpath(SVG, ROOT)}")
    return {title: {"sizes": list(x), "costs": list(y), "exponent": power} for title, x, y, power in curves}


BENCHES = {"growth": growth}
