"""Tables of the keys of a study's YAML: types and defaults from the classes, meanings as the page has them.

A meaning is prose, and so it is kept on the page, where its author sees it rendered: a table that is made anew takes
over the meaning of each key from the old one.
"""

import re
from typing import Any, get_args

from pfs.config.base import StudyError
from pfs.config.data import AugmentationConfig, Data, Evaluation
from pfs.config.methods import Method, Term
from pfs.config.networks import Network
from pfs.config.study import AdamWConfig, OneCycle, Poly, SgdConfig, Study, TeacherConfig
from pfs.report.docs.keys.schema import Key, Model, keys_of
from pfs.report.tables.main import markdown_table

HEAD = ("key", "value", "default", "meaning")
NO_MEANING = "**to be written**"


def _named(union: Any) -> dict[str, Model]:
    """The classes of a union of blocks, by the `name` that picks each."""
    classes = get_args(get_args(union)[0])
    return {get_args(one.model_fields["name"].annotation)[0]: one for one in classes}


def _terms() -> dict[str, Model]:
    """The classes of the terms, by the key that a method gives them."""
    fields = {name: field for name, field in Method.model_fields.items() if name not in ("label", "learning_rate")}
    return {name: get_args(field.annotation)[0] for name, field in fields.items()}


def _own_keys(named: dict[str, Model], shared: tuple[str, ...]) -> list[Key]:
    """The keys of several blocks as `block.key`, without those that all of them share."""
    return [
        Key(f"{prefix}.{key.name}", key.value, key.default)
        for prefix, model in named.items()
        for key in keys_of(model)
        if key.name not in shared
    ]


# Each table of the page: the keys that it must have.
TABLES: dict[str, list[Key]] = {
    "study": keys_of(Study),
    "data": _own_keys(_named(Data), ("name",)),
    "augmentation": keys_of(AugmentationConfig),
    "evaluation": keys_of(Evaluation),
    "training": keys_of(TeacherConfig),
    "networks": _own_keys(_named(Network), ("name",)),
    "schedules": _own_keys({"sgd": SgdConfig, "adamw": AdamWConfig, "one_cycle": OneCycle, "poly": Poly}, ("name",)),
    "terms": [*keys_of(Method), *keys_of(Term), *_own_keys(_terms(), tuple(Term.model_fields))],
}


def table(name: str, old: str) -> str:
    """One of `TABLES` as Markdown.

    Args:
        name: which one.
        old: the table that the page has; the meanings are taken from it. A new key's is `NO_MEANING`.

    Raises:
        StudyError: the page explains a key that there is not (any more); one line.
    """
    meanings = dict(re.findall(r"^\| `([^`]+)` \|.*\| ([^|]+) \|$", old, re.MULTILINE))
    wanted = TABLES[name]
    if unknown := meanings.keys() - {key.name for key in wanted}:
        raise StudyError(
            f"docs: table keys-{name}: there is no key {', '.join(sorted(unknown))}: rename or delete its row"
        )
    rows = [(f"`{key.name}`", key.value, key.default, meanings.get(key.name, NO_MEANING)) for key in wanted]
    return markdown_table(HEAD, rows, numbers=False)
