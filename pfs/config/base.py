"""What every block of a study's YAML is, and the words for its mistakes. No torch here."""

import difflib
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# What names of studies and methods are made of: they are names of folders, and stand in tables.
NAME = r"^[a-z0-9_]+$"
LONGEST_NAME = 100
Name = Annotated[str, Field(pattern=NAME, max_length=LONGEST_NAME)]
# What every generator of random numbers takes: those of NumPy nothing below zero, some nothing above 32 bits.
Seed = Annotated[int, Field(ge=0, lt=2**32)]


# An option of which runs that do not use it say nothing: to add it has made none of them stale.
SaidIfTrue = Annotated[bool, Field(exclude_if=lambda said: not said)]


class StudyError(ValueError):
    """A study's file says something that cannot be run."""


class Strict(BaseModel):
    """A block of the YAML: unknown keys are errors, values keep their type and are finite, nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def suggest(wrong: str, valid: list[str]) -> str:
    """`; did you mean X? valid choices: ...` for the end of an error."""
    if not valid:
        return ""
    near = difflib.get_close_matches(wrong[:LONGEST_NAME], valid, n=1)
    hint = f"; did you mean {near[0]}?" if near else ";"
    return f"{hint} valid choices: {', '.join(valid)}"


def shown(value: object) -> str:
    """A value as an error shows it: on one line, and of a long one the beginning and the end."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:60]} ... {text[-20:]}"
