"""The report as one HTML page."""

import json
from pathlib import Path

from pfs.config.checksums import write_checksums
from pfs.config.files import atomic_write
from pfs.config.load import load_study
from pfs.report.site.pages import report_page, summary
from pfs.study.execution.run import REPORTED, run_page


def write_report(path: str, *, results: str) -> Path:
    """Execute the report and write it as one self-contained HTML page, whose path is returned.

    Args:
        path: the study's file.
        results: folder of all results.

    Raises:
        NotebookError: the notebook failed; one line.
        RecordError: the study has no runs.csv, or that or one of its figures is damaged.
    """
    about = summary(load_study(path), results=results)  # first: it tells what is damaged, before a kernel is started
    executed = run_page(path, "report", results=results)
    cells = json.loads(executed.read_text(encoding="utf-8"))["cells"]
    target = executed.with_suffix(".html")
    atomic_write(target, report_page(about, cells))
    write_checksums(target.with_name(REPORTED), [target])
    return target
