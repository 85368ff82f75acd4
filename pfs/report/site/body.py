"""An executed notebook as the body of a page: its prose and what its cells display, without code and prompts."""

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from html import escape
from itertools import chain, count
from pathlib import Path
from typing import Any, NamedTuple

import mistune
from bs4 import BeautifulSoup, Tag
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

NARROW = "(max-width: 44rem)"  # screens on which a figure of a page's width would be too small; so says style.css
OMITTED = "remove_cell"  # the tag of a cell that stays in the notebook and is not on the page; nbconvert's own word


class Entry(NamedTuple):
    """An entry of the contents list: a section's title, and the id of its heading."""

    title: str
    anchor: str


class Body(NamedTuple):
    """The sections of a page as HTML, and the list of them."""

    html: str
    contents: list[Entry]


def body(cells: Iterable[Mapping[str, Any]]) -> Body:
    """The page's body from a notebook's cells.

    Every second-level heading has an entry in the contents list, every table names what its header cells head, and
    tables and figures stand in boxes that scroll on narrow screens.

    Args:
        cells: in the notebook format, with their outputs.
    """
    kept = [cell for cell in cells if OMITTED not in cell["metadata"].get("tags", [])]
    page = BeautifulSoup("\n".join(_cell(cell) for cell in kept), "html.parser")
    for table in page.find_all("table"):
        _complete_table(page, table)
    for shown in page.find_all("img"):
        whole = shown.find_parent("picture")
        _box(page, whole if isinstance(whole, Tag) else shown, "figure", str(shown.get("alt", "")))
    contents = _contents(page)  # this gives the headings their ids
    return Body(str(page), contents)


class _Renderer(mistune.HTMLRenderer):
    """Colours code blocks by classes, for which the stylesheet has rules; shows HTML as text, and loads no image.

    Labels, questions and names come from a study's file: whatever stands in them, a page runs and asks for nothing.
    """

    def image(self, text: str, url: str, title: str | None = None) -> str:
        return escape(text)

    def block_code(self, code: str, info: str | None = None) -> str:
        try:
            lexer = get_lexer_by_name((info or "text").split()[0])
        except ClassNotFound:
            return super().block_code(code, info)
        return str(highlight(code, lexer, HtmlFormatter(wrapcode=True)))


def markdown(text: str) -> str:
    """Markdown as HTML; HTML in it is shown as text."""
    return str(mistune.create_markdown(renderer=_Renderer(escape=True), plugins=["table", "url"])(text))


def inline(text: str) -> str:
    """One paragraph of Markdown as HTML, without the paragraph around it."""
    return markdown(text).strip().removeprefix("<p>").removesuffix("</p>")


def image(data: str, alt: str) -> str:
    """An image of the page itself.

    Args:
        data: a PNG file in base64.
        alt: what one sees in it, in words.
    """
    return f'<img alt="{escape(alt)}" src="data:image/png;base64,{"".join(data.split())}">'


def picture(folder: Path, name: str, alt: str) -> str:
    """A figure of a study, in which a narrow screen shows the version for a paper's column, where there is one.

    Args:
        folder: of the study's figures.
        name: of the figure's files, without `_column` and suffix.
        alt: what one sees in it, in words.
    """
    narrow = folder / f"{name}_column.png"
    source = f'<source media="{NARROW}" srcset="data:image/png;base64,{_base64(narrow)}">' if narrow.is_file() else ""
    return f"<picture>{source}{image(_base64(folder / f'{name}.png'), alt)}</picture>"


def _base64(png: Path) -> str:
    return b64encode(png.read_bytes()).decode()


def _cell(cell: Mapping[str, Any]) -> str:
    if cell["cell_type"] == "markdown":
        return markdown("".join(cell["source"]))
    return "\n".join(_output(output) for output in cell.get("outputs", []))


def _output(output: Mapping[str, Any]) -> str:
    """What one output shows, in the richest form that it has."""
    if output["output_type"] == "stream":
        return f"<pre>{escape(''.join(output['text']))}</pre>"
    data = {
        kind: "".join(content) for kind, content in output.get("data", {}).items() if isinstance(content, str | list)
    }
    if "text/markdown" in data:
        return markdown(data["text/markdown"])
    if "image/png" in data:
        metadata = output.get("metadata", {})
        alt = metadata.get("image/png", {}).get("alt") or metadata.get("alt") or ""
        return image(data["image/png"], alt)
    return data.get("text/html") or f"<pre>{escape(data.get('text/plain', ''))}</pre>"


def _complete_table(page: BeautifulSoup, table: Tag) -> None:
    """Give a table's header cells their scope, make the first cell of a row its header, and put it into a box."""
    for style in table.find_previous_siblings("style"):  # pandas' own; the page has a stylesheet
        style.decompose()
    if table.parent is not None and table.parent.name == "div":  # pandas' own too, as narrow as the text
        table.parent.unwrap()
    del table["border"]
    for head in table.select("thead th"):
        head["scope"] = "col"
        head.string = head.get_text().replace(" %", "\N{NO-BREAK SPACE}%")
    for row in table.select("tbody tr"):
        first = row.find(["td", "th"])
        if isinstance(first, Tag):
            first.name = "th"
            first["scope"] = "row"
    headings = ", ".join(filter(None, (head.get_text(strip=True) for head in table.select("thead th"))))
    _box(page, table, "div", f"Table: {headings}")


def _box(page: BeautifulSoup, inside: Tag, kind: str, name: str) -> None:
    """Put a table or an image into a box that scrolls, which the keyboard reaches too."""
    inside.wrap(page.new_tag(kind, attrs={"class": "wide", "role": "group", "tabindex": "0", "aria-label": name}))


def _contents(page: BeautifulSoup) -> list[Entry]:
    """The page's sections; their headings are given ids, each once."""
    entries: list[Entry] = []
    for heading in page.find_all("h2"):
        title = " ".join(heading.get_text().split())
        plain = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "section"
        numbered = (f"{plain}-{number}" for number in count(2))
        taken = {entry.anchor for entry in entries}
        entries.append(Entry(title, next(anchor for anchor in chain([plain], numbered) if anchor not in taken)))
        heading["id"] = entries[-1].anchor
    return entries
