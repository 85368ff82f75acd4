# `make` alone lists the commands. Each works in a fresh clone with nothing but Python (3.11 or newer) and make.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
STUDY = quick
DATA = data
CORES = all
# A cluster that makes the runs: slurm, kubernetes, or a folder with a profile of your own (docs/cluster.md).
PROFILE =
# cpu: torch's builds without what serves NVIDIA GPUs alone; docs/machines.md says where pip finds them.
TORCH =

# Written last: an installation that was cut short is done again.
ENVIRONMENT = .venv/installed

# torch==2.14.1+cpu torchvision==0.29.1+cpu, of the versions in requirements.lock
CPU_BUILDS = $(shell sed -n -E 's/^(torch|torchvision)==(.*)/\1==\2+cpu/p' requirements.lock)
SIZE = $(if $(filter Linux,$(shell uname)),6.4 GB: 4.1 GB serve NVIDIA GPUs alone and can be left out (docs/machines.md),2.3 GB)

.DEFAULT_GOAL = help
.PHONY: help env status check study dry-run figures look claims docs benchmark throughput devices latency paces test test-avx2 test-gpu lab demo clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s  %s\n", $$1, $$2}' Makefile
	@echo
	@echo "make study STUDY=digits CORES=2 DATA=data runs another study, on fewer cores, on data kept elsewhere;"
	@echo "several studies, one after the other: STUDY=\"digits digits_baselines\"; on a cluster: PROFILE=slurm."

env: $(ENVIRONMENT) ## create the environment in .venv, or bring it up to date

study: $(ENVIRONMENT) ## train, distil and write tables, figures and report: whatever is not up to date
	@set -e; for study in $(STUDY); do .venv/bin/pfs study "$$study" --data "$(DATA)" --cores "$(CORES)" \
	  $(if $(PROFILE),--profile "$(PROFILE)"); done

dry-run: $(ENVIRONMENT) ## try a study at its true size, two steps on images of noise; nothing is kept
	@set -e; for study in $(STUDY); do .venv/bin/pfs dry-run "$$study" --cores "$(CORES)"; done

figures: $(ENVIRONMENT) ## every table and figure from the committed records, or those of STUDY, without training
	@set -e; $(if $(filter file,$(origin STUDY)),.venv/bin/pfs figures,for study in $(STUDY); do \
	  .venv/bin/pfs figures "$$study"; done)

status: $(ENVIRONMENT) ## which runs of all studies are finished, and what the others would cost
	@.venv/bin/pfs status

check: $(ENVIRONMENT) ## which committed results are not of today's code, data or parameters any more
	@.venv/bin/pfs check

look: $(ENVIRONMENT) ## a page of all studies with results, in the browser, in seconds and without training
	@.venv/bin/pfs look

claims: $(ENVIRONMENT) ## what the runs say of each claim: results/claims.md, in a minute or two
	@.venv/bin/pfs claims

docs: $(ENVIRONMENT) ## the tables in README.md and docs/, and the diagram, from results and code
	@.venv/bin/pfs docs

benchmark: $(ENVIRONMENT) ## time and memory of the losses on this machine, in about five minutes
	@.venv/bin/pfs benchmark

throughput: $(ENVIRONMENT) ## where a training step's time goes on this machine
	@.venv/bin/pfs throughput

test: $(ENVIRONMENT) ## the whole test suite, with linting and types
	@.venv/bin/pytest

test-avx2: $(ENVIRONMENT) ## the tests that train once more, with the instructions of a plain AVX2 processor alone
	@ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 .venv/bin/pytest -m trains

test-gpu: $(ENVIRONMENT) ## the tests that train once more, on this machine's GPU, but for what needs several
	@TEST_ON_GPU=1 .venv/bin/pytest -m trains --ignore=tests/training/devices

devices: $(ENVIRONMENT) ## what it costs to share a training step among processes
	@.venv/bin/pfs devices

latency: $(ENVIRONMENT) ## what the small network buys: milliseconds an image of teachers and students
	@.venv/bin/pfs latency

paces: $(ENVIRONMENT) ## how fast this machine, or its GPU, trains networks of the field's size
	@.venv/bin/pfs paces

lab: $(ENVIRONMENT) ## open the walkthroughs and the other notebooks in JupyterLab
	@.venv/bin/jupyter lab --config=profiles/lab/jupyter_lab_config.py $(LAB)

demo: $(ENVIRONMENT) ## the walkthroughs as pages with their code folded, for this machine's browser alone
	@.venv/bin/voila --Voila.config_file_paths=profiles/demo $(DEMO)

clean: ## delete the environment and all caches; data and results stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(ENVIRONMENT): pyproject.toml requirements.lock
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, and '$(PYTHON)' is not: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; \
	  exit 1; }
	@test -z '$(TORCH)' -o '$(TORCH)' = cpu || { echo "TORCH=$(TORCH): the only other build is TORCH=cpu" >&2; exit 1; }
	@echo 'The environment takes about $(if $(TORCH),1.7 GB,$(SIZE))'
	"$(PYTHON)" -m venv .venv
	.venv/bin/python -m pip install --disable-pip-version-check -c requirements.lock -e '.[dev]' $(if $(TORCH),$(CPU_BUILDS))
	@touch $@
