"""What JupyterLab saves of a notebook of ours is its source, in the form in which it is committed."""

import asyncio
import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from pfs.config.files import repository
from pfs.study import notebook_source

COMMITTED = sorted((repository() / "notebooks" / "study").glob("*.ipynb"))


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncLargeFileManager:
    """What saves JupyterLab's files under the repository's setting, in a clone with an empty `notebooks/`."""
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setattr(notebook_source, "OURS", tmp_path / "notebooks")
    config: Config = PyFileConfigLoader("jupyter_lab_config.py", str(repository() / "profiles" / "lab")).load_config()
    return AsyncLargeFileManager(root_dir=str(tmp_path), config=config)


def save(lab: AsyncLargeFileManager, path: str, notebook: Any) -> Path:
    asyncio.run(lab.save({"type": "notebook", "format": "json", "content": notebook}, path))
    return Path(lab.root_dir) / path


def executed(source: Path) -> Any:
    """A committed notebook as an open JupyterLab has it after somebody has run it and clicked around in it."""
    notebook = nbformat.read(source, as_version=4)
    notebook["metadata"] |= {"language_info": {"name": "python", "version": "3.12.1"}, "widgets": {}, "toc": True}
    notebook["metadata"]["kernelspec"]["display_name"] = "My Python"
    for number, cell in enumerate(notebook["cells"]):
        cell["metadata"] |= {"collapsed": True, "jupyter": {"outputs_hidden": True}}
        cell["id"] = f"random-{number}"
        if cell["cell_type"] == "code":
            cell["execution_count"] = number
            cell["outputs"] = [nbformat.v4.new_output("stream", text="a number\n")]
    return notebook


@pytest.mark.parametrize("source", COMMITTED, ids=lambda path: path.stem)
def test_saving_one_of_ours_leaves_the_committed_bytes(source: Path, lab: AsyncLargeFileManager) -> None:
    saved = save(lab, f"notebooks/{source.name}", executed(source))
    assert saved.read_bytes() == source.read_bytes()


def test_other_notebooks_keep_their_outputs(lab: AsyncLargeFileManager) -> None:
    saved = save(lab, "mine.ipynb", executed(COMMITTED[0]))
    outputs = [cell["outputs"] for cell in json.loads(saved.read_text())["cells"] if cell["cell_type"] == "code"]
    assert all(outputs)


def test_a_file_that_is_no_notebook_is_saved_as_it_is(lab: AsyncLargeFileManager) -> None:
    asyncio.run(lab.save({"type": "file", "format": "text", "content": "a note"}, "notebooks/note.txt"))
    assert (Path(lab.root_dir) / "notebooks" / "note.txt").read_text() == "a note"


def test_it_opens_on_the_page_of_links() -> None:
    config = PyFileConfigLoader("jupyter_lab_config.py", str(repository() / "profiles" / "lab")).load_config()
    page = repository() / config["LabApp"]["default_url"].removeprefix("/lab/tree/")
    text = "".join("".join(cell["source"]) for cell in json.loads(page.read_text())["cells"])
    links = [part.split(")")[0] for part in text.split("](")[1:]]
    assert {f"../study/{file.name}" for file in COMMITTED} <= set(links)
