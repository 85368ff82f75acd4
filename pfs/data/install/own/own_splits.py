"""Which images of a user's folder are train, val and test, where the folder does not say it.

It is the sha256 of an image's name that decides: as good as drawn, and the same on every machine and at every time.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pfs.data.dataset import SPLITS, DatasetError
from pfs.data.install.own.layout import Item

SHARES = (70, 15, 15)  # per cent of train, val and test


def with_splits(source: Path, items: Sequence[Item], shares: tuple[int, ...]) -> tuple[list[Item], str]:
    """The items, each with a split, and words that say how many each split has and who said so.

    A folder's own train and val stay as they are. Where it has a test and no val, val is taken from train.

    Args:
        source: the user's folder.
        items: its images.
        shares: per cent of train and val, and of test where there are three; empty: 70, 15 and 15.

    Raises:
        DatasetError: there is nothing to train on, there are too few images, or the folder has splits of its own and
            shares are given.
    """
    own = {item.split for item in items}
    if {"train", "val"} <= own and None not in own:
        if shares:
            raise DatasetError(f"{source} has train and val of its own: leave --split out")
        return list(items), f"its own splits: {_counts(items)}"
    if own not in ({None}, {"train"}, {"train", "test"}):
        has = ", ".join(sorted(split or "images of no split" for split in own))
        raise DatasetError(f"{source} has {has}, so nothing says what is train: put all images under train and val")
    train, val, *test = shares or SHARES
    kept = [item for item in items if item.split == "test"]
    drawn = _draw(
        source, [item for item in items if item.split != "test"], (train, val) if kept else (train, val, *test)
    )
    rule = "val drawn from train" if kept else f"no val, so split {'/'.join(map(str, (train, val, *test)))}"
    return [*drawn, *kept], f"{rule} by the sha256 of names: {_counts([*drawn, *kept])}"


def _draw(source: Path, items: Sequence[Item], shares: tuple[int, ...]) -> list[Item]:
    """Give each image a split: of the lowest sha256 are test, then val, then train."""
    order = sorted(items, key=lambda item: hashlib.sha256(item.image.stem.encode()).digest())
    counts = [max(1, round(len(items) * share / sum(shares))) for share in shares[1:]]
    if len(items) <= sum(counts):
        raise DatasetError(f"{source} has {len(items)} images with a mask: too few to have train, val and test of them")
    splits = [split for split, count in zip(SPLITS[1:], counts, strict=False) for _ in range(count)][::-1]
    splits += ["train"] * (len(items) - len(splits))
    drawn = [replace(item, split=split) for item, split in zip(order, splits, strict=True)]
    return sorted(drawn, key=lambda item: item.image)


def _counts(items: Sequence[Item]) -> str:
    counts = Counter(item.split for item in items)
    return ", ".join(f"{counts[split]} {split}" for split in SPLITS if counts[split])
