"""The words of walkthroughs 1 to 3: worked answers pass their checks, and links lead to files."""

import json
import re
from typing import Any

import pytest
import torch.nn.functional as F

from pfs.config.files import repository
from pfs.walkthrough.lessons.alike import check_definition
from pfs.walkthrough.lessons.nodes import check_identity

FOLDER = repository() / "notebooks" / "walkthrough"
NOTEBOOKS = ["1_what_is_alike", "2_whom_to_listen_to", "3_sixteen_nodes"]


def cells(name: str, kind: str) -> list[str]:
    content = json.loads((FOLDER / f"{name}.ipynb").read_text())
    return ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == kind]


def test_the_worked_answer_is_the_identity() -> None:
    answers = re.findall(r"```python\n(def mine.*?)```", "\n".join(cells("3_sixteen_nodes", "markdown")), re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(answers[0], namespace)
    assert check_identity(namespace["mine"]).startswith("Right: ")


def test_the_worked_answer_is_pfs() -> None:
    [answer] = re.findall(r"```python\n(def maps.*?)```", "\n".join(cells("1_what_is_alike", "markdown")), re.DOTALL)
    namespace: dict[str, Any] = {"F": F}
    exec(answer, namespace)
    assert check_definition(namespace["my_pfs"]).startswith("Right: ")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_links_lead_to_files(name: str) -> None:
    """But for those to the neighbouring walkthroughs."""
    links = re.findall(r"\]\((\.\./[^)#]+)", "\n".join(cells(name, "markdown")))
    assert links and all((FOLDER / link).exists() for link in links)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_cell_after_the_parameters_says_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parameters, check = cells(name, "code")[:2]
    exec(parameters + "\n" + check, {})
    assert capsys.readouterr().out == ""
    monkeypatch.setattr("importlib.util.find_spec", lambda package: None)
    exec(check, {})
    assert "`make lab`" in capsys.readouterr().out


@pytest.mark.parametrize("name", NOTEBOOKS[:2])
def test_what_a_reader_is_to_try_has_its_answers(name: str) -> None:
    """As many as there are questions, hidden below the pictures."""
    text = "\n".join(cells(name, "markdown"))
    asked = re.search(r"open the answers below:\n\n(.*?)\n\n", text + "\n\n", re.DOTALL)
    told = re.search(r"<summary>What there is to see</summary>(.*?)</details>", text, re.DOTALL)
    assert asked and told
    count = [len(re.findall(r"^\d\. ", part[1], re.MULTILINE)) for part in (asked, told)]
    assert count[0] == count[1] > 3
