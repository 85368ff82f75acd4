"""What is claimed, and by which contrasts and studies it is tested: `docs/claims.yaml`, read and checked.

`docs/protocol.md` says the same in words, and why.
"""

from typing import Annotated, Literal

from pydantic import Field, ValidationError

from pfs.config.base import Name, Strict, StudyError, suggest
from pfs.config.files import repository
from pfs.config.load import load_study
from pfs.config.text.plain_yaml import PlainYamlError, read_yaml

FILE = "docs/claims.yaml"  # from the root of the clone

Contrast = tuple[str, str]  # method and the method that it is compared with


class Claim(Strict):
    """One claim.

    Attributes:
        title: the claim in a few words.
        contrasts: a method -> the methods that it is compared with.
        measure: what is compared: test mIoU, or the steps that a curve of val takes.
        small_gains: whether the claim is that the differences are small.
        studies: those that the protocol binds; the first has every method of the contrasts.
        earlier: those that were run before the protocol was written.
    """

    title: Annotated[str, Field(min_length=1)]
    contrasts: Annotated[dict[Name, Annotated[list[Name], Field(min_length=1)]], Field(min_length=1)]
    measure: Literal["miou", "steps"] = "miou"
    small_gains: bool = False
    studies: Annotated[list[Name], Field(min_length=1)]
    earlier: tuple[Name, ...] = Field(default=(), strict=False)

    @property
    def pairs(self) -> list[Contrast]:
        """Every contrast as a pair of methods."""
        return [(method, other) for method, others in self.contrasts.items() for other in others]


class Claims(Strict):
    """All claims by their names, and the committed study by whose pace others are forecast, by data set."""

    claims: Annotated[dict[str, Claim], Field(min_length=1)]
    pace: dict[Name, Name]


def load_claims() -> Claims:
    """Read and check the claims of the clone.

    Raises:
        StudyError: the file is damaged, or names a study or a method that there is not; one line a fault.
    """
    claims = read_claims()
    for name, claim in claims.claims.items():
        _check_methods(name, claim)
    return claims


def read_claims() -> Claims:
    """Read the claims of the clone, and do not ask whether there are the studies and methods that they name.

    Raises:
        StudyError: the file is damaged; one line a fault.
    """
    try:
        return Claims.model_validate(read_yaml(repository() / FILE))
    except OSError as error:
        raise StudyError(f"{FILE}: cannot be read ({error.strerror}): restore it with git checkout") from None
    except PlainYamlError as error:
        raise StudyError(f"{FILE}: {error}") from None
    except ValidationError as error:
        faults = [(".".join(map(str, fault["loc"])), fault["msg"]) for fault in error.errors()]
        raise StudyError("\n".join(f"{FILE}: {key}: {said}" for key, said in faults)) from None


def _check_methods(name: str, claim: Claim) -> None:
    """Raise a StudyError where a study does not exist, or the first one of a claim lacks a method that it names."""
    first, *_ = [load_study(f"studies/{study}.yaml") for study in (*claim.studies, *claim.earlier)]
    for method in dict.fromkeys(method for pair in claim.pairs for method in pair):
        if method not in first.methods:
            said = f"{FILE}: claims.{name}.contrasts: {first.name} has no method {method!r}"
            raise StudyError(f"{said}{suggest(method, list(first.methods))}")
