"""Draws docs/benchmarks.svg from a table of docs/benchmarks.md: sessions a second, by how many are open at once.

usage: chart.py (at the root of the repository)
"""

import math
import re
from pathlib import Path

HEADING = "### In the clear"
COLOURS = {"smtp-source": "#8a8a8a", "threads": "#2f6fb3", "tokio": "#c2571a"}
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 640, 320, 64, 24, 104, 48


def rows():
    """Of each row of the table: how many at once, the program, and its sessions a second."""
    text = Path("docs/benchmarks.md").read_text().split(HEADING, 1)[1]
    table = re.search(r"(?:^\|.*\n)+", text, re.M).group()
    for line in table.splitlines()[2:]:
        cells = [cell.strip().replace(",", "") for cell in line.strip("|").split("|")]
        yield int(cells[0]), cells[2], float(cells[3])


lines = {}
for at_once, program, rate in rows():
    lines.setdefault(program, []).append((at_once, rate))
most = max(at_once for points in lines.values() for at_once, _ in points)
top = math.ceil(max(rate for points in lines.values() for _, rate in points) / 2000) * 2000


def x(at_once):
    return LEFT + (WIDTH - LEFT - RIGHT) * math.log10(at_once) / math.log10(most)


def y(rate):
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * rate / top


def text(x, y, words, anchor="middle", colour="#555"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{words}</text>'


parts = [
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
    "<title>Sessions a second, by how many are open at once</title>",
    f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
]
for rate in range(0, top + 1, 2000):
    parts.append(f'<path d="M{LEFT} {y(rate):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
    parts.append(text(LEFT - 8, y(rate) + 4, f"{rate:,}", "end"))
for power in range(round(math.log10(most)) + 1):
    parts.append(text(x(10**power), HEIGHT - BOTTOM + 18, f"{10**power:,}"))
parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, "sessions open at once"))
parts.append(text(LEFT - 48, TOP - 8, "sessions a second", "start"))
for program, points in lines.items():
    colour = COLOURS[program]
    path = "L".join(f"{x(at_once):.1f} {y(rate):.1f}" for at_once, rate in points)
    parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
    parts += [f'<circle cx="{x(a):.1f}" cy="{y(r):.1f}" r="3" fill="{colour}"/>' for a, r in points]
    parts.append(text(x(points[-1][0]) + 10, y(points[-1][1]) + 4, program, "start", colour))
parts.append("</svg>\n")
Path("docs/benchmarks.svg").write_text("\n".join(parts))
