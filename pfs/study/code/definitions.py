"""Which definitions of `pfs` some code reaches: a call graph by names, read from the source without importing it.

A definition is a statement at the top level of a file: a function, a class with all its methods, a constant. It reaches
every definition whose name it mentions, in its own file or through an import. That finds more than what is called (a
name in a type counts, and a local variable called like a function), and never less, as long as the code reaches other
files by names.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import cast

from pfs.config.base import StudyError
from pfs.config.files import repository
from pfs.study.code.normal_form import dotted, normal_form

# Rooms that affect a run only through its settings and the checksums of its data, which are compared separately.
UNHASHED = ("pfs.config.", "pfs.study.", "pfs.data.install.")

Definition = tuple[str, str]  # the module (or the notebook), and the name; "" for statements that define no name


class CodeError(StudyError):
    """Code of the clone cannot be read, so that no run can be told to be of it."""


@dataclass(frozen=True)
class Source:
    """A parsed file: what it defines, and what it imports.

    Attributes:
        name: the dotted name of a module of `pfs`, or the file name of a notebook.
        tree: its code in normal form.
    """

    name: str
    tree: ast.Module

    @cached_property
    def imports(self) -> dict[str, set[str]]:
        """Each name that an import binds, anywhere in the file -> the dotted names that it may stand for."""
        found: dict[str, set[str]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                pairs = [(alias.asname or alias.name.split(".")[0], alias) for alias in node.names]
                for name, alias in pairs:
                    found.setdefault(name, set()).add(alias.name if alias.asname else name)
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    found.setdefault(alias.asname or alias.name, set()).add(f"{node.module}.{alias.name}")
        return found

    @cached_property
    def definitions(self) -> dict[str, list[ast.stmt]]:
        """Each name of the top level -> the statements that define it; "" -> those that define none."""
        found: dict[str, list[ast.stmt]] = {}
        for statement in self.tree.body:
            if not isinstance(statement, ast.Import | ast.ImportFrom):
                for name in _defined(statement) or {""}:
                    found.setdefault(name, []).append(statement)
        return found

    @cached_property
    def texts(self) -> dict[str, str]:
        """Each name of the top level -> the source in normal form of the statements that define it."""
        return {name: "\n".join(map(ast.unparse, body)) for name, body in self.definitions.items()}

    @cached_property
    def mentions(self) -> dict[str, set[str]]:
        """Each name of the top level -> the dotted names that the statements which define it mention."""
        return {name: set().union(*map(_mentioned, body)) for name, body in self.definitions.items()}


@dataclass(frozen=True)
class Library:
    """The modules of `pfs` as a run sees them.

    Attributes:
        left_out: classes of the study's YAML that the run does not use, see `pfs.study.code.normal_form`.
        texts: the source of each module that has been asked for, and None for names that are no module's. Libraries of
            several runs share them, so that each file is read once.
        root: the folder of `pfs`: this clone, or one that holds the code of an earlier commit.
    """

    left_out: frozenset[str]
    texts: dict[str, str | None]
    root: Path = field(default_factory=repository)

    def reached(self, notebook: Source) -> dict[Definition, str]:
        """All definitions that the code of a notebook reaches, its own included, with their source in normal form.

        An import from elsewhere than `pfs` counts as a line of its own, so that another library's function of the same
        name is another.
        """
        found: dict[Definition, str] = {}
        pending = [(notebook, name) for name in notebook.definitions]
        while pending:
            source, name = pending.pop()
            if (source.name, name) in found or name not in source.definitions:
                continue
            found[source.name, name] = source.texts[name]
            pending += [(source, ""), *self._defined_in_pfs(source, source.mentions[name])]
            found |= {(source.name, line): line for line in _foreign(source, source.mentions[name])}
        return found

    def _defined_in_pfs(self, source: Source, names: Iterable[str]) -> Iterator[tuple[Source, str]]:
        """Where the names that a source mentions are defined."""
        for name in names:
            first, _, rest = name.partition(".")
            if first in source.definitions:
                yield source, first
            for target in source.imports.get(first, ()):
                if target.partition(".")[0] == "pfs":
                    yield from self._look_up(f"{target}.{rest}".rstrip("."))

    def _look_up(self, target: str) -> Iterator[tuple[Source, str]]:
        """The definition of a dotted name of `pfs`: of a module itself, all that it defines."""
        module, text = target, self._text(target)
        while text is None and "." in module:
            module = module.rpartition(".")[0]
            text = self._text(module)
        if text is None or f"{module}.".startswith(UNHASHED):
            return
        source = _parsed(module, text, self.left_out & _words(text))
        name = target.removeprefix(module).lstrip(".").partition(".")[0]
        if name:
            yield from self._defined_in_pfs(source, [name])
        else:
            yield from ((source, each) for each in source.definitions)

    def _text(self, module: str) -> str | None:
        """The source of a module of `pfs`, if there is such a module."""
        if module not in self.texts:
            base = self.root.joinpath(*module.split("."))
            files = [file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()]
            self.texts[module] = files[0].read_text(encoding="utf-8") if files else None
        return self.texts[module]


def _defined(statement: ast.stmt) -> set[str]:
    """The names that a statement of the top level defines; the variables of a comprehension are none of them."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    found, pending = set(), [cast(ast.AST, statement)]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        pending += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.comprehension)]
    return found


def _mentioned(node: ast.AST) -> set[str]:
    """The names in some code, with the attributes behind them: `baselines.cwd_loss`."""
    if name := dotted(node):
        return {name}
    return set().union(*map(_mentioned, ast.iter_child_nodes(node)))


def _foreign(source: Source, names: Iterable[str]) -> Iterator[str]:
    """The imports, as lines, of the names that a source takes from elsewhere than `pfs`."""
    for first in {name.partition(".")[0] for name in names}:
        for target in source.imports.get(first, ()):
            if target.partition(".")[0] != "pfs":
                yield f"{first} = {target}"


@cache
def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text))


@cache
def _parsed(name: str, text: str, left_out: frozenset[str]) -> Source:
    return Source(name, normal_form(parsed(text, name), left_out))


def parsed(text: str, name: str) -> ast.Module:
    """The syntax tree of some code.

    Raises:
        CodeError: it is no Python.
    """
    try:
        return ast.parse(text, filename=name)
    except SyntaxError as error:
        raise CodeError(f"{name}: is no Python ({error}): mend it") from None
