"""How fast a machine computes a study's networks, from a few steps of each."""

import pytest

from pfs.bench import pace
from pfs.config.networks import DilatedResNetConfig
from pfs.config.study import Training
from pfs.models import build_network, count_macs

SPEC = Training(
    network=DilatedResNetConfig(name="dilated_resnet", width=2), steps=9, batch_size=3, learning_rate=1.0e-3
)


def test_the_arithmetic_is_that_of_whole_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "SECONDS", 0.0)
    measured = pace.pace(SPEC, classes=5, size=(16, 24), threads=1)
    step = 6 * count_macs(build_network(SPEC.network, 5), (16, 24)) * SPEC.batch_size
    assert measured["flop"] == pace.STEPS * step
    assert measured["seconds"] > 0


def test_a_network_without_threads_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "build_network", None)  # would be a TypeError
    assert pace.pace(SPEC, classes=5, size=(16, 24), threads=0) == {"flop": 0.0, "seconds": 0.0}
