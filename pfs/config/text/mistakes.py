"""Errors whose message is one line for whoever typed the command, and the words in it. Python alone suffices here."""

import difflib

LONGEST_GUESS = 100  # characters of a wrong name that are compared with the valid ones


class ToldError(Exception):
    """What is wrong, in lines that name the file, the value and how to mend it.

    The command line prints them without a traceback. Each room has its own kinds of this error.
    """


class StudyError(ToldError, ValueError):
    """A study's file says something that cannot be run."""


def suggest(wrong: str, valid: list[str]) -> str:
    """`; did you mean X? valid choices: ...` for the end of an error."""
    if not valid:
        return ""
    near = difflib.get_close_matches(wrong[:LONGEST_GUESS], valid, n=1)
    hint = f"; did you mean {near[0]}?" if near else ";"
    return f"{hint} valid choices: {', '.join(valid)}"


def shown(value: object) -> str:
    """A value as an error shows it: on one line, and of a long one the beginning and the end."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:60]} ... {text[-20:]}"
