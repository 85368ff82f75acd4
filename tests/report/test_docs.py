"""README.md and docs/ say what the results and the code say, and their examples run."""

import re
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from pfs.__main__ import main
from pfs.config.base import StudyError
from pfs.config.data import OwnFolderConfig
from pfs.config.files import repository
from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.report.docs.blocks import BLOCK, blocks, draw_method, filled, pages
from pfs.report.docs.keys import NO_MEANING, TABLES, table
from pfs.report.docs.schema import keys_of
from pfs.report.statistics import findings, read_runs

ROOT = repository()
DOCS = ROOT / "docs"
TEXTS = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in pages(ROOT)}
TEXTS["data/README.md"] = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
TEXTS["results/camvid_cpu/README.md"] = (ROOT / "results" / "camvid_cpu" / "README.md").read_text(encoding="utf-8")
LINKS = [
    (page, link) for page, text in TEXTS.items() for link in sorted(set(re.findall(r"\]\((?!http)([^)]+)\)", text)))
]
CODE = " ".join(re.findall(r"`[^`]+`|```.*?```", " ".join(TEXTS.values()), re.DOTALL))


def prose(text: str) -> str:
    """A page without generated blocks, tables, code, identifiers of papers and versions of Python."""
    for pattern in (BLOCK.pattern, r"```.*?```", r"^\|.*?$", r"`[^`]*`", r"arXiv\s+\d+\.\d+", r"Python \d\.\d+"):
        text = re.sub(pattern, "", text, flags=re.DOTALL | re.MULTILINE)
    return text


# --- generated blocks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", pages(ROOT), ids=lambda page: page.name)
def test_the_blocks_are_up_to_date(page: Path) -> None:
    assert filled(page, blocks(ROOT)) == page.read_text(encoding="utf-8"), "run: make docs"


def test_every_block_stands_on_some_page() -> None:
    assert {name for text in TEXTS.values() for name, _, _ in BLOCK.findall(text)} == set(blocks(ROOT))


def test_the_diagram_is_the_one_that_the_code_draws(tmp_path: Path) -> None:
    draw_method(ROOT, tmp_path)
    drawn, kept = (matplotlib.image.imread(folder / "method.png") for folder in (tmp_path, DOCS))
    np.testing.assert_allclose(drawn, kept, atol=0.02, err_msg="run: make docs")


@pytest.mark.parametrize("text", ["<!-- generated: a -->\n", "<!-- end -->\n", "<!-- generated: a --><!-- end -->\n"])
def test_a_block_without_its_end_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "page.md").write_text(text)
    with pytest.raises(StudyError, match=r"page\.md: each .* needs an .* of its own"):
        filled(tmp_path / "page.md", {"a": lambda old: old})


def test_an_unknown_block_is_told_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("<!-- generated: kernel -->\n<!-- end -->\n")
    with pytest.raises(StudyError, match=r"no block 'kernel'; did you mean kernels\?"):
        filled(tmp_path / "page.md", {"kernels": lambda old: old})


def test_the_command_writes_what_is_behind(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pfs.report.docs.blocks.write_docs", lambda root: [root / "docs" / "cost.md"])
    assert main(["docs"]) == 0
    assert capsys.readouterr().out == "docs/cost.md has changed\ndocs are up to date\n"


def test_no_torch() -> None:
    """The pages are made in a second or two: nothing that they need imports torch."""
    code = "import sys, pfs.report.docs.blocks; print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert answer == "False\n"


# --- the keys of the YAML -----------------------------------------------------------------------------------


def test_every_key_has_a_meaning() -> None:
    assert NO_MEANING not in TEXTS["docs/write-a-study.md"]


def test_a_table_keeps_meanings_and_renews_the_rest() -> None:
    made = table("augmentation", "| `flip` | old | old | whether it is so |\n")
    assert "| `flip` | true or false | `true` | whether it is so |\n" in made
    assert f"| `count` | whole number, at least 1 | `10` | {NO_MEANING} |\n" in made


def test_a_meaning_of_a_key_that_is_gone_is_told() -> None:
    with pytest.raises(StudyError, match="there is no key flop: rename or delete its row"):
        table("augmentation", "| `flop` | x | x | gone |\n")


def test_the_tables_have_every_key_that_a_study_has() -> None:
    """Keys are counted in the schema of the whole study, which the tables are not made from."""
    blocks_of_yaml = Study.model_json_schema()["$defs"].values()
    every = {key for block in blocks_of_yaml for key in block.get("properties", {})} | set(Study.model_fields)
    shown = {key.name.rpartition(".")[2] for keys in TABLES.values() for key in keys}
    assert every - shown == {"name"} - shown
    assert [key.default for key in keys_of(Study) if key.name in ("data", "augmentation")] == ["required", "none"]


# --- what is said in prose ----------------------------------------------------------------------------------

# Decimals that no table holds: 2.7 epochs are 1,000 steps of 16 of 6,000 images; a measured memory; the aims of a step.
SAID = {"docs/results.md": {"2.7"}, "docs/data.md": {"12.7"}, "docs/cost.md": {"1.10", "1.03"}}


@pytest.mark.parametrize("page", ["README.md", "docs/results.md", "docs/data.md", "docs/cost.md"])
def test_decimals_in_prose_stand_in_a_table_of_the_page(page: str) -> None:
    tables = " ".join(content for _, _, content in BLOCK.findall(TEXTS[page]))
    decimals = set(re.findall(r"\d+\.\d+", prose(TEXTS[page])))
    assert decimals - SAID.get(page, set()) <= set(re.findall(r"\d+\.\d+", tables))


@pytest.mark.parametrize(
    ("study", "method", "reference", "verdict"),
    [
        *[("digits", method, "ce", "above") for method in ("kd", "fitnet", "cwd", "pfs", "wsp", "pfs_wsp")],
        *[("digits", "pfs_wsp", reference, "above") for reference in ("kd", "pfs")],
        *[("digits", "pfs_wsp", reference, "open") for reference in ("wsp", "fitnet")],
        ("digits", "pfs_wsp", "cwd", "below"),
        *[("digits", "wsp", "kd", "open"), ("digits", "pfs", "skd", "open")],
        *[("digits_baselines", method, "ce", "open") for method in ("hard_pixels", "sp", "ifvd")],
        *[("digits_baselines", method, "ce", "above") for method in ("at", "student_gap")],
        *[("camvid_cpu_long", "pfs_wsp", reference, "below") for reference in ("pfs", "kd")],
    ],
)
def test_what_the_pages_say_of_comparisons_holds(study: str, method: str, reference: str, verdict: str) -> None:
    runs = read_runs(ROOT / "results" / study)
    made = {(one.method, one.reference): one for one in findings(runs, load_study(f"studies/{study}.yaml"))}
    finding = made[method, reference]
    side = "above" if finding.difference.mean > 0 else "below"
    assert (side if finding.excludes_zero else "open") == verdict


def test_no_interval_excludes_0_on_camvid_after_the_longer_schedule() -> None:
    study = load_study("studies/camvid_cpu_long.yaml")
    made = findings(read_runs(ROOT / "results" / study.name), study)
    assert not [one.method for one in made if one.reference == "ce" and one.excludes_zero]


@pytest.mark.parametrize("study", ["digits", "digits_baselines", "camvid_cpu", "camvid_cpu_long", "camvid_cpu_weights"])
def test_the_committed_runs_are_of_commits_without_changes(study: str) -> None:
    assert not read_runs(ROOT / "results" / study)["dirty"].any()


# --- links and examples -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_links_lead_somewhere(page: str, link: str) -> None:
    path, _, anchor = link.partition("#")
    target = (ROOT / page).parent / path if path else ROOT / page
    assert target.exists()
    if anchor:
        headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_an_ablation_in_six_lines_is_a_study(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", TEXTS["docs/write-a-study.md"], re.DOTALL)
    assert len(example.splitlines()) == 6
    (tmp_path / "digits.yaml").write_text((ROOT / "studies" / "digits.yaml").read_text())
    (tmp_path / "my_weights.yaml").write_text(example)
    study = load_study(tmp_path / "my_weights.yaml")
    assert (study.teacher_study, study.seeds, list(study.methods)) == ("digits", [0, 1, 2], ["ce", "pfs_2", "pfs_8"])


def test_three_lines_make_a_study_of_ones_own_data(tmp_path: Path) -> None:
    (expression,) = re.findall(r"sed '(s[^']+)' studies/mine.yaml > studies/flowers.yaml", TEXTS["docs/data.md"])
    _, pattern, replacement, _ = expression.split("/")
    file = tmp_path / "flowers.yaml"
    file.write_text((ROOT / "studies" / "mine.yaml").read_text().replace(pattern, replacement))
    assert load_study(file).data == OwnFolderConfig(name="folder", folder="flowers")


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make ([a-z]+[a-z0-9-]*)", CODE))))
def test_commands_exist(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
