"""Walkthrough 2, "Whom to listen to?": what KD and WSP teach the student at each pixel of an image."""

from pfs.walkthrough.lessons.whom.exercises import check_doubt, check_limit, check_scale, check_silent
from pfs.walkthrough.lessons.whom.explorer import Explorer
from pfs.walkthrough.lessons.whom.numbers import (
    Pair,
    gradient,
    image_of_most_errors,
    label_probability,
    regions,
    shares,
    weights,
)

__all__ = [
    "Explorer",
    "Pair",
    "check_doubt",
    "check_limit",
    "check_scale",
    "check_silent",
    "gradient",
    "image_of_most_errors",
    "label_probability",
    "regions",
    "shares",
    "weights",
]
