"""The report as one HTML page."""

from pathlib import Path

from pfs.config.checksums import write_checksums
from pfs.config.files import atomic_write
from pfs.study.execution.run import REPORTED, run_page


def write_report(path: str, *, results: str) -> Path:
    """Execute the report and write it as one self-contained HTML page, whose path is returned."""
    from nbconvert import HTMLExporter

    executed = run_page(path, "report", results=results)
    # Without these addresses the page asks nothing of the network.
    exporter = HTMLExporter(embed_images=True, mathjax_url="", require_js_url="", mermaid_js_url="", exclude_input=True)
    page, _ = exporter.from_filename(str(executed))
    target = executed.with_suffix(".html")
    atomic_write(target, page)
    write_checksums(target.with_name(REPORTED), [target])
    return target
