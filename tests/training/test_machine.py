"""What the machine can do is told by trying, and what it only claims is not used."""

import os
import platform
import resource

import pytest
import torch

from pfs.training import machine


@pytest.fixture
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(machine.MAX_ISA, raising=False)


def announce(monkeypatch: pytest.MonkeyPatch, **flags: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags)


@pytest.mark.parametrize(
    ("flags", "precision"),
    [
        ({}, "no"),
        ({"avx512_bf16": True}, "bf16"),
        ({"avx512_bf16": True, "amx_bf16": True}, "bf16"),
    ],
)
def test_bf16_is_used_where_the_hardware_multiplies_it(
    flags: dict[str, bool], precision: str, monkeypatch: pytest.MonkeyPatch, unlimited: None
) -> None:
    announce(monkeypatch, **flags)
    assert machine.mixed_precision() == precision


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only Linux tries")
@pytest.mark.parametrize("works", [True, False])
def test_amx_that_only_claims_to_work_is_not_used(
    works: bool, monkeypatch: pytest.MonkeyPatch, unlimited: None
) -> None:
    announce(monkeypatch, avx512_bf16=True, amx_bf16=True)
    monkeypatch.setattr("sys.platform", "linux")
    survive = (lambda *_: None) if works else (lambda *_: os._exit(1))
    monkeypatch.setattr(torch, "mm", survive)
    threads = torch.get_num_threads()
    machine.prepare(threads)
    assert (machine.MAX_ISA not in os.environ) == works
    assert machine.mixed_precision() == ("bf16" if works else "no")
    assert (f"{machine.MAX_ISA}=AVX512_CORE_FP16" in machine.instruction_set()) == (not works)


@pytest.mark.parametrize("flag", ["avx512_bf16", "amx_bf16"])
def test_bf16_is_not_emulated_where_onednn_is_kept_from_its_instructions(
    flag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(monkeypatch, **{flag: True})
    monkeypatch.setenv(machine.MAX_ISA, "AVX2")
    assert machine.mixed_precision() == "no"


def test_what_the_user_allows_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    announce(monkeypatch, avx512_bf16=True, amx_bf16=True)
    monkeypatch.setenv(machine.MAX_ISA, "AVX2")
    machine.prepare(torch.get_num_threads())
    assert os.environ[machine.MAX_ISA] == "AVX2"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_memory_that_was_freed_is_used_again_without_page_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_amx_works", lambda: True)
    machine.prepare(1)
    faults = []
    for _ in range(10):  # the first rounds make room
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(2**23).exp().sum()  # two tensors of 8,192 pages
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    assert min(faults) < 1000
