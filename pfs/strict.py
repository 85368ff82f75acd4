"""What every block of a study's YAML is, and the words for its mistakes. No torch here."""

import difflib

from pydantic import BaseModel, ConfigDict


class StudyError(ValueError):
    """A study's file says something that cannot be run."""


class Strict(BaseModel):
    """A block of the YAML: unknown keys are errors, values keep their type, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def choices(wrong: str, valid: list[str]) -> str:
    """`; did you mean X? valid choices: ...` for the end of an error."""
    if not valid:
        return ""
    near = difflib.get_close_matches(wrong, valid, n=1)
    hint = f"; did you mean {near[0]}?" if near else ";"
    return f"{hint} valid choices: {', '.join(valid)}"
