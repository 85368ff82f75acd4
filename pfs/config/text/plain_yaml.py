"""A YAML file read as plain values, with one clear error for anything that a person did not mean to write. No torch.

Besides what is no YAML at all, these are refused, each with its line: a key that stands twice in one block, of which
YAML would silently keep the last; numbers of more digits than a computer's integers have; nesting without end; and
aliases (`*name`) that stand for more values than anybody writes, which would take minutes and all memory.
"""

from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MOST_BYTES = 2**20  # of a file: a study of a thousand methods takes a tenth of it
MOST_VALUES = 100_000  # in a file, after each alias has been replaced by what it stands for
LARGEST_INTEGER = 2**63 - 1


class PlainYamlError(ValueError):
    """The content of a file is not YAML, or is refused; one line, without the file's name."""


def read_yaml(file: Path) -> Any:
    """The content of a YAML file: mappings, lists, texts, numbers.

    Args:
        file: of at most 1 MiB, in UTF-8.

    Raises:
        PlainYamlError: the content is refused.
        OSError: the file cannot be read.
    """
    with file.open("rb") as opened:
        content = opened.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise PlainYamlError(f"is larger than {MOST_BYTES // 2**20} MiB: is it a study's file?")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise PlainYamlError(
            f"line {line} is not UTF-8 text (byte 0x{content[error.start]:02x}): save the file as UTF-8"
        ) from None
    return parse_yaml(text)


def parse_yaml(text: str) -> Any:
    """The content of a YAML text; `read_yaml` says what is refused, and how."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _refuse_what_nobody_means(node)
        return loader.construct_document(node)
    except RecursionError:
        raise PlainYamlError("is nested too deeply: a study has a few levels") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise PlainYamlError(f"not YAML: line {line}: a character that text does not have") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
        raise PlainYamlError(f"not YAML: {where}{error.problem or error.context}") from None


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which tells the line of a value that cannot be made."""

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
        # PyYAML lets through what Python says to a date of month 13, a `!!bool maybe` or a number of 5,000 digits.
        except (ValueError, KeyError, IndexError, AttributeError, OverflowError):
            raise _refused(node, f"{_start(node)} cannot be read as {node.tag.rsplit(':', 1)[-1]}") from None
        if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
            raise _refused(node, f"{_start(node)} is too large a number")
        return value


def _refuse_what_nobody_means(root: Node) -> None:
    """Walk over all values, an alias being what it stands for, and refuse too many of them and keys that repeat.

    An alias inside the very block that it stands for is refused too: it has no end.
    """
    pending, seen = [root], 0
    while pending:
        node = pending.pop()
        seen += 1
        if seen > MOST_VALUES:
            raise _refused(node, f"more than {MOST_VALUES:,} values, aliases (*name) written out: write fewer")
        if isinstance(node, MappingNode):
            _refuse_repeated_keys(node)
            pending += [part for pair in node.value for part in pair]
        elif isinstance(node, SequenceNode):
            pending += node.value


def _refuse_repeated_keys(block: MappingNode) -> None:
    lines: dict[tuple[str, str], int] = {}
    for key, _ in block.value:
        if not isinstance(key, ScalarNode):
            continue
        name = (key.tag, key.value)
        if name in lines:
            raise _refused(key, f"the key {_start(key)} stands twice (first in line {lines[name]}): keep one")
        lines[name] = key.start_mark.line + 1


def _refused(node: Node, problem: str) -> ConstructorError:
    return ConstructorError(None, None, problem, node.start_mark)


def _start(node: Node) -> str:
    """The beginning of a value as it stands in the file."""
    text = str(node.value)
    return repr(text if len(text) <= 40 else f"{text[:40]}...")
