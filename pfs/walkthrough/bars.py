"""Tables with a bar under each number, as light HTML: what the walkthroughs show and update in milliseconds.

A bar repeats what its number says, so nothing is told by colour or length alone. The tables take their text colour from
the page, so they are legible on light and dark pages.
"""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

COLOURS = {"teacher": "#56606b", "student": "#0173b2", "kd": "#de8f05", "wsp": "#029e73"}
_STYLE = (
    "border-collapse:collapse;width:100%;max-width:40rem;font:0.85rem/1.25 system-ui,sans-serif;"
    "font-variant-numeric:tabular-nums"
)
_CELL = "padding:0.1rem 0.2rem;text-align:left;border-bottom:1px solid #8884"


class Bar(NamedTuple):
    """A number with its bar.

    Attributes:
        value: what the bar's length shows. Below 0 it goes to the left from the middle of its cell.
        text: the number as it is written.
        largest: the value of a bar as long as its cell, or half of it where `signed`.
        colour: any colour of CSS.
        signed: whether values below 0 occur in this column.
    """

    value: float
    text: str
    largest: float
    colour: str
    signed: bool = False


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str | Bar]]) -> str:
    """A table with a caption; the first cell of each row is its name. Strings are escaped."""
    titles = "".join(f'<th scope="col" style="{_CELL}">{escape(title)}</th>' for title in head)
    body = "".join(f"<tr>{_name(row[0])}{''.join(map(_cell, row[1:]))}</tr>" for row in rows)
    return (
        f'<table style="{_STYLE}"><caption style="text-align:left;padding:0.3rem 0">{escape(caption)}</caption>'
        f"<thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"
    )


def _name(cell: str | Bar) -> str:
    text = cell.text if isinstance(cell, Bar) else cell
    return f'<th scope="row" style="{_CELL};font-weight:normal">{escape(text)}</th>'


def _cell(cell: str | Bar) -> str:
    if isinstance(cell, str):
        return f'<td style="{_CELL}">{escape(cell)}</td>'
    return f'<td style="{_CELL}">{escape(cell.text)}{_drawn(cell)}</td>'


def _drawn(bar: Bar) -> str:
    """The bar alone, hidden from screen readers, who have read its number."""
    length = min(1.0, abs(bar.value) / bar.largest) * (50 if bar.signed else 100) if bar.largest > 0 else 0.0
    left = 0.0 if not bar.signed else 50.0 - (length if bar.value < 0 else 0)
    middle = '<i style="position:absolute;left:50%;top:0;bottom:0;border-left:1px solid currentColor"></i>'
    return (
        '<div aria-hidden="true" style="position:relative;height:0.45rem;min-width:2rem;background:#8882">'
        f'<i style="position:absolute;left:{left:.1f}%;width:{length:.1f}%;top:0;bottom:0;background:{bar.colour}"></i>'
        f"{middle if bar.signed else ''}</div>"
    )
