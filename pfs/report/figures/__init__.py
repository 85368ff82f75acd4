"""The figures of a study's numbers, each a function from tables to a matplotlib Figure. No torch here.

No figure goes through pyplot, so none leaves global state behind: a notebook says `%matplotlib inline` once,
and shows a figure by ending a cell with it.
"""

from pfs.report.figures.classes import class_figure
from pfs.report.figures.curves import curves_figure, macs_figure
from pfs.report.figures.files import drawing
from pfs.report.figures.history import history_figure
from pfs.report.figures.methods import methods_figure, schedules_figure
from pfs.report.figures.places import gaps_figure, places_figure

__all__ = [
    "class_figure",
    "curves_figure",
    "drawing",
    "gaps_figure",
    "history_figure",
    "macs_figure",
    "methods_figure",
    "places_figure",
    "schedules_figure",
]
