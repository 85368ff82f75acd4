"""From a study's file to a `Study`, everything checked before anything runs.

A misspelt key, a wrong type or an unknown method names the file, the key and the valid choices. No torch here.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pfs.config.base import LONGEST_NAME, NAME, StudyError, shown, suggest
from pfs.config.files import repository
from pfs.config.study import Study
from pfs.config.text.plain_yaml import PlainYamlError, read_yaml

# Keys of earlier versions -> what they are called today.
RENAMED = {
    "balance": "class_weights",
    "enlarge": "input_scale",
    "match": "distance",
    "tap": "feature_layer",
    "tau": "temperature",
    "views": "augmentation",
}
# What is said of a key without a value.
EMPTY = " is empty: write its value ({} for a block that takes all defaults), or leave the key out"


def load_study(path: str | Path) -> Study:
    """Read and check a study.

    Args:
        path: the YAML file; a relative path is taken from the repository's root.

    Raises:
        StudyError: one line for each thing that is wrong: file, key, value, and the valid choices.
    """
    content = _read(path)
    if isinstance(content.get("extends"), str):
        content = _extended(path, content)
    try:
        study = Study.model_validate(content)
    except ValidationError as error:
        lines = dict.fromkeys(" ".join(f"{path}: {_explain(detail)}".split()) for detail in error.errors())
        raise StudyError("\n".join(lines)) from None
    if study.tuned_by is not None:
        _check_tuning(path, study)
    if empty := [f"{path}: {key}{EMPTY}" for key in _empty_keys(content)]:
        raise StudyError("\n".join(empty))
    stem = Path(path).stem
    if study.name != stem:  # else the results of two studies would meet in one folder
        raise StudyError(f"{path}: name: {study.name!r} is not the file's own name; write name: {stem}")
    return study


def _check_tuning(path: str | Path, study: Study) -> None:
    """Raise a StudyError unless a study names a tuning study, none of whose seeds it reports."""
    tuning = _read(_file(path).with_name(f"{study.tuned_by}.yaml"))  # not loaded: it may extend this study
    if tuning.get("tuning") is not True:
        raise StudyError(f"{path}: tuned_by: {study.tuned_by} is no tuning study: write tuning: true in it")
    _check_seeds(path, _seeds(study.model_dump()), tuning, f"tuning study {study.tuned_by}")


def _check_seeds(path: str | Path, own: set[int], other: dict[str, Any], whose: str) -> None:
    """Raise a StudyError where a seed on which settings are chosen is reported too."""
    if both := sorted(own & _seeds(other)):
        shared = ", ".join(map(str, both))
        raise StudyError(f"{path}: seeds: {shared} of the {whose} too: what is chosen on a seed is not reported on it")


def _seeds(content: dict[str, Any]) -> set[int]:
    """The seeds of a study's content, which may not have been checked yet."""
    seeds = content.get("seeds")
    return {seed for seed in seeds if isinstance(seed, int)} if isinstance(seeds, list) else set()


def _read(path: str | Path) -> dict[str, Any]:
    """A study's YAML as it stands."""
    file = _file(path)
    try:
        if file.is_dir():
            raise StudyError(f"{path}: is a folder, not a study's file: name a file")
        if not file.is_file():
            known = sorted(str(p.relative_to(file.parent.parent)) for p in file.parent.glob("*.yaml"))
            raise StudyError(f"{path}: no such study{suggest(str(path), known)}")
        content = read_yaml(file)
    except OSError as error:
        raise StudyError(f"{shown(str(path))}: cannot be read ({error.strerror}): name another file") from None
    except PlainYamlError as error:
        raise StudyError(f"{path}: {error}") from None
    if content is None:
        raise StudyError(f"{path}: is empty: write a study, or start from a copy of studies/quick.yaml")
    if not isinstance(content, dict):
        raise StudyError(f"{path}: a study is a mapping with the keys {', '.join(Study.model_fields)}")
    return content


def _empty_keys(block: dict[str, Any], *parents: str) -> Iterator[str]:
    """The dotted keys without a value: `pfs:` alone would say the same as no key, and mean something to its writer."""
    for key, value in block.items():
        if value is None:
            yield ".".join((*parents, key))
        elif isinstance(value, dict):
            yield from _empty_keys(value, *parents, key)


def _file(path: str | Path) -> Path:
    return Path(path) if Path(path).is_absolute() else repository() / path


def _extended(path: str | Path, content: dict[str, Any]) -> dict[str, Any]:
    """A study's content over that of the one it extends, which lies in the same folder."""
    if not re.fullmatch(NAME, content["extends"]) or len(content["extends"]) > LONGEST_NAME:
        named = shown(content["extends"])
        raise StudyError(f"{path}: extends: {named} is not the bare name of a study in the same folder, such as digits")
    base = _read(_file(path).with_name(f"{content['extends']}.yaml"))
    if content["extends"] == _file(path).stem:
        raise StudyError(f"{path}: extends: a study cannot extend itself; name another study, or leave extends out")
    if "extends" in base:
        raise StudyError(f"{path}: extends: {content['extends']} extends another study itself: extend that one")
    if base.get("tuning"):
        said = f"{path}: extends: {content['extends']} is a tuning study"
        raise StudyError(f"{said}, whose teacher is not scored on test: extend another study")
    if content.get("tuning") is True:
        _check_seeds(path, _seeds({**base, **content}), base, f"study {content['extends']}")
    own = [key for key in ("data", "augmentation", "evaluation", "teacher", "cache_gib") if key in content]
    if own:
        has = "has its data, its augmentation, its evaluation, its teacher and its cache_gib"
        raise StudyError(f"{path}: {own[0]}: a study that extends {content['extends']} {has}")
    return {**{key: value for key, value in base.items() if key not in ("name", "question", "tuned_by")}, **content}


def _explain(detail: ErrorDetails) -> str:
    """One pydantic error as a line: the dotted key, the value, what would be right."""
    location = [str(part) if str(part).isprintable() else repr(part) for part in detail["loc"]]
    key = ".".join(location) or "study"
    value = shown(detail["input"])
    match detail["type"]:
        case "extra_forbidden":
            valid = _fields_at(detail["loc"][:-1])
            if (new := RENAMED.get(location[-1])) in valid:
                return f"{key} is now called {new}: write {new} in its place"
            return f"unknown key {key}{suggest(location[-1], valid)}"
        case "missing":
            return f"{key} is missing"
        case "union_tag_invalid":
            tag, valid = detail["ctx"]["tag"], detail["ctx"]["expected_tags"].replace("'", "").split(", ")
            return f"{key}.name: {shown(tag)} is not known{suggest(tag, valid)}"
        case "union_tag_not_found":
            return f"{key}.name is missing"
        case "literal_error":
            return f"{key}: {value} is not known; valid choices: {detail['ctx']['expected']}"
        case "float_type" if isinstance(detail["input"], str):
            return f"{key}: {value} is text, not a number (YAML reads 1e-4 as text: write 1.0e-4)"
        case _ if detail["input"] is None:
            return f"{key}{EMPTY}"
        case "value_error":
            said = detail["msg"].removeprefix("Value error, ")
            return f"{key}.{said}" if location else said  # a block's own rule names the key in that block
        case _:
            return f"{key}: {detail['msg']} (got {value})"


def _fields_at(location: tuple[int | str, ...]) -> list[str]:
    """The keys that are valid at a place of the YAML, found by walking the annotations from `Study` down."""
    annotation: Any = Study
    for part in location:
        if _is_model(annotation):
            annotation = annotation.model_fields[str(part)].annotation
        elif get_origin(annotation) is dict:
            annotation = get_args(annotation)[1]
        while get_origin(annotation) is Annotated or type(None) in get_args(annotation):
            annotation = get_args(annotation)[0]  # of `KD | None` the class
        if get_origin(annotation) is not dict:
            # Of the networks the one that pydantic names by its `name` in the location.
            models = [inner for inner in get_args(annotation) if _is_model(inner)]
            annotation = next((model for model in models if _tag(model) == part), annotation)
    return list(annotation.model_fields) if _is_model(annotation) else []


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _tag(model: type[BaseModel]) -> str | None:
    """The value that a class's `name` field must have, where that is a literal: what picks it in a union."""
    literal = get_args(model.model_fields["name"].annotation) if "name" in model.model_fields else ()
    return literal[0] if literal else None
