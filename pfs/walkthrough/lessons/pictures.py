"""Pictures with captions as HTML, which stand side by side where there is room."""

import base64
from collections.abc import Sequence
from html import escape


def figures(pictures: Sequence[tuple[bytes, str, str]], width: str = "9rem") -> str:
    """Pictures in a row that breaks: the PNG, the caption and the alternative text of each."""
    shown = "".join(_figure(*one, width) for one in pictures)
    return f'<div style="display:flex;flex-wrap:wrap;gap:0.8rem">{shown}</div>'


def _figure(png: bytes, caption: str, alt: str, width: str) -> str:
    words = f'<figcaption style="font:0.8rem/1.3 system-ui,sans-serif">{escape(caption)}</figcaption>'
    return f'<figure style="margin:0;width:{width}">{image(png, alt)}{words}</figure>'


def image(png: bytes, alt: str, style: str = "width:100%;image-rendering:pixelated") -> str:
    """One picture; its pixels stay sharp where it is enlarged."""
    source = base64.b64encode(png).decode()
    return f'<img alt="{escape(alt)}" style="{style}" src="data:image/png;base64,{source}">'
