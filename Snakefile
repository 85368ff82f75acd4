"""The dependency graph of a study. `make study` runs it; `snakemake -n` shows what is stale.

A run is stale when its own part of the study, or the code that decides its numbers, is not what it was; prose and
pictures in a notebook are neither. `pfs status` tells why, docs/reproducibility.md what counts. Snakemake deletes the outputs of a job before it runs and when it fails, so the
outputs here are marks, written last: `.done` in a run's folder, and the checksums of tables, figures and report.
Records, tables and figures themselves are only ever replaced, each file whole.
"""

import shlex
import shutil
import sys
from pathlib import Path

from pfs.config.load import load_study
from pfs.study.records import COLLECTED
from pfs.study.code.hashes import code_of, run_codes
from pfs.study.execution.run import DONE, DRAWN, REPORTED
from pfs.study.execution.stopping import STOP_FILE
from pfs.study.places import TEACHER, notebook_path, study_path
from pfs.study.staleness import run_settings

study_file = study_path(config.get("study", "quick"))
results = config.get("results", "results")
study = load_study(study_file)
folder = f"{results}/{study.name}"
teacher_done = f"{results}/{study.teacher_study}/teacher/{DONE}"

page_code = {name: code_of(notebook_path(name)).digest for name in ("tables", "figures", "report")}
run_code = {method: code.digest for method, code in run_codes(study, (TEACHER, *study.methods)).items()}

# `exec` makes Snakemake the parent of each command: a run that has lost it stops.
pfs = f"exec {shlex.quote(sys.executable)} -m pfs"
options = shlex.join(["--results", results])
data_options = shlex.join(["--results", results, "--data", config.get("data", "data")])
run_options = f"{data_options} --devices {config.get('devices', 1)} --parent $PPID"

# Where a cluster makes the runs, `pfs study --profile` has written what each job asks for. On one machine a processor
# trains one student a core; a GPU trains one at a time, and the cores draw its pictures.
cluster = config.get("cluster")
if cluster:
    # Not every cluster hands a job the environment of the command that has started the study.
    pfs = f"export {STOP_FILE}={shlex.quote(str(Path(folder).resolve() / '.stop'))}; {pfs}"
    cores, student_threads = cluster["cores"][TEACHER], cluster["cores"]["student"]
else:
    cores = workflow.cores or 1
    student_threads = int(config.get("threads", cores if shutil.which("nvidia-smi") else 1))


def asked(name, default=0):
    """What the job of a run asks for: more memory at each attempt, because the last one may have had too little."""

    def of_run(wildcards, attempt):
        method = getattr(wildcards, "method", TEACHER)
        value = cluster["resources"][method].get(name, default)
        return value * attempt if name == "mem_mb" else value

    return of_run


def slurm_extra(wildcards):
    """Options of a job that must wait for one of an earlier start, which makes the same run."""
    run = f"{wildcards.method}/{wildcards.seed}" if "method" in wildcards.keys() else f"{TEACHER}/{study.teacher.seed}"
    return cluster["slurm_extra"].get(run, "")


# Only what is known: the profile's default-resources say the rest.
known = {name for each in cluster["resources"].values() for name in each} if cluster else set()
resources_of_run = {name: asked(name) for name in known}
if cluster and cluster["slurm_extra"]:
    resources_of_run["slurm_extra"] = slurm_extra


onstart:
    # With a limit to the jobs that start in a second, Snakemake looks for jobs a second after each time that it has looked,
    # and after each job that has ended: after a hundred runs, a hundred times a second, a tenth of a core. No study comes
    # near such a limit. Without one Snakemake looks when a job has ended.
    workflow.scheduler.job_rate_limiter = None


wildcard_constraints:
    method="|".join(study.methods),
    seed=r"-?\d+",


localrules:
    collect,
    figures,
    report,


rule all:
    input:
        f"{folder}/{COLLECTED if study.tuning else REPORTED}",  # of a tuning study nothing is shown


rule teacher:
    input:
        ancient("notebooks/study/train_teacher.ipynb"),
    output:
        teacher_done,
    log:
        f"{results}/{study.teacher_study}/teacher/executed.ipynb",
    params:
        code=run_code[TEACHER],
        settings=run_settings(study),
    threads: cores
    priority: 1
    resources:
        attempt=lambda wildcards, attempt: attempt,
        **resources_of_run,
    shell:
        "{pfs} run {study_file:q} teacher {study.teacher.seed} --threads {threads} {run_options}"
        " --attempt {resources.attempt}"


rule student:
    input:
        ancient("notebooks/study/distil_student.ipynb"),
        # A method without terms asks the teacher nothing.
        lambda wildcards: teacher_done if study.methods[wildcards.method].needs_teacher else [],
    output:
        f"{folder}/runs/{{method}}/{{seed}}/{DONE}",
    log:
        f"{folder}/runs/{{method}}/{{seed}}/executed.ipynb",
    params:
        code=lambda wildcards: run_code[wildcards.method],
        settings=lambda wildcards: run_settings(study, wildcards.method, int(wildcards.seed)),
    threads: student_threads
    resources:
        attempt=lambda wildcards, attempt: attempt,
        **resources_of_run,
    shell:
        "{pfs} run {study_file:q} {wildcards.method} {wildcards.seed} --threads {threads} {run_options}"
        " --attempt {resources.attempt}"


rule collect:
    input:
        teacher_done,
        expand(f"{folder}/runs/{{method}}/{{seed}}/{DONE}", method=study.methods, seed=study.seeds),
    output:
        f"{folder}/{COLLECTED}",
    shell:
        "{pfs} collect {study_file:q} {data_options}"


# The tables, and beside them the figures: where the study that this one extends has results, with them.
base_runs = Path(results) / str(study.extends) / "runs.csv"


rule figures:
    input:
        rules.collect.output,
        [str(base_runs)] if base_runs.is_file() else [],
    output:
        f"{folder}/{DRAWN}",
    log:
        f"{folder}/tables.ipynb",
        f"{folder}/figures.ipynb",
    params:
        code=[page_code["tables"], page_code["figures"]],
        study=study.model_dump(mode="json"),
    shell:
        "{pfs} figures {study_file:q} {options}"


rule report:
    input:
        rules.collect.output,
        rules.figures.output,
    output:
        f"{folder}/{REPORTED}",
    log:
        f"{folder}/report.ipynb",
    params:
        code=page_code["report"],
    shell:
        "{pfs} report {study_file:q} {options}"
