"""JupyterLab and Voila on the loopback interface, as `make lab` and `make demo` start them, for tests in a browser."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
LAB = ("jupyterlab", "--config=profiles/lab/jupyter_lab_config.py", "--ip=127.0.0.1", "--ServerApp.token=", "--port={}")
VOILA = ("voila", "--Voila.config_file_paths=profiles/demo", "--port={}")
SECONDS_TO_START = 200


def make_clone(folder: Path, walkthrough: Path) -> Path:
    """A folder that looks like a clone: the repository's notebooks, profiles and tables, and a small walkthrough.

    Args:
        folder: where it is made.
        walkthrough: the folder of `walkthrough.npz` and its weights, which stand in for those of `quick`.
    """
    for name in ("notebooks", "profiles"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    for name in ("Snakefile", "studies", "pfs", "docs"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "results" / "quick").mkdir(parents=True)
    for study in (path for path in (ROOT / "results").iterdir() if path.name != "quick"):
        (folder / "results" / study.name).symlink_to(study)
    kept = {path.name: path for path in (ROOT / "results" / "quick").iterdir()}
    for name, path in (kept | {path.name: path for path in walkthrough.iterdir()}).items():
        (folder / "results" / "quick" / name).symlink_to(path)
    return folder


def set_parameters(notebook: Path, parameters: Mapping[str, Any]) -> None:
    """Append assignments to a notebook's cell of parameters."""
    content = json.loads(notebook.read_text())
    cell = next(cell for cell in content["cells"] if "parameters" in cell["metadata"].get("tags", []))
    cell["source"] += [f"\n{name} = {value!r}" for name, value in parameters.items()]
    notebook.write_text(json.dumps(content))


@contextmanager
def serve(clone: Path, module: tuple[str, ...]) -> Iterator[str]:
    """Start `LAB` or `VOILA` in a clone, on a free port of the loopback interface; yields its address.

    The server and the kernels that it has started end with the block.
    """
    port = _free_port()
    command = [sys.executable, "-m", *(part.format(port) for part in module), "--no-browser"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JUPYTER_CONFIG_DIR": str(clone / ".jupyter")}
    if os.getuid() == 0 and module is LAB:
        command.append("--allow-root")
    with (clone / f"{module[0]}.log").open("w") as log:
        server = subprocess.Popen(command, cwd=clone, env=environment, stdout=log, stderr=log)
        try:
            _wait(f"http://127.0.0.1:{port}/", server, Path(log.name))
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(20)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def _wait(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the address answers; fail with the server's log when it has ended, or takes too long."""
    end = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5)
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(f"{address} does not answer:\n{log.read_text()[-3000:]}")
