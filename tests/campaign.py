"""Kill a small study at random moments and break its files at random places: it must end with the same tables.

    python -m tests.campaign --kills 30 --corruptions 40 --seed 0

The suite tests each kind once; this looks for moments and places that nobody has thought of. It prints a line for each
attempt, and ends with 1 where a table differs, a process is left behind, or a study does not finish.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import yaml

from tests.whole_study import STUDY as TINY

STUDY = {**TINY, "teacher": {**TINY["teacher"], "steps": 30, "save_every": 5}}
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
LIMIT = 900  # seconds that a study may take


class Place:
    """The study in a folder of its own."""

    def __init__(self, folder: Path, data: Path) -> None:
        folder.mkdir()
        self.file = folder / "tiny.yaml"
        self.file.write_text(yaml.safe_dump(STUDY, sort_keys=False), encoding="utf-8")
        self.results, self.data = folder / "results", data

    @property
    def folder(self) -> Path:
        return self.results / "tiny"

    def start(self) -> subprocess.Popen[str]:
        """The study as a user starts it, in a session of its own."""
        places = ["--results", str(self.results), "--data", str(self.data), "--cores", "2"]
        command = [sys.executable, "-m", "pfs", "study", str(self.file), *places]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen(command, text=True, start_new_session=True, **pipes)  # type: ignore[call-overload, no-any-return]

    def finish(self) -> str:
        """Run it to its end; what is wrong, or nothing."""
        study = self.start()
        try:
            said, _ = study.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            study.kill()
            return f"stuck for {LIMIT} s"
        return "" if study.returncode == 0 else f"ended with {study.returncode}: {said.strip()[-500:]}"

    def tables(self) -> dict[str, str]:
        """What must be the same whatever has happened: the tables, and the scores of each run."""
        tables = {file.name: file.read_text(encoding="utf-8") for file in sorted(self.folder.glob("tables/main.*"))}
        rows = (self.folder / "runs.csv").read_text(encoding="utf-8").splitlines()
        return {**tables, "runs.csv": "\n".join(",".join(row.split(",")[:6]) for row in rows)}


def kill(place: Place, chance: random.Random, longest: float) -> str:
    """Start the study and end it, or one of its processes, after a while; what is wrong, or nothing."""
    study = place.start()
    time.sleep(chance.uniform(0, longest))
    driver = psutil.Process(study.pid)
    running = [child for child in driver.children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE]
    processes = [driver, *running]
    target, how = chance.choice([*[driver] * 2 * len(processes), *processes]), chance.choice(SIGNALS)
    print(f"  {how.name} to {'the driver' if target == driver else target.name()}, pid {target.pid}", flush=True)
    try:
        target.send_signal(how)
        study.communicate(timeout=LIMIT)
    except psutil.NoSuchProcess:
        study.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        study.kill()
        return f"stuck after {how.name}"
    _, alive = psutil.wait_procs([process for process in processes[1:] if process.is_running()], timeout=20)
    return f"left behind: {alive}" if alive else ""


def corrupt(place: Place, chance: random.Random) -> None:
    """Break one file of a finished study: a bit, half of it, all of it, or the file is gone."""
    files = [file for file in sorted(place.folder.rglob("*")) if file.is_file() and file.stat().st_size]
    files = [file for file in files if file.name not in (".lock", "snakemake.log")]
    file, how = chance.choice(files), chance.choice(("flip", "flip", "halve", "empty", "delete"))
    content = bytearray(file.read_bytes())
    if how == "flip":
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    elif how == "halve":
        content = content[: len(content) // 2]
    elif how == "empty":
        content.clear()
    file.unlink()
    if how != "delete":
        file.write_bytes(content)
    print(f"  {how} {file.relative_to(place.folder)}", flush=True)


def main() -> int:
    """Run both campaigns; the number of attempts that went wrong decides the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--corruptions", type=int, default=30)
    parser.add_argument("--within", type=float, default=60, help="seconds from a start to its end (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance, wrong = random.Random(options.seed), []
    with tempfile.TemporaryDirectory(prefix="pfs-") as folder:
        base = Path(folder)
        reference = Place(base / "reference", base / "data")
        begun = time.monotonic()
        wrong += [reference.finish()]
        longest = min(options.within, time.monotonic() - begun)
        expected = reference.tables()
        place = Place(base / "0", base / "data")
        for attempt in range(options.kills):
            print(f"kill {attempt}", flush=True)
            wrong += [kill(place, chance, longest)]
            if (place.folder / "report.html").is_file() or attempt == options.kills - 1:
                wrong += [place.finish(), "" if place.tables() == expected else f"tables differ after kill {attempt}"]
                place = Place(base / str(attempt + 1), base / "data")
        for attempt in range(options.corruptions):
            print(f"corruption {attempt}", flush=True)
            corrupt(reference, chance)
            problem = reference.finish()
            same = "" if not problem and reference.tables() == expected else f"tables differ after corruption {attempt}"
            wrong += [problem, same]
            if problem:
                print(f"  {problem}", flush=True)
    told = [problem for problem in wrong if problem]
    print(*told, f"{options.kills} kills, {options.corruptions} corruptions, {len(told)} problems", sep="\n")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
