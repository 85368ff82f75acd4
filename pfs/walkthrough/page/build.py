"""Writes the page: walkthrough 1 as one HTML file, with its data, its script and its style in it.

The features are embedded in fp16, as `walkthrough.npz` has them, so that the page's numbers are those of the notebook.
"""

import hashlib
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pfs.config.files import atomic_write
from pfs.report.style import DIVERGING
from pfs.walkthrough.arrays import Walkthrough
from pfs.walkthrough.lessons.alike.maps import clearest_place
from pfs.walkthrough.lessons.alike.texts import HEADINGS
from pfs.walkthrough.paint import SEQUENTIAL, as_png, colour_table, palette_bar
from pfs.walkthrough.pointer.widget import SCRIPT, STYLE

_HERE = Path(__file__).parent


def write_page(walkthrough: Walkthrough, file: Path) -> None:
    """Write the page, whole; equal data give equal bytes.

    Args:
        walkthrough: with features of the teacher, of the student alone ("ce") and of the student with PFS ("pfs").
        file: where it goes.
    """
    templates = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    start = clearest_place(walkthrough)
    script = f"\n{SCRIPT.read_text(encoding='utf-8').replace('export default { render };', '')}\n{_text('page.js')}"
    style = f"\n{STYLE.read_text(encoding='utf-8')}\n{_text('page.css')}"
    page = templates.get_template("page.html.j2").render(
        script=script,
        style=style,
        policy=f"default-src 'none'; img-src data:; script-src {_allowed(script)}; style-src {_allowed(style)}",
        data=json.dumps({**_data(walkthrough), "start": start}),
        start=start,
        headings=HEADINGS,
        images=[_url(as_png(image)) for image in walkthrough.images],
        bars=[_url(as_png(palette_bar(name))) for name in (DIVERGING, SEQUENTIAL)],
        snapshots=walkthrough.snapshots,
        record=walkthrough.record,
        commits=sorted({walkthrough.record["runs"][network]["commit"] for network in HEADINGS}),
    )
    atomic_write(file, page)


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _allowed(content: str) -> str:
    """The source that lets a browser take this script or style from the page itself, and no other."""
    return f"'sha256-{b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _url(png: bytes) -> str:
    return f"data:image/png;base64,{b64encode(png).decode()}"


def _data(walkthrough: Walkthrough) -> dict[str, Any]:
    """What the script computes with: features in fp16, labels, and the colours, as text."""
    layer = walkthrough.record["layer"]
    steps = {
        network: [str(step) for step in walkthrough.snapshots if network != "teacher"] + ["end"] for network in HEADINGS
    }
    return {
        "headings": HEADINGS,
        "classes": walkthrough.classes,
        "size": walkthrough.labels.shape[1:],
        "grid": walkthrough.features("teacher").shape[2:],
        "labels": b64encode(walkthrough.labels.astype("uint8").tobytes()).decode(),
        "features": {
            network: {step: _features(walkthrough, layer, network, step) for step in named}
            for network, named in steps.items()
        },
        "colours": [b64encode(colour_table(name).tobytes()).decode() for name in (DIVERGING, SEQUENTIAL)],
    }


def _features(walkthrough: Walkthrough, layer: str, network: str, step: str) -> dict[str, Any]:
    """The features (S, C, h, w) of a network after a step: C, and the numbers in fp16, the least byte first."""
    name = f"features/{layer}/{network}" + ("" if step == "end" else f"/{step}")
    array = walkthrough.arrays[name].astype("<f2")
    return {"channels": array.shape[1], "fp16": b64encode(array.tobytes()).decode()}
