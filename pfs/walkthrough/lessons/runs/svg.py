"""Charts as SVG, light enough to be drawn anew while the reader watches: a frame with two axes, and marks in it.

Axes and text have the colour of the page's own text, so a chart can be read in a light and in a dark theme. It takes
the width that there is; at that of a phone its text is still larger than 10 pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import isfinite

from matplotlib.colors import to_hex

from pfs.report.style import colour

WIDTH, TEXT = 420, 13  # in units of the picture, which are pixels where 420 of them are free
ROW = 40  # of a chart of rows: its name and, below it, its marks
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 24, 38  # what the axes and their names take at each side
SHAPES = {  # around (0, 0), about ten units wide
    "circle": '<circle r="5"/>',
    "square": '<rect x="-4.5" y="-4.5" width="9" height="9"/>',
    "diamond": '<path d="M0-6 6 0 0 6-6 0z"/>',
    "triangle": '<path d="M0-6 5.5 4.5H-5.5z"/>',
    "cross": '<path d="M-4.5-4.5 4.5 4.5M-4.5 4.5 4.5-4.5" stroke-width="2.5"/>',
}


@dataclass(frozen=True)
class Frame:
    """The plane of a chart: which numbers its sides stand for.

    Attributes:
        x: the numbers at the left and the right side.
        y: the numbers at the lower and the upper side.
        height: of the whole picture, in its units.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    height: int = 250

    def across(self, value: float) -> float:
        """Where a number of x lies, from the left."""
        return LEFT + (value - self.x[0]) / (self.x[1] - self.x[0]) * (WIDTH - LEFT - RIGHT)

    def down(self, value: float) -> float:
        """Where a number of y lies, from the top."""
        return TOP + (self.y[1] - value) / (self.y[1] - self.y[0]) * (self.height - TOP - BOTTOM)

    def line(self, points: Sequence[tuple[float, float]], method: str, *, dashed: bool = False) -> str:
        """A line through points (x, y), in the colour of a method."""
        corners = " ".join(f"{self.across(x):.1f},{self.down(y):.1f}" for x, y in points)
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        return f'<polyline points="{corners}" fill="none" stroke="{hex_colour(method)}" stroke-width="2.2"{dash}/>'

    def mark(self, x: float, y: float, method: str, shape: str = "circle", *, faint: bool = False) -> str:
        """One run: a shape in the colour of a method; a faint one is hollow."""
        tint = hex_colour(method)
        fill = "none" if faint else tint
        place = f'transform="translate({self.across(x):.1f} {self.down(y):.1f})"'
        return f'<g {place} fill="{fill}" stroke="{tint}" opacity="{0.55 if faint else 1}">{SHAPES[shape]}</g>'

    def text(self, x: float, y: float, text: str, anchor: str = "middle", *, lift: float = 0) -> str:
        """A word at a point, `lift` units above it."""
        return _text(self.across(x), self.down(y) - lift, text, anchor)

    def bar(self, x: tuple[float, float], y: tuple[float, float]) -> str:
        """A straight line between two points in the colour of text."""
        ends = f'x1="{self.across(x[0]):.1f}" y1="{self.down(y[0]):.1f}" x2="{self.across(x[1]):.1f}"'
        return f'<line {ends} y2="{self.down(y[1]):.1f}" stroke="currentColor" stroke-width="1.6"/>'

    def picture(self, marks: Sequence[str], alt: str, *, name_of_y: str, name_of_x: str = "") -> str:
        """The whole chart as one `<svg>` element, with ticks along y.

        Args:
            marks: what `line`, `mark`, `text` and `bar` return.
            alt: what the chart shows now, in words.
            name_of_y: stands above the axis.
            name_of_x: stands below the chart.
        """
        names = [_text(4, 14, name_of_y, "start"), _text(WIDTH - RIGHT, self.height - 4, name_of_x, "end")]
        return self.wrap([*map(self._tick, _ticks(*self.y)), *marks, *names], alt)

    def wrap(self, marks: Sequence[str], alt: str) -> str:
        """Marks as one `<svg>` element that says in words what it shows."""
        head = f'<svg viewBox="0 0 {WIDTH} {self.height}" role="img" aria-label="{escape(alt)}" '
        style = f'style="width:100%;max-width:540px;display:block;font:{TEXT}px sans-serif" fill="currentColor">'
        return "".join([head, style, *marks, "</svg>"])

    def rule_down(self, value: float) -> str:
        """A faint line from top to bottom at a number of x, which stands below it."""
        x, end = self.across(value), self.height - BOTTOM
        rule = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{end}" stroke="currentColor" opacity=".18"/>'
        return rule + _text(x, end + 15, f"{value:g}", "middle")

    def _tick(self, value: float) -> str:
        y = self.down(value)
        rule = f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" opacity=".18"/>'
        return rule + _text(LEFT - 6, y + 4, f"{value:g}", "end")


@dataclass(frozen=True)
class Row:
    """One row of a chart of rows: a name above, numbers along a common axis, and what they come to in words.

    Attributes:
        name: of the row.
        method: whose colour its marks have.
        points: (value, shape, whether it is faint).
        interval: a mean with the two ends of its interval, drawn as an upright stroke on a line.
        note: at the right, in figures, what the row shows.
    """

    name: str
    method: str
    points: tuple[tuple[float, str, bool], ...] = ()
    interval: tuple[float, float, float] | None = None
    note: str = ""

    @property
    def values(self) -> list[float]:
        """All numbers that must lie within the chart."""
        return [number for number in (*(point[0] for point in self.points), *(self.interval or ())) if isfinite(number)]


def rows_picture(rows: Sequence[Row], alt: str, *, name_of_x: str, zero: bool = False) -> str:
    """Rows of marks along one axis, as one `<svg>` element; the chart is as high as it has rows.

    Args:
        rows: from the top down.
        alt: what the chart shows now, in words.
        name_of_x: what the numbers are.
        zero: whether a line stands where they are 0.
    """
    values = [value for row in rows for value in row.values] + ([0.0] if zero else [])
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    margin = 0.05 * (high - low) or 1.0
    frame = Frame((low - margin, high + margin), (len(rows), 0), TOP + BOTTOM + ROW * len(rows))
    axis = [frame.rule_down(value) for value in _ticks(*frame.x)] + (
        [frame.bar((0, 0), (0, len(rows)))] if zero else []
    )
    drawn = [mark for index, row in enumerate(rows) for mark in _row(frame, row, index)]
    return frame.wrap([*axis, *drawn, _text(WIDTH - RIGHT, frame.height - 4, name_of_x, "end")], alt)


def _row(frame: Frame, row: Row, index: int) -> list[str]:
    """The name and the note of a row above its marks."""
    named = [
        _text(4, frame.down(index) + 12, row.name, "start"),
        _text(WIDTH - 4, frame.down(index) + 12, row.note, "end"),
    ]
    middle = index + 0.68
    marks = [frame.mark(value, middle, row.method, shape, faint=faint) for value, shape, faint in row.points]
    if row.interval is not None:
        mean, low, high = row.interval
        line = [frame.bar((low, high), (middle, middle))] if isfinite(low) and isfinite(high) else []
        marks = [*line, *marks, frame.bar((mean, mean), (middle - 0.22, middle + 0.22))]
    return named + marks


def hex_colour(method: str) -> str:
    """A method's colour in every figure, as the web writes it."""
    shade: str = to_hex(colour(method))
    return "currentColor" if shade == "#000000" else shade


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _ticks(low: float, high: float) -> list[float]:
    """Four to nine round numbers from `low` to `high`."""
    step = next(
        step for power in (0.01, 0.1, 1, 10, 100) for step in (power, 2 * power, 5 * power) if (high - low) / step < 9
    )
    first = -(-low // step)
    return [round((first + index) * step, 6) for index in range(int((high - first * step) / step + 1e-9) + 1)]
