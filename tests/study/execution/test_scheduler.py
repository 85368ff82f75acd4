"""Snakemake's scheduler does not work the more, the more runs have ended."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pfs.config.files import repository

ONSTART = re.compile(r"^onstart:\n(?:    .*\n)+", re.MULTILINE)
WORKFLOW = """
rule all:
    input: expand("{i}", i=range(8))

rule one:
    output: "{i}"
    shell: "exec sh -c 'sleep 0.2; grep Threads /proc/$PPID/status > {output}'"
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="counts Snakemake's threads in /proc")
def test_no_timer_is_left_of_a_job_that_has_ended(tmp_path: Path) -> None:
    (onstart,) = ONSTART.findall((repository() / "Snakefile").read_text())
    (tmp_path / "Snakefile").write_text(f"{onstart}\n{WORKFLOW}")
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet", "all"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=200)
    jobs = sorted((tmp_path / str(number) for number in range(8)), key=lambda file: file.stat().st_mtime_ns)
    threads = [int(job.read_text().split()[1]) for job in jobs]
    assert max(threads) <= threads[0] + 1
