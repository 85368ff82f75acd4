"""Two hashes of the code behind a run's numbers: of training, which its weights depend on, and of scoring."""

import ast
import hashlib
import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from pfs.config.base import Strict
from pfs.config.study import Study
from pfs.study.code.definitions import CodeError, Definition, Library, Source, parsed
from pfs.study.code.normal_form import normal_form
from pfs.study.places import TEACHER, notebook_of

SCORING = "scoring"  # the tag of a notebook's cells that turn a network's weights into the numbers of its record
# Cells of a notebook that change no record: pictures, and the defaults of its parameters.
UNHASHED_TAGS = {"parameters", "picture"}
MAGIC = re.compile(r"\s*(%{1,2}[a-zA-Z]|!)")  # a line of IPython's own, such as `%matplotlib inline`


class Code(BaseModel):
    """The code behind one run's numbers, by file: a hash of what the run reaches in it.

    Attributes:
        training: what the weights depend on: losses, networks, the loop, the data set, the augmentation.
        scoring: what turns weights into the record's numbers. What training reaches too is not repeated here.
    """

    model_config = ConfigDict(frozen=True)

    training: dict[str, str]
    scoring: dict[str, str]

    @property
    def files(self) -> set[str]:
        """The files that hold it, as paths from the repository's root."""
        return {name if "/" in name else f"notebooks/study/{name}" for name in (*self.training, *self.scoring)}

    @property
    def digest(self) -> str:
        """One hash of all, by which tables name the code: 16 hexadecimal digits."""
        return _hash(json.dumps([self.training, self.scoring], sort_keys=True))


def run_codes(study: Study, methods: Iterable[str]) -> dict[str, Code]:
    """The code that runs of a study depend on, by method: it is the same for all seeds.

    Of the choices by the class of a block of the YAML (the losses, networks, data sets), only those count whose block
    the run names: see `pfs.study.code.normal_form`.

    Args:
        study: the study.
        methods: "teacher", and methods of the study.
    """
    texts: dict[str, str | None] = {}
    chosen = {method: (notebook_of(method), _unused_blocks(study, method)) for method in methods}
    codes = {choice: code_of(choice[0], Library(choice[1], texts)) for choice in set(chosen.values())}
    return {method: codes[choice] for method, choice in chosen.items()}


def run_code(study: Study, method: str) -> Code:
    """The code that a run of a study depends on: see `run_codes`."""
    return run_codes(study, [method])[method]


def code_of(notebook: Path, library: Library | None = None) -> Code:
    """The code that a notebook reaches; prose, comments, docstrings and the words of errors do not count.

    Args:
        notebook: its cells tagged `scoring` are scoring, those tagged `picture` or `parameters` do not count, and all
            others are training.
        library: the modules of `pfs` as a run sees them; None: with all choices.
    """
    library = library or Library(frozenset(), {})
    cells = _code_cells(notebook)
    training = library.reached(_source(notebook.name, cells, library.left_out, scoring=False))
    scoring = library.reached(_source(notebook.name, cells, library.left_out, scoring=True))
    # Statements of a notebook take effect in their order, which definitions by name do not hold.
    training[notebook.name, "order"] = _in_order(cells, library.left_out, scoring=False)
    scoring[notebook.name, "order"] = _in_order(cells, library.left_out, scoring=True)
    only_scoring = {name: text for name, text in scoring.items() if training.get(name) != text}
    return Code(training=_by_file(training), scoring=_by_file(only_scoring))


def _code_cells(notebook: Path) -> list[tuple[ast.Module, bool]]:
    """The code cells that count, without IPython's magics, and whether each is tagged `scoring`."""
    found = []
    for cell in _content(notebook)["cells"]:
        tags = set(cell["metadata"].get("tags", []))
        if cell["cell_type"] == "code" and not UNHASHED_TAGS & tags:
            lines = "".join(cell["source"]).splitlines()
            text = "\n".join(line for line in lines if not MAGIC.match(line))
            found.append((parsed(text, str(notebook)), SCORING in tags))
    return found


def _content(notebook: Path) -> Any:
    try:
        return json.loads(notebook.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CodeError(f"{notebook}: is no notebook ({error}): restore it, with git for instance") from None


def _source(name: str, cells: list[tuple[ast.Module, bool]], left_out: frozenset[str], *, scoring: bool) -> Source:
    """A notebook's cells of scoring, or the others, with the imports of both."""
    statements = [(statement, tagged) for tree, tagged in cells for statement in tree.body]
    counted = [s for s, tagged in statements if tagged is scoring or isinstance(s, ast.Import | ast.ImportFrom)]
    return Source(name, normal_form(ast.Module(counted, type_ignores=[]), left_out))


def _in_order(cells: list[tuple[ast.Module, bool]], left_out: frozenset[str], *, scoring: bool) -> str:
    """The statements of a notebook's cells of scoring, or the others, but for imports: source in normal form."""
    statements = [s for tree, tagged in cells if tagged is scoring for s in tree.body]
    counted: list[ast.stmt] = [s for s in statements if not isinstance(s, ast.Import | ast.ImportFrom)]
    return ast.unparse(normal_form(ast.Module(counted, type_ignores=[]), left_out))


def _by_file(definitions: dict[Definition, str]) -> dict[str, str]:
    """Of the definitions of each file one hash."""
    files: dict[str, list[str]] = {}
    for (name, _), text in sorted(definitions.items()):
        files.setdefault(name if name.endswith(".ipynb") else f"{name.replace('.', '/')}.py", []).append(text)
    return {file: _hash("\n".join(texts)) for file, texts in files.items()}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _unused_blocks(study: Study, method: str) -> frozenset[str]:
    """The classes of the YAML's blocks that the run does not use, neither directly nor as a base class."""
    own: list[object] = [study.data, study.augmentation, study.evaluation]
    if method == TEACHER:
        own += [study.teacher]
    else:
        terms = study.method(method)
        own += [study.student, terms, *([study.teacher] if terms.needs_teacher else [])]
    used = {kind for block in own for found in _blocks(block) for kind in type(found).__mro__}
    return frozenset(kind.__name__ for kind in _all_blocks(Strict) - used)


def _blocks(block: object) -> list[Strict]:
    """A block and all that stand in it."""
    if not isinstance(block, Strict):
        return []
    return [block, *(found for _, value in block for found in _blocks(value))]


@cache
def _all_blocks(kind: type[Strict]) -> frozenset[type[Strict]]:
    return frozenset({kind}.union(*map(_all_blocks, kind.__subclasses__())))
