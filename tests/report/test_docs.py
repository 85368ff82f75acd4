"""README.md and docs/ say what the results and the code say, and their examples run."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from pfs.__main__ import main
from pfs.bench.forecast import DEVICES
from pfs.config.base import StudyError
from pfs.config.data import OwnFolderConfig
from pfs.config.files import repository
from pfs.config.load import load_study
from pfs.config.study import Study
from pfs.report.docs.blocks import BLOCK, Block, blocks, draw, filled, pages
from pfs.report.docs.camvid import AREAS, areas, sequences
from pfs.report.docs.claims.ledger import steps_to_reach
from pfs.report.docs.contrasts import (
    across_studies,
    beside_another_schedule,
    beside_fresh_seeds,
    beside_other_teachers,
    on_the_way,
)
from pfs.report.docs.drawings.ablations import ablations_figure, read_ablations
from pfs.report.docs.keys.schema import keys_of
from pfs.report.docs.keys.tables import NO_MEANING, TABLES, table
from pfs.report.docs.tries import tries
from pfs.report.statistics import Difference, paired_difference, read_runs, seed_differences
from pfs.report.tables.curves import read_curves
from tests.report.legible import flaws
from tests.report.test_claims import PROVENANCE, write_runs

ROOT = repository()
DOCS = ROOT / "docs"
TEXTS = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in pages(ROOT)}
TEXTS["data/README.md"] = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
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


@pytest.fixture(scope="module")
def made() -> dict[str, Block]:
    """All blocks, which are made once: they read every table."""
    return blocks(ROOT)


@pytest.mark.parametrize("page", pages(ROOT), ids=lambda page: str(page.relative_to(ROOT)))
def test_the_blocks_are_up_to_date(page: Path, made: dict[str, Block]) -> None:
    assert filled(page, made) == page.read_text(encoding="utf-8"), "run: make docs"


def test_every_block_stands_on_some_page(made: dict[str, Block]) -> None:
    assert {name for text in TEXTS.values() for name, _, _ in BLOCK.findall(text)} == set(made)


def test_the_figures_are_those_that_the_code_draws(tmp_path: Path) -> None:
    draw(ROOT, tmp_path)
    drawn = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert set(drawn) == {f"{name}.{kind}" for name in ("method", "ablations") for kind in ("png", "pdf")}
    assert [name for name, content in drawn.items() if content != (DOCS / name).read_bytes()] == [], "run: make docs"


def test_the_ablations_are_legible() -> None:
    assert flaws(ablations_figure(read_ablations(ROOT / "results"))) == []


def test_tries_are_told_with_the_best_of_each_method_and_without_those_that_lack_a_seed(tmp_path: Path) -> None:
    scores = {"ce_6": (48.0, 50.0, 49.0), "ce_12": (51.0, 52.0, 50.0), "ce_24": (70.0, 70.0), "pfs_4_wsp_1": (1.0,) * 3}
    rows = [(name, 100 + index, "val", miou) for name, own in scores.items() for index, miou in enumerate(own)]
    (tmp_path / "digits_tuning").mkdir()
    table = pd.DataFrame(rows, columns=["method", "seed", "split", "miou"])
    table.assign(iou_0=table["miou"], study="digits_tuning", **PROVENANCE).to_csv(
        tmp_path / "digits_tuning" / "runs.csv", index=False
    )
    lines = tries("digits_tuning", tmp_path).splitlines()
    assert "| CE | 0.0015: -, 0.003: -, 0.006: 49.0, 0.012: **51.0**, 0.024: - |" in lines
    assert "| PFS + WSP | 4 and 1: **1.0**, 4 and 4: -, 16 and 1: -, 16 and 4: - |" in lines
    assert "| Standardised KD | 0.25: -, 1: -, 4: -, 16: - |" in lines


def test_methods_of_two_studies_are_compared_by_seed(tmp_path: Path) -> None:
    write_runs(tmp_path, "digits_main", {"cwd": 1.0}, spread=0.001)
    write_runs(tmp_path, "digits_main_stage3", {"pfs": 3.0}, spread=0.001)
    table = across_studies("digits_main_stage3", "digits_main", [("pfs", "pfs"), ("pfs", "cwd")], 3, tmp_path)
    assert "| all seeds [95 %] | seeds 3 to 9 [95 %] |" in table
    assert "| PFS, stage 3 | PFS | +3.0 [+3.0, +3.0] | +3.0 [+3.0, +3.0] |" in table
    assert "| PFS, stage 3 | CWD | +2.0 [+2.0, +2.0] | +2.0 [+2.0, +2.0] |" in table


def test_differences_are_told_over_all_seeds_and_over_the_fresh_ones(tmp_path: Path) -> None:
    write_runs(tmp_path, "digits_main", {"pfs": 3.0}, spread=0.001)
    file = tmp_path / "digits_main" / "runs.csv"
    runs = pd.read_csv(file)
    runs.loc[(runs["method"] == "ce") & (runs["seed"] < 3), ["miou", "iou_0"]] -= 10.0
    runs.to_csv(file, index=False)
    table = beside_fresh_seeds("digits_main", 3, [("pfs", "ce")], tmp_path)
    assert "| all seeds [95 %] | seeds 3 to 9 [95 %] |" in table
    assert re.search(r"\| PFS \| Student alone \(CE\) \| \+6\.0 \[.*\] \| \+3\.0 \[\+3\.0, \+3\.0\] \|", table)


def test_differences_are_told_beside_those_of_other_teachers(tmp_path: Path) -> None:
    gains = {"digits_main": 3.0, "digits_teacher_seed": 2.0, "digits_teacher_width": -1.0}
    for name, gain in gains.items():
        write_runs(tmp_path, name, {"pfs": gain, "teacher": 10 * gain}, spread=0.001)
    file = tmp_path / "digits_main" / "runs.csv"
    runs = pd.read_csv(file)
    runs.loc[(runs["method"] == "ce") & (runs["seed"] < 3), ["miou", "iou_0"]] -= 10.0
    runs.to_csv(file, index=False)
    others = ["digits_teacher_seed", "digits_teacher_width"]
    head, _, teachers, *rows = beside_other_teachers(
        "digits_main", others, [("pfs", "ce"), ("pfs", "skd")], tmp_path
    ).splitlines()
    assert "`digits_main` [95 %] | `digits_main`, seeds 0 to 2 [95 %] | `digits_teacher_seed` [95 %]" in head
    assert teachers == "| teacher's own test mIoU (%) |  | 80.0 | 80.0 | 70.0 | 40.0 |"
    (row,) = rows  # the studies of other teachers have no SKD
    assert re.search(r"\| \+6\.0 \[.*\] \| \+13\.0 \[.*\] \| \+2\.0 \[.*\] \| -1\.0 \[.*\] \|", row)


@pytest.mark.parametrize("column", ["data_checksum", "teacher_checksum"])
def test_methods_of_studies_with_unlike_data_or_teachers_are_not_compared(tmp_path: Path, column: str) -> None:
    for name in ("digits_main", "digits_main_stage3"):
        write_runs(tmp_path, name, {})
    file = tmp_path / "digits_main" / "runs.csv"
    pd.read_csv(file).assign(**{column: "another"}).to_csv(file, index=False)
    with pytest.raises(ValueError, match="digits_main_stage3 and digits_main differ in their data or in the weights"):
        across_studies("digits_main_stage3", "digits_main", [("pfs", "pfs")], 3, tmp_path)


def test_numbers_that_are_no_tries_stay_in_their_titles() -> None:
    table = tries("digits_variants_tuning", ROOT / "results")
    assert all(f"| {title} | " in table for title in ("PFS, to 0 in a line", "PFS + WSP at T = 1", "CWD + PFS"))


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

# Decimals that no table holds: 2.7 epochs are 1,000 steps of 16 of 6,000 images; the aims of a step.
SAID = {"docs/results.md": {"2.7"}, "docs/cost.md": {"1.10", "1.03"}}


@pytest.mark.parametrize("page", ["README.md", "docs/results.md", "docs/data.md", "docs/cost.md"])
def test_decimals_in_prose_stand_in_a_table_of_the_page(page: str) -> None:
    tables = " ".join(content for _, _, content in BLOCK.findall(TEXTS[page]))
    decimals = set(re.findall(r"\d+\.\d+", prose(TEXTS[page])))
    assert decimals - SAID.get(page, set()) <= set(re.findall(r"\d+\.\d+", tables))


# The pages that say what came out. On them a verdict, and a difference, stand in generated blocks alone.
JUDGING = ["README.md", "docs/results.md", "results/camvid_cpu/README.md"]
VERDICT = "suggestive|contradicted|(?:is|are|not|nor) supported|refuted|significant|clearly|cludes 0|no interval"
DIFFERENCE = r"(?<![\w.])[+-]\d+\.\d|\[-?\d"
DEFINED = [  # sentences that say what a word means, or what others say
    "(3) both ideas together gain clearly over strong baselines",
    "An interval that includes 0 says that these seeds do not",
    "the row with +0.0",
]


@pytest.mark.parametrize("page", JUDGING)
@pytest.mark.parametrize("what", [VERDICT, DIFFERENCE], ids=["verdict", "difference"])
def test_verdicts_and_differences_are_generated(page: str, what: str) -> None:
    text = prose(TEXTS[page])
    for sentence in DEFINED:
        text = text.replace(sentence, "")
    links = re.sub(r"\]\([^)]*\)", "]", text)
    assert re.findall(rf".*(?:{what}).*", links) == []


@pytest.mark.parametrize("sentence", ["PFS gains +4.8 points", "it is 0.7 [0.1, 1.3] below", "its interval excludes 0"])
def test_a_typed_verdict_would_be_found(sentence: str) -> None:
    assert re.search(f"{VERDICT}|{DIFFERENCE}", sentence)


def test_what_is_said_of_the_limits_of_the_machine_holds() -> None:
    """docs/cost.md, of the losses' matrix products; docs/machines.md, of a small step that processes share."""
    table = pd.read_csv(ROOT / "results" / "benchmark" / "kernels.csv")
    large = table.query("form == 'ours' and reading == 'squared' and dtype == 'float32' and locations >= 1024")
    speeds = large.query("batch == 1").groupby("channels")["fraction_of_peak"]
    assert speeds.min()[256] > 0.65 and speeds.max()[256] < 0.78
    assert (speeds.min()[[512, 2048]] > 0.8).all()
    shared = (
        pd.read_csv(ROOT / "results" / "benchmark" / "devices.csv").query("processes == 2").groupby("size")["ratio"]
    )
    assert shared.min()[64] >= 2.5 and shared.max()[320] < 1.2


def test_what_is_said_of_an_h100_holds() -> None:
    """docs/cost.md: its share of the peak, and that a student's pace is the slower one."""
    table = pd.read_csv(ROOT / "results" / "benchmark" / "paces.csv")
    assert set(table["device"]) == {"NVIDIA H100 80GB HBM3"}
    share = 1e12 * table["gflop"] / table["milliseconds"] / DEVICES[0].peak
    assert 0.035 < share.min() < share.max() < 0.085
    pace = share.groupby([table["study"], table["network"]]).first().unstack()
    assert (pace["student"] < pace["teacher"]).all()


def test_what_camvid_s_page_says_of_val_holds() -> None:
    """Above the student alone on test in the mean, PFS is below it on val, after both schedules."""
    for name in ("camvid_cpu", "camvid_cpu_long"):
        means = read_runs(ROOT / "results" / name).groupby(["split", "method"])["miou"].mean()
        assert means["test", "pfs"] > means["test", "ce"]
        assert means["val", "pfs"] < means["val", "ce"]


def test_what_camvid_s_page_says_of_pixels_holds() -> None:
    """Imitation raises pixel accuracy and buildings and no mIoU; so do hard pixels, without a teacher."""
    imitating = ["kd", "wsp", "pfs_wsp"]
    for name, methods in (("camvid_cpu", [*imitating, "hard_pixels"]), ("camvid_cpu_long", imitating)):
        means = read_runs(ROOT / "results" / name).query("split == 'test'").groupby("method").mean(numeric_only=True)
        gains = means.loc[methods] - means.loc["ce"]
        assert (gains[["pixel_accuracy", "iou_building"]] > 0).all(axis=None)
        assert (gains["miou"] < 0).all()
        assert (gains.loc[imitating, "iou_pole"] < 0).all()


def test_what_is_said_of_the_ten_seeds_holds() -> None:
    """docs/results.md, of digits_main: its gains, its curves, and its seven fresh seeds."""
    runs = read_runs(ROOT / "results" / "digits_main")
    scores = runs[runs["split"] == "test"].groupby("method")["miou"].mean()
    gains = scores.drop("teacher") - scores["ce"]
    assert all(4 <= gains[method] <= 8 for method in ("kd", "fitnet", "at"))
    assert 1.5 < gains["skd"] < 2.5
    assert gains["hard_pixels"] < 0.5
    curves = read_curves(ROOT / "results" / "digits_main")
    alone = curves[curves["method"] == "ce"].pivot(index="seed", columns="step", values="val_miou")
    assert (alone.idxmax(axis=1) == 1000).all()
    needed = {method: steps_to_reach(curves, method, alone[1000]) for method in gains.index}
    assert all(700 <= needed[method].mean() <= 780 for method in ("pfs", "kd", "fitnet", "pfs_wsp"))
    assert all(needed[method].mean() < 650 for method in ("nfd", "cwd"))
    assert sorted((needed["pfs"] - needed["kd"]).abs()) == [0] * 7 + [100] * 3
    (table,) = [content for name, _, content in BLOCK.findall(TEXTS["docs/results.md"]) if name == "fresh-seeds"]
    rows = [re.findall(r"([+-][\d.]+) \[([+-][\d.]+), ([+-][\d.]+)\]", line) for line in table.splitlines()[2:]]
    assert len(rows) == 20
    assert all((float(both[0]) > 0) == (float(fresh[0]) > 0) for both, fresh in rows)
    over = [[float(low) < 0 < float(high) for _, low, high in row] for row in rows]
    assert sum(fresh and not both for both, fresh in over) == 3


def test_what_is_said_of_an_earlier_stage_holds() -> None:
    """docs/results.md, of digits_main_stage3 beside digits_main, over their ten seeds."""
    last, third = (read_runs(ROOT / "results" / name) for name in ("digits_main", "digits_main_stage3"))
    alone = [table.query("method == 'ce'")[["seed", "split", "miou"]] for table in (last, third)]
    assert alone[0].to_numpy().tolist() == alone[1].to_numpy().tolist()
    on_last, on_third = (table.query("split == 'test'").groupby("method")["miou"].mean() for table in (last, third))
    gained = on_third - on_last
    assert gained["fitnet"] > max(gained["pfs"], gained["nfd"]) > min(gained["pfs"], gained["nfd"]) > 0
    assert 2.5 < gained["pfs"] < 3.5
    assert on_last["pfs_wsp"] < on_third["pfs"] < on_last["cwd"] < min(on_third["fitnet"], on_third["nfd"])
    (block,) = [content for name, _, content in BLOCK.findall(TEXTS["docs/results.md"]) if name == "stage3"]
    fresh = {tuple(row[:2]): row[3] for row in (line.strip("| ").split(" | ") for line in block.splitlines()[2:])}
    over = {pair for pair, cell in fresh.items() if len(set(re.findall(r"[\[ ]([+-])", cell))) == 2}
    assert over == {("PFS, stage 3", "PFS + WSP")}


def test_what_is_said_of_other_teachers_holds() -> None:
    """docs/results.md, of the studies of other teachers beside digits_main, over their three seeds."""
    (table,) = [content for name, _, content in BLOCK.findall(TEXTS["docs/results.md"]) if name == "teachers"]
    _, _, teachers, *rows = [line.strip("| ").split(" | ") for line in table.splitlines()]
    assert float(teachers[2]) > max(map(float, teachers[4:]))
    assert len(rows) == 8
    found = {tuple(row[:2]): [tuple(map(float, re.findall(r"[+-][\d.]+", cell))) for cell in row[3:]] for row in rows}
    assert all(len({mean > 0 for mean, *_ in cells}) == 1 for cells in found.values())
    sure = {(pair, study) for pair, cells in found.items() for study in (1, 2) if cells[study][1] * cells[study][2] > 0}
    assert sure == {(("PFS", "KD"), 1), (("PFS + WSP", "PFS"), 2)}
    beside_cwd = found["PFS + WSP", "CWD"]
    assert beside_cwd[0][0] < min(cell[0] for cell in beside_cwd[1:]) < 0


def test_what_is_said_of_longer_training_holds() -> None:
    """docs/results.md, of digits_long beside the same seeds of digits_main: what is left of the gains at the end."""
    long, main = (read_runs(ROOT / "results" / name) for name in ("digits_long", "digits_main"))
    assert set(main["method"]) - set(long["method"]) == {
        *("fitnet", "nfd", "at", "skd", "dist", "kd_standardized", "hard_pixels")
    }
    main = main[(main["seed"] < 5) | (main["method"] == "teacher")]
    means, before = (runs.query("split == 'test'").groupby("method")["miou"].mean() for runs in (long, main))
    assert 21.5 <= means["ce"] - before["ce"] < 22.5
    assert 9 <= means["teacher"] - before["teacher"] < 9.5
    assert 6 <= means["teacher"] - means["ce"] < 6.5
    assert 18.5 <= before["teacher"] - before["ce"] < 19.5
    methods = set(long["method"]) - {"teacher", "ce"}
    ends = {method: paired_difference(long, method, "ce") for method in methods}
    assert all(one.low < 0 < one.high for one in ends.values())
    assert {method for method in methods if paired_difference(main, method, "ce").low > 0} == methods - {"wsp"}
    assert {method for method, one in ends.items() if one.high > 2} == {"cwd"}
    assert 0.99 < paired_difference(long, "pfs", "kd").high < 1
    assert means.drop("teacher").idxmax() == "cwd"
    assert (seed_differences(long, "cwd", "ce") > 0).all()
    assert paired_difference(long, "pfs_wsp", "cwd").high < 0
    together = [paired_difference(long, "pfs_wsp", other) for other in ("pfs", "wsp", "kd")]
    assert all(one.low < 0 < one.high < 1 for one in together)
    assert -0.1 < means["wsp"] - means["ce"] < 0
    on_val = long.query("split == 'val'").groupby("method")["miou"].mean()
    assert on_val["wsp"] < on_val["ce"]


def test_what_is_said_of_other_intervals_and_of_fewer_steps_after_longer_training_holds() -> None:
    """docs/results.md, of digits_long: what both bootstraps leave out, each gain's change, and the seeds behind C3."""
    evidence = pd.read_csv(ROOT / "results" / "digits_long" / "tables" / "evidence.csv").set_index(
        ["method", "reference"]
    )
    assert (evidence.loc[("cwd", "ce"), ["bca_low", "images_bca_low"]] > 0).all()
    assert evidence.loc[("kd", "ce"), "images_bca_low"] > 0
    assert (evidence.loc[("pfs_wsp", "pfs"), ["bca_high", "images_bca_high"]] < 0).all()
    (block,) = [content for name, _, content in BLOCK.findall(TEXTS["docs/results.md"]) if name == "longer"]
    gains = [line for line in block.splitlines() if "| Student alone (CE) |" in line]
    assert len(gains) == 6
    assert all(float(re.findall(r", ([+-][\d.]+)\]", line)[-1]) < 0 for line in gains)
    curves = read_curves(ROOT / "results" / "digits_long")
    alone = curves[curves["method"] == "ce"].pivot(index="seed", columns="step", values="val_miou")[4000]
    needed = pd.DataFrame({m: steps_to_reach(curves, m, alone) for m in set(curves["method"])})
    best = curves.groupby(["seed", "method"])["val_miou"].max().unstack().drop(columns="ce")
    assert (best.lt(alone, axis=0).all(axis=1)).sum() == 1
    assert ((needed["pfs"] == 4000) & (best["pfs"] >= alone)).sum() == 1
    assert (needed["pfs"] < needed["ce"]).sum() == 3


def test_what_is_said_of_a_head_start_holds() -> None:
    """docs/results.md, of the curves of digits_long: how far the methods are ahead of the labels alone on the way."""
    curves = read_curves(ROOT / "results" / "digits_long").rename(columns={"val_miou": "miou"}).assign(split="val")
    methods = sorted(set(curves["method"]) - {"ce"})
    leads = [
        {method: paired_difference(curves[curves["step"] == step], method, "ce", split="val") for method in methods}
        for step in (800, 1600, 2400, 3200, 4000)
    ]
    assert leads[0]["cwd"].mean > 10
    assert 5 < leads[0]["pfs"].mean < 6
    assert max(leads, key=lambda at_step: at_step["kd"].mean) is leads[1]
    for later, earlier in zip(leads[2:], leads[1:], strict=False):
        assert all(later[method].mean < earlier[method].mean for method in ("kd", "cwd", "pfs"))
    assert all(one.mean < 1 and one.low < 0 for one in leads[-1].values())
    assert not any(at_step[method].low > 0 for at_step in leads for method in ("wsp", "student_gap", "pfs_wsp"))


def test_differences_are_told_beside_those_of_another_schedule(tmp_path: Path) -> None:
    write_runs(tmp_path, "digits_main", {"pfs": 5.0}, spread=0.001)
    write_runs(tmp_path, "digits_long", {"pfs": 2.0}, spread=0.001)
    file = tmp_path / "digits_main" / "runs.csv"
    runs = pd.read_csv(file)
    runs.loc[(runs["method"] == "ce") & (runs["seed"] >= 5), ["miou", "iou_0"]] -= 10.0  # seeds of one study alone
    runs.to_csv(file, index=False)
    pairs = [("pfs", "ce"), ("pfs", "skd")]  # of which digits_long has no SKD
    head, _, row = beside_another_schedule("digits_main", "digits_long", pairs, tmp_path).splitlines()
    assert "| `digits_main`, seeds 0 to 4 [95 %] | `digits_long` [95 %] | change [95 %] |" in head
    assert row.endswith("| +5.0 [+5.0, +5.0] | +2.0 [+2.0, +2.0] | -3.0 [-3.0, -3.0] |")


def test_leads_on_the_way_are_those_of_the_learning_curves(tmp_path: Path) -> None:
    points = [("ce", seed, step, 50.0) for seed in range(3) for step in (2000, 4000)]
    points += [("kd", seed, step, 50.0 + step / 1000 + seed) for seed in range(3) for step in (2000, 4000)]
    (tmp_path / "digits_long").mkdir()
    curves = pd.DataFrame(points, columns=["method", "seed", "step", "val_miou"])
    curves.to_csv(tmp_path / "digits_long" / "curves.csv", index=False)
    head, _, row, *_ = on_the_way("digits_long", 2, tmp_path).splitlines()
    assert head == "| method | step 2,000 [95 %] | step 4,000 [95 %] |"
    assert row == "| KD | +3.0 [+0.5, +5.5] | +5.0 [+2.5, +7.5] |"


def test_what_is_said_of_pretrained_students_holds() -> None:
    """docs/results.md, of camvid_pretrained over its five seeds: what gains, on test and on val."""
    runs = read_runs(ROOT / "results" / "camvid_pretrained")
    test, val = (runs.query(f"split == '{split}'") for split in ("test", "val"))
    gains = {method: seed_differences(test, method, "ce") for method in set(test["method"]) - {"teacher", "ce"}}
    assert (gains["wsp"] > 0).all()
    assert (seed_differences(test, "wsp", "kd") > 0).all()
    assert 1 < gains["wsp"].mean() < 1.5
    assert 0 < gains["kd"].mean() < 0.5
    found = {method: paired_difference(test, method, "ce") for method in gains}
    sure = {method for method, one in found.items() if one.low * one.high > 0}
    assert sure == {"kd", "wsp", "pfs_wsp"} == set(gains) - {"pfs", "cwd", "kd_weighted", "wsp_weighted"}
    means = test.groupby("method")["miou"].mean()
    assert means.drop("teacher").idxmax() == "pfs_wsp"
    assert (seed_differences(test, "pfs_wsp", "wsp") > 0).sum() == 4
    assert not paired_difference(test, "pfs_wsp", "wsp").low > 0
    assert 6.5 < means["teacher"] - means["ce"] < 7.5
    assert 1 / 7 < gains["wsp"].mean() / (means["teacher"] - means["ce"]) < 1 / 5
    for method in ("pfs", "kd", "kd_weighted"):
        on_val = paired_difference(val, method, "ce", split="val")
        assert on_val.low > 0
        assert 0.4 < on_val.mean < 0.6
    assert val.groupby("method")["miou"].mean().drop("teacher").idxmax() == "wsp"
    tries = read_runs(ROOT / "results" / "camvid_weights_tuning").groupby("method")["miou"].mean()
    assert tries["cwd_00625"] > tries[["cwd_025", "cwd_1"]].max() > tries["cwd_4"] > tries["cwd_16"]


def test_what_is_said_of_where_wsp_leads_kd_holds() -> None:
    """docs/results.md, of camvid_pretrained: fences and bicyclists on test, and other classes on val."""
    runs = read_runs(ROOT / "results" / "camvid_pretrained")
    classes = list(runs.filter(like="iou_"))
    means = {split: rows.groupby("method")[classes].mean().T for split, rows in runs.groupby("split")}
    on_test, on_val = (means[split]["wsp"] - means[split]["kd"] for split in ("test", "val"))
    few = ["iou_fence", "iou_bicyclist"]
    assert set(on_test.nlargest(2).index) == set(few)
    assert 0.7 < on_test[few].sum() / on_test.sum() < 0.8
    assert 0.2 < on_test.drop(few).mean() < 0.3
    assert set(on_val.nlargest(3).index) == {"iou_pedestrian", "iou_sign", "iou_pavement"}
    with np.load(ROOT / "results" / "camvid_pretrained" / "test_counts.npz") as arrays:
        pixels = pd.Series(arrays["labelled"].sum(1, dtype=np.int64), classes)
    assert pixels[few].sum() < 0.02 * pixels.sum()


def test_what_is_said_of_what_imitation_shifts_holds() -> None:
    """docs/results.md: with plain imitation rare classes shrink, and weighted by class they do not."""
    runs = read_runs(ROOT / "results" / "camvid_pretrained")
    told = table_of("camvid-areas")
    ratios = {name: dict(zip(AREAS, map(float, cells[2:]), strict=True)) for name, *cells in told}
    alone = ratios["Student alone (CE)"]
    assert 1.9 < alone["pedestrian"] < 2.1
    assert alone["sign"] > 1.6 > max(alone["pole"], alone["fence"]) > min(alone["pole"], alone["fence"]) > 1.4
    assert alone["building"] < 0.9
    rare = set(AREAS) - {"building", "road"}
    val = runs[runs["split"] == "val"].assign(split="test")
    for plain, by_class in (("kd", "kd_weighted"), ("wsp", "wsp_weighted")):
        shrunk, moved = ratios[plain.upper()], ratios[f"{plain.upper()}, class-weighted"]
        assert all(shrunk[name] < alone[name] for name in rare)
        assert sum(shrunk[name] < ratios["Teacher"][name] for name in rare) == 4
        assert all(abs(moved[name] - alone[name]) < 0.12 for name in AREAS)
        on_test, on_val = (_class_difference(rows, plain) for rows in (runs, val))
        assert min(on_test(name).low for name in ("building", "pedestrian", "sign")) > 0
        assert max(on_test("pole").high, on_val("sign").high) < 0 < on_val("building").low
        assert paired_difference(runs, by_class, plain).high < 0
    assert ratios["KD"]["fence"] == 1.0
    assert _class_difference(runs, "kd")("fence").mean < 0
    assert abs(paired_difference(val, "kd_weighted", "kd").mean) < 0.05
    study = load_study(ROOT / "studies" / "camvid_pretrained.yaml")
    for name in ("kd", "wsp"):
        weights = [study.methods[key].terms[name].weight for key in (name, f"{name}_weighted")]
        assert weights[0] == 16 * weights[1]
    tries = read_runs(ROOT / "results" / "camvid_weights_tuning").groupby("method")["pixel_accuracy"].mean()
    assert all(tries[f"{name}_weighted_16"] < tries[f"{name}_16"] for name in ("kd", "wsp"))


def _class_difference(runs: pd.DataFrame, method: str) -> Callable[[str], Difference]:
    """How a method's IoU of a class differs from that of the labels alone, over the seeds, by the class."""
    return lambda name: paired_difference(runs.assign(miou=runs[f"iou_{name}"]), method, "ce")


def test_both_test_sequences_have_the_sign_of_what_is_sure() -> None:
    for _, _, over, *within in table_of("camvid-sequences"):
        mean, low, high = map(float, re.findall(r"[+-][\d.]+", over))
        if low * high > 0:
            assert all(float(cell) * mean > 0 for cell in within)


def test_areas_and_sequences_are_those_of_the_counts() -> None:
    """Against the committed counts, by hand: WSP at its five seeds beside the student alone."""
    with np.load(ROOT / "results" / "camvid_pretrained" / "test_counts.npz") as arrays:
        counts = {name: arrays[name] for name in arrays}
    labelled, hits, wrong = (counts[name].astype(np.int64) for name in ("labelled", "hits", "false_positives"))
    methods = counts["method"]
    building = list(read_runs(ROOT / "results" / "camvid_pretrained").filter(like="iou_")).index("iou_building")
    predicted = (hits + wrong)[building][:, methods == "wsp"].sum(0) / labelled[building].sum()
    (areas,) = [cells for name, *cells in table_of("camvid-areas") if name == "WSP"]
    assert areas[2] == f"{predicted.mean():.2f}"
    gains = {}  # of WSP, by seed: the runs of both methods are in the order of the seeds
    for sequence in ("0001TP", "Seq05VD"):
        images = counts["group"] == sequence
        iou = hits[:, images].sum(1) / (labelled[:, images].sum(1)[:, None] + wrong[:, images].sum(1))
        gains[sequence] = 100 * (iou[:, methods == "wsp"] - iou[:, methods == "ce"]).mean(0)
    within = {(method, other): cells for method, other, *cells in table_of("camvid-sequences")}
    assert within["WSP", "Student alone (CE)"][1:] == [f"{gain.mean():+.1f}" for gain in gains.values()]
    early = ttest_1samp(gains["0001TP"], 0.0).confidence_interval()
    assert early.low < 0 < early.high  # of which the page says that five seeds are not always sure


@pytest.mark.parametrize("made", [areas, sequences])
def test_a_study_without_counts_is_told(tmp_path: Path, made: Callable[[str, Path], str]) -> None:
    write_runs(tmp_path, "camvid_pretrained", {})
    with pytest.raises(ValueError, match=r"camvid_pretrained has no test_counts\.npz"):
        made("camvid_pretrained", tmp_path)


def table_of(name: str) -> list[list[str]]:
    """The rows of a generated table of docs/results.md, without its head."""
    (block,) = [content for other, _, content in BLOCK.findall(TEXTS["docs/results.md"]) if other == name]
    return [[cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines()[2:]]


def test_none_of_the_added_tries_was_above_the_best_of_the_first() -> None:
    """Of both ideas together, in the search for CamVid's weights, at its one seed."""
    val = read_runs(ROOT / "results" / "camvid_cpu_weights").query("split == 'val'").set_index("method")["miou"]
    together = val[val.index.str.startswith("pfs_") & val.index.str.contains("wsp")]
    added = together.index.str.contains("_t1_")
    assert added.sum() == 4
    assert together[added].max() < together[~added].max()


def test_the_precision_is_that_which_the_pages_name() -> None:
    """fp32 in two studies, bf16 in all others that are shown."""
    found = {file.parent.name: set(read_runs(file.parent)["precision"]) for file in ROOT.glob("results/*/runs.csv")}
    assert {name for name, precision in found.items() if precision != {"bf16"}} == {"digits_readings", "digits_weights"}
    assert found["digits_weights"] == found["digits_readings"] == {"no"}


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
