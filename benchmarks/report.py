"""A table for people and for the documentation, and a plot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from benchmarks.cases import Row, Section


def duration(milliseconds: float) -> str:
    return f"{milliseconds:.1f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.2f} s"


def markdown(sections: Sequence[Section], where: str) -> str:
    """All sections as Markdown tables, with what is promised and whether it was kept."""
    return "\n".join(line for section in sections for line in _table(section)) + f"\nMeasured in one run on {where}.\n"


def _table(section: Section) -> Iterator[str]:
    yield f"### {section.title}\n"
    yield f"{section.explanation}\n"
    yield "| | median | ± | processor | |"
    yield "|---|---:|---:|---:|---|"
    for row in section.rows:
        spread = f"{row.spread:.1f}" if row.spread else ""
        processor = duration(row.processor) if row.processor else ""
        yield f"| {row.name} | {duration(row.value)} | {spread} | {processor} | {row.note} |"
    yield ""
    if section.promises:
        yield "| promised | found | at most | |"
        yield "|---|---:|---:|---|"
        for promise in section.promises:
            kept = "kept" if promise.kept else "**not kept**"
            yield f"| {promise.text} | {promise.found:.2f} | {promise.limit:g} | {kept} |"
        yield ""


#: What the README compares: sections, and rows of each that can be compared with one another.
_HEADLINES = {
    "A warm run": ("the interpreter alone", "conda-execute (dash)", "uv run --script", "conda run"),
    "A storm of a script that does nothing": ("the interpreter alone", "conda-execute", "uv run --script"),
    "A cold run, nothing cached": ("py-rattler directly", "conda-execute", "conda create"),
}


def summary(sections: Sequence[Section], where: str) -> str:
    """The picture and three comparisons, for the README."""
    lines = ["| | |", "|---|---|"]
    for section in sections:
        rows = {row.name: duration(row.value) for row in section.rows}
        shown = [f"{name} {rows[name]}" for name in _HEADLINES.get(section.title, ()) if name in rows]
        if shown:
            lines.append(f"| {section.title} | {', '.join(shown)} |")
    picture = "![bars](docs/benchmarks.svg)\n"
    more = (
        "The channel of the cold run is on the local disk, so nothing is downloaded.\n"
        "[The whole page](docs/benchmarks.md) has every figure, what is promised, and what was found.\n"
    )
    return "\n".join([picture, *lines, "", f"Medians of one run on {where}.", more])


_WIDTH, _NAMES, _BAR, _LINE, _GAP = 780, 260, 330, 24, 46

_STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 15px }
.note { fill: #57606a }
.bar { fill: #8c959f }
.ours { fill: #2da44e }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .note { fill: #9198a1 }
}"""


def svg(sections: Sequence[Section]) -> str:
    """Horizontal bars, one group for each section, each group in a scale of its own."""
    parts: list[str] = []
    top = 8.0
    for section in (section for section in sections if section.plotted):
        top += 18
        parts.append(f'<text class="title" x="12" y="{top:.0f}">{escape(section.title)}</text>')
        top += 10
        largest = max(row.value for row in section.rows)
        for row in section.rows:
            parts += _bar(row, top, largest)
            top += _LINE
        top += _GAP - _LINE
    size = f'width="{_WIDTH}" height="{top:.0f}"'
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="what a run costs">'
    return "\n".join([opening, f"<style>{_STYLE}</style>", *parts, "</svg>\n"])


def _bar(row: Row, top: float, largest: float) -> Iterator[str]:
    width = max(1.0, row.value / largest * _BAR)
    kind = "bar ours" if row.ours else "bar"
    note = f" ({row.note})" if row.note else ""
    yield f'<text x="{_NAMES}" y="{top + 13:.0f}" text-anchor="end">{escape(row.name)}</text>'
    yield f'<rect class="{kind}" x="{_NAMES + 10}" y="{top:.0f}" width="{width:.1f}" height="17" rx="2"/>'
    text = escape(duration(row.value) + note)
    yield f'<text class="note" x="{_NAMES + 16 + width:.0f}" y="{top + 13:.0f}">{text}</text>'
