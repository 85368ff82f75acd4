"""Code without what cannot change a run's numbers: docstrings, words of errors, and choices that it does not name.

Comments and formatting go with parsing. A choice is made by the class of a block of the study's YAML, in a `case` of a
`match` or by an entry of a dict. Where a run names no block of that class, the case or entry is left out:

    match term:                          LOSSES = {
        case CWD(): ...                      CWD: cwd_loss,  # neither counts for a run without CWD
"""

import ast
from typing import cast


def normal_form(tree: ast.Module, left_out: frozenset[str]) -> ast.Module:
    """The code that counts, changed in place.

    Args:
        tree: parsed code.
        left_out: names of the classes whose cases and entries do not count.
    """
    return cast(ast.Module, _NormalForm(left_out).visit(tree))


def dotted(node: ast.AST | None) -> str:
    """A name with its attributes, such as `config.DigitScenes`; "" for what is neither."""
    if isinstance(node, ast.Name):
        return node.id
    before = dotted(node.value) if isinstance(node, ast.Attribute) else ""
    return f"{before}.{node.attr}" if before and isinstance(node, ast.Attribute) else ""


class _NormalForm(ast.NodeTransformer):
    def __init__(self, left_out: frozenset[str]) -> None:
        self.left_out = left_out

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else self.generic_visit(node)  # such as a docstring

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
        return self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        node.msg = None
        return self.generic_visit(node)

    def visit_Match(self, node: ast.Match) -> ast.AST:
        node.cases = [case for case in node.cases if not self._is_left_out(case.pattern)]
        return self.generic_visit(node)

    def visit_Dict(self, node: ast.Dict) -> ast.AST:
        pairs = list(zip(node.keys, node.values, strict=True))
        counted = [pair for pair in pairs if _last(pair[0]) not in self.left_out]
        node.keys, node.values = [key for key, _ in counted], [value for _, value in counted]
        return self.generic_visit(node)

    def _is_left_out(self, pattern: ast.pattern | None) -> bool:
        match pattern:
            case ast.MatchClass():
                return _last(pattern.cls) in self.left_out
            case ast.MatchOr():
                return all(self._is_left_out(choice) for choice in pattern.patterns)
            case ast.MatchAs(pattern=inner):
                return self._is_left_out(inner)
            case _:
                return False


def _last(node: ast.AST | None) -> str:
    """The last part of a dotted name."""
    return dotted(node).rpartition(".")[2]
