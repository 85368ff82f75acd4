"""What every block of a study's YAML is, and the words for its mistakes. No torch here."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from pfs.config.text.mistakes import StudyError, shown, suggest

__all__ = ["LONGEST_NAME", "NAME", "Name", "SaidIfTrue", "Seed", "Strict", "StudyError", "shown", "suggest"]

# What names of studies and methods are made of: they are names of folders, and stand in tables.
NAME = r"^[a-z0-9_]+$"
LONGEST_NAME = 100
Name = Annotated[str, Field(pattern=NAME, max_length=LONGEST_NAME)]
# What every generator of random numbers takes: those of NumPy nothing below zero, some nothing above 32 bits.
Seed = Annotated[int, Field(ge=0, lt=2**32)]


# An option of which runs that do not use it say nothing: to add it has made none of them stale.
SaidIfTrue = Annotated[bool, Field(exclude_if=lambda said: not said)]


class Strict(BaseModel):
    """A block of the YAML: unknown keys are errors, values keep their type and are finite, nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
