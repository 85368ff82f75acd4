"""The words of walkthrough 1: the loss with its terms filled in, the colours' keys, and what each picture shows."""

from base64 import b64encode
from collections.abc import Sequence

from torch import Tensor

from pfs.report.style import DIVERGING
from pfs.walkthrough.lessons.alike.maps import Reading
from pfs.walkthrough.paint import SEQUENTIAL, as_png, palette_bar

HEADINGS = {"teacher": "Teacher", "ce": "Student alone", "pfs": "Student with PFS"}

Location = tuple[int, int]
Maps = dict[str, Tensor]


def number(value: float) -> str:
    """Three significant digits, and a minus that is one."""
    return f"{value:#.3g}".replace("-", "\N{MINUS SIGN}")


def terms_of(
    maps: Maps, entries: Maps, row_losses: dict[str, float], losses: dict[str, float], at: Location, reading: Reading
) -> str:
    """The loss as a table in HTML: the pair that adds most, the map that is shown, and the image.

    Args:
        maps: network -> its map (h, w) of the location, the teacher's too.
        entries: student -> what each location of the map adds to the loss, (h, w).
        row_losses: student -> the loss of the map.
        losses: student -> the loss of the image.
        at: row and column of the location.
        reading: how the loss is made.
    """
    N = maps["teacher"].numel()
    sign, joined = ("P", "mean") if reading.distance == "squared" else ("q", "sum")
    pairs = [_pair(maps[name], maps["teacher"], values, sign) for name, values in entries.items()]
    lines = {
        f"The pair of i = ({at[0]}, {at[1]}) that adds most": pairs,
        f"This map: the {joined} over its {N} locations j": [f"<b>{number(row_losses[name])}</b>" for name in entries],
        f"PFS: the mean over all {N} maps i": [f"<b>{number(losses[name])}</b>" for name in entries],
    }
    rows = [f"<th scope=row>{head}</th><td>{'</td><td>'.join(cells)}</td>" for head, cells in lines.items()]
    heads = "".join(f"<th scope=col>{HEADINGS[name]}</th>" for name in entries)
    return f"<table class=pfs-terms><tr><td></td>{heads}</tr><tr>{'</tr><tr>'.join(rows)}</tr></table>"


def _pair(student: Tensor, teacher: Tensor, entries: Tensor, sign: str) -> str:
    """What the pair that adds most adds to the loss, as the formula with its numbers."""
    at = int(entries.abs().argmax())
    row, column = divmod(at, entries.shape[1])
    s, t, term = (float(x.flatten()[at]) for x in (student, teacher, entries))
    squared = f"({number(s)} \N{MINUS SIGN} {_in_brackets(t)})²"
    divergence = f"{number(t)} · log({number(t)} / {number(s)})"
    formula = (squared if sign == "P" else divergence).replace(" ", "&nbsp;").replace("·&nbsp;", "· ")
    return f"j = ({row}, {column}): {formula} = {number(term)}"


def _in_brackets(value: float) -> str:
    return f"({number(value)})" if value < 0 else number(value)


def key_of(scale: float, top: float, reading: Reading) -> str:
    """The keys of both rows' colours, in HTML."""
    if reading.distance == "squared":
        maps = _key(DIVERGING, number(-scale), number(scale), "above: similarity, from unlike to like")
        return maps + _key(SEQUENTIAL, "0", number(top), "right: squared difference to the teacher's map")
    maps = _key(SEQUENTIAL, "0", number(scale), "above: share of the similarity; the location's own may be more")
    return maps + _key(DIVERGING, number(-top), number(top), "right: what the location adds to KL")


def _key(palette: str, low: str, high: str, text: str) -> str:
    url = "data:image/png;base64," + b64encode(as_png(palette_bar(palette))).decode()
    return f'<p><img src="{url}" alt=""><span><span>{low}</span><span>{high}</span></span>{text}</p>'


def class_of(label: int, classes: Sequence[str]) -> str:
    """What a pixel shows, in words: "background", "class 5", or that its label is not scored."""
    name = classes[label] if label < len(classes) else "not scored"
    return f"class {name}" if name.isdigit() else name


def describe_map(values: Tensor, at: Location, reading: Reading) -> str:
    """What a map (h, w) shows, in a sentence for those who do not see it."""
    h, w = values.shape
    if reading.distance == "kl":
        row, column = divmod(int(values.argmax()), w)
        return (
            f"Shares of {h} x {w} locations; the largest, {number(float(values.max()))}, at row {row}, column {column}."
        )
    alike = int((values > 0.5 * values.max()).sum())
    row, column = divmod(int(values.argmin()), w)
    return (
        f"Similarity of {h} x {w} locations to row {at[0]}, column {at[1]}: {alike} are more than half as alike as the "
        f"most alike; the most unlike, {number(float(values.min()))}, is row {row}, column {column}."
    )


def describe_entries(values: Tensor, row_loss: float, reading: Reading) -> str:
    """What a picture of what each location adds to the loss (h, w) shows, in a sentence."""
    row, column = divmod(int(values.abs().argmax()), values.shape[1])
    joined = "mean" if reading.distance == "squared" else "sum"
    most = number(float(values.flatten()[values.abs().argmax()]))
    return f"The {joined} is {number(row_loss)}; row {row}, column {column} adds most, {most}."
