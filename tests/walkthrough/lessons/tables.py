"""Reads the tables and the pictures that widgets show."""

import io

import numpy as np
import numpy.typing as npt
from bs4 import BeautifulSoup
from PIL import Image


def cells(html: str) -> dict[str, list[str]]:
    """The texts of a table's rows by their names, without the name."""
    rows = BeautifulSoup(html, "html.parser").select("tbody tr")
    return {row.th.get_text(): [cell.get_text() for cell in row.find_all("td")] for row in rows if row.th}


def caption(html: str) -> str:
    """The caption of a table."""
    found = BeautifulSoup(html, "html.parser").caption
    assert found is not None
    return found.get_text()


def pixels(png: bytes) -> npt.NDArray[np.uint8]:
    """A PNG as an array."""
    return np.asarray(Image.open(io.BytesIO(png)))
