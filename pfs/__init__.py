"""Distilling pixel-wise feature similarities: the losses, and the study that compares them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def load(folder: str | Path) -> nn.Module:
    """The network of a folder that `pfs export` wrote, in eval mode, on the processor.

    Args:
        folder: the folder.

    Returns:
        A network that takes images (B, 3, H, W), normalised as (colour - 127.5) / 63.75 with colours from 0 to 255, and
        returns a `pfs.losses.Prediction`.

    Raises:
        ExportError: the folder is none of `pfs export`'s, or a file in it is not as it was written.
    """
    from pfs.export.weights import load_network  # torch takes seconds to import

    return load_network(folder)
