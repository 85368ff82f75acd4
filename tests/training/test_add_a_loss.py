"""The three edits of `docs/write-a-study.md`, "Add a loss", make a loss a term; a forgotten one is told."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SECTION = (ROOT / "docs" / "write-a-study.md").read_text(encoding="utf-8").split("## Add a loss")[1]
EDITS = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", SECTION, re.DOTALL))
BASELINES, METHODS, OBJECTIVE = "pfs/losses/baselines.py", "pfs/config/methods.py", "pfs/training/objective.py"
# Runs the tests of `tests/training/test_terms.py` that hold the ties, against the edited copy; prints the first error.
CHECK = """
import torch
from tests.training import test_terms as terms
try:
    terms.test_every_term_has_one_loss_and_every_loss_a_term()
    terms.test_every_class_of_a_term_is_a_field_of_the_method()
    terms.test_the_options_of_a_term_are_those_of_its_loss_with_the_same_defaults("matching")
except AssertionError as error:
    raise SystemExit(f"told: {error}")
generator = torch.Generator().manual_seed(0)
student, teacher = (terms.Prediction(*torch.randn(2, 2, 4, 8, 8, generator=generator)) for _ in range(2))
target = torch.zeros(2, 8, 8, dtype=torch.int64)
for answer in (student, teacher):
    print(float(terms.loss_of((answer, teacher, target), "matching", center=False)))
"""


def apply(clone: Path, forgotten: str) -> None:
    """Make the edits of the page in a copy of `pfs`, but for one that is forgotten."""
    block, field = EDITS[METHODS].split("class Method(Strict):\n")
    rewrite(clone / BASELINES, r"\Z", "\n\n" + EDITS[BASELINES])
    if forgotten == "option":
        rewrite(clone / BASELINES, r"\*, center: bool = True\) -> Tensor", "*, centre: bool = True) -> Tensor")
    rewrite(clone / METHODS, r"(?=class Method\(Strict\):)", block)
    if forgotten != "field":
        rewrite(clone / METHODS, r"(?=\n    @property\n    def terms)", field)
    if forgotten != "tie":
        rewrite(clone / OBJECTIVE, r"\nfrom pfs.losses.baselines import \(", r"\g<0>matching_loss,")
        rewrite(clone / OBJECTIVE, r"\nfrom pfs.config.methods import \(", r"\g<0>Matching,")
        rewrite(clone / OBJECTIVE, r"\nOF_LOGITS: .*\n", "\n" + EDITS[OBJECTIVE])


def rewrite(file: Path, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, file.read_text(encoding="utf-8"))
    assert count, f"{pattern} is not in {file}"
    file.write_text(text, encoding="utf-8")


def check(clone: Path, forgotten: str = "") -> subprocess.CompletedProcess[str]:
    shutil.copytree(ROOT / "pfs", clone / "pfs", ignore=shutil.ignore_patterns("__pycache__"))
    apply(clone, forgotten)
    paths = {"PYTHONPATH": os.pathsep.join([str(clone), str(ROOT)]), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", CHECK]
    return subprocess.run(command, cwd=clone, env=os.environ | paths, capture_output=True, text=True, check=False)


def test_the_page_names_one_edit_for_each_place() -> None:
    assert list(EDITS) == [BASELINES, METHODS, OBJECTIVE]


def test_the_edits_of_the_page_make_a_loss(tmp_path: Path) -> None:
    done = check(tmp_path)
    assert done.returncode == 0, done.stderr
    apart, alike = map(float, done.stdout.split())
    assert apart > 0.1 and abs(alike) < 1e-6


@pytest.mark.parametrize(
    ("forgotten", "told"),
    [
        ("tie", "Matching is a term of Method without a loss"),
        ("field", "Matching has a loss in pfs/training/objective.py and is no term"),
        ("option", "matching: the loss has {'centre': True}, its term {'center': True}"),
    ],
)
def test_a_forgotten_edit_is_told(forgotten: str, told: str, tmp_path: Path) -> None:
    done = check(tmp_path, forgotten)
    assert done.returncode == 1
    assert told in done.stderr
