"""The generated blocks of README.md and docs/*.md: what stands between `<!-- generated: NAME -->` and `<!-- end -->`.

`pfs docs` writes them anew, and draws the figures of docs/; a test tells when a page is behind results or code. No
torch here.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from pfs.config.base import StudyError, suggest
from pfs.config.files import atomic_write
from pfs.report.docs import camvid, contrasts, costs, scores
from pfs.report.docs.claims.definitions import Claims, Contrast, load_claims
from pfs.report.docs.claims.ledger import ledger
from pfs.report.docs.claims.text import sentences, summary, verdict_table
from pfs.report.docs.drawings.ablations import ablations_figure, read_ablations
from pfs.report.docs.drawings.method import method_figure
from pfs.report.docs.keys import tables as keys
from pfs.report.docs.tries import tries
from pfs.report.style import save

Block = Callable[[str], str]  # from what the block holds to what it should hold

BLOCK = re.compile(r"(?<=<!-- generated: )([a-z0-9_-]+)( -->\n)(.*?)(?=<!-- end -->)", re.DOTALL)
# The studies whose main table stands on a page; those whose verdicts do, as sentences; and those of README.md, as
# tables.
SHOWN = ("quick", "digits_main", "digits_main_stage3", "digits_long", "camvid_pretrained", "digits")
JUDGED = ("digits_main", "digits_long", "camvid_pretrained", "digits", "camvid_cpu", "camvid_cpu_long")
JUDGED_FIRST = ("quick", "digits_main", "camvid_pretrained")
# What docs/protocol.md has compared across two studies: PFS on the third stage with what it would replace, the other
# methods that compare features with themselves on the last stage, and all with CWD.
EARLIER_STAGE = (
    *(("pfs", "pfs"), ("fitnet", "fitnet"), ("nfd", "nfd"), ("pfs", "pfs_wsp")),
    *(("pfs", "cwd"), ("fitnet", "cwd"), ("nfd", "cwd")),
)
# The gains of `digits_long`, which stand beside those of `digits_main` before the contrasts of the claims.
LONGER = tuple((method, "ce") for method in ("kd", "cwd", "pfs", "wsp", "student_gap", "pfs_wsp"))
OTHER_TEACHERS = ("digits_teacher_seed", "digits_teacher_width")
FRESH = 3  # the first seed with which no study before the protocol scored students on the test scenes
SHOWN_SCENE = 6  # of digits' examples: the student alone takes two digits for one, and the teacher tells them apart


def pages(root: Path) -> list[Path]:
    """The pages of a clone that may hold generated blocks."""
    return [root / "README.md", *sorted((root / "docs").glob("*.md")), *sorted((root / "results").glob("*/README.md"))]


def blocks(root: Path) -> dict[str, Block]:
    """Every block by its name, for the clone whose root is given."""
    results, claims = root / "results", load_claims()
    pairs = _contrasts("digits_main", claims)
    longer = list(dict.fromkeys([*LONGER, *_contrasts("digits_long", claims)]))
    tables = {name: scores.main_table_of(name, results) for name in SHOWN}
    tables |= {
        "fresh-seeds": contrasts.beside_fresh_seeds("digits_main", FRESH, pairs, results),
        "stage3": contrasts.across_studies("digits_main_stage3", "digits_main", EARLIER_STAGE, FRESH, results),
        "teachers": contrasts.beside_other_teachers("digits_main", OTHER_TEACHERS, pairs, results),
        "longer": contrasts.beside_another_schedule("digits_main", "digits_long", longer, results),
        "on-the-way": contrasts.on_the_way("digits_long", 5, results),
        "comparisons": scores.comparisons(results),
        "first-looks": scores.first_looks(results),
        "schedules": scores.schedules("camvid_cpu_long", results),
        "baselines": scores.to_the_reference("digits_baselines", results),
        "camvid-shifts": camvid.shifts(results),
        "camvid-areas": camvid.areas("camvid_pretrained", results),
        "camvid-sequences": camvid.sequences("camvid_pretrained", results),
        "origins": scores.origins(results),
        "kernels": costs.kernels(results / "benchmark"),
        "steps": costs.steps(results / "benchmark"),
        "devices": costs.devices(results / "benchmark"),
        "paces": costs.paces(results / "benchmark"),
        "starts": costs.starts(results / "benchmark"),
        "runs": costs.runs(results),
    }
    tuned = {
        f"tries-{path.parent.name}": tries(path.parent.name, results) for path in results.glob("*_tuning*/runs.csv")
    }
    texts = tables | _verdicts(claims, results) | tuned
    made: dict[str, Block] = {name: partial(_instead, table) for name, table in texts.items()}
    return made | {f"keys-{name}": partial(keys.table, name) for name in keys.TABLES}


def _verdicts(claims: Claims, results: Path) -> dict[str, str]:
    """The blocks that say what the runs allow to be said of the claims: of all studies, and of single ones."""
    table = ledger(claims, results)
    tables = {f"verdicts-{name}": verdict_table(name, claims, table) for name in JUDGED_FIRST}
    texts = {f"claims-{name}": sentences(name, claims, table) for name in JUDGED}
    return {"claims": summary(claims, table)} | tables | texts


def _contrasts(study: str, claims: Claims) -> list[Contrast]:
    """The contrasts in test mIoU of all claims that the protocol has the study test, each once."""
    tested = [claim for claim in claims.claims.values() if study in claim.studies and claim.measure == "miou"]
    return list(dict.fromkeys(pair for claim in tested for pair in claim.pairs))


def _instead(table: str, _: str) -> str:
    return table


def filled(page: Path, made: Mapping[str, Block]) -> str:
    """The text of a page with all its blocks as they should be.

    Args:
        page: a Markdown file.
        made: `blocks`.

    Raises:
        StudyError: the page names a block that there is not, or a block lacks its end; one line.
    """
    text = page.read_text(encoding="utf-8")
    found = BLOCK.findall(text)
    if len(found) != text.count("<!-- generated: ") or len(found) != text.count("<!-- end -->"):
        raise StudyError(f"{page}: each `<!-- generated: NAME -->` line needs an `<!-- end -->` of its own after it")
    for name, _, _ in found:
        if name not in made:
            raise StudyError(f"{page}: there is no block {name!r}{suggest(name, list(made))}")
    return BLOCK.sub(lambda block: f"{block[1]}{block[2]}{made[block[1]](block[3])}", text)


def write_docs(root: Path) -> list[Path]:
    """Bring all pages up to date, and draw docs/method and docs/ablations as PNG and PDF.

    Returns:
        The pages that have changed.
    """
    made = blocks(root)
    texts = {page: filled(page, made) for page in pages(root)}  # all of them before the first is written
    changed = [page for page, text in texts.items() if text != page.read_text(encoding="utf-8")]
    for page in changed:
        atomic_write(page, texts[page])
    draw(root, root / "docs")
    return changed


def draw(root: Path, folder: Path) -> None:
    """Draw into a folder, from committed results, the diagram of the method and the figure of the ablations."""
    examples = dict(np.load(root / "results" / "digits" / "examples.npz"))
    save(method_figure(examples, SHOWN_SCENE), folder, "method")
    save(ablations_figure(read_ablations(root / "results")), folder, "ablations")
