"""A setting of the benchmark that is small enough for tests."""

from pfs.bench.cases import Setting
from pfs.config.networks import DilatedResNetConfig


def setting() -> Setting:
    student, teacher = (DilatedResNetConfig(name="dilated_resnet", width=width) for width in (4, 8))
    return Setting("tiny", student, teacher, classes=5, size=32, batch=4)
