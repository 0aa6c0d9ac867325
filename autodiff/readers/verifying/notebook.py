"""`%%verify loss w1=w1_gred w2=w2_gred`: a cell of a notebook as a function that is verified."""

from __future__ import annotations

import ast
import functools
import linecache
import re
from types import FunctionType
from typing import Any

from .report import Report
from .verify import verify

USAGE = "%%verify LOSS NAME=GRADIENT ..., as in %%verify loss w1=w1_grad w2=w2_grad"


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext autodiff`: the cell magic `%%verify`."""
    shell.register_magic_function(functools.partial(verify_cell, shell), "cell", "verify")


def verify_cell(shell: Any, line: str, cell: str) -> Report:
    """Verify the gradients that a cell derives, where the notebook stands. The cell's variables are not kept.

    `line` names the variable that holds the loss, and for each parameter the one that holds its gradient. A parameter
    is moved from where the cell first assigns it, or else from the value that the notebook has.
    """
    loss, gradients = _parsed(line)
    file = f"<In[{shell.displayhook.prompt_count}]>"
    step, arguments = _function(cell, file, shell.user_ns, [*gradients])
    return verify(step, *arguments, loss=loss, gradients=gradients)


def _parsed(line: str) -> tuple[str, dict[str, str]]:
    match = re.fullmatch(r"\s*(\w+)((?:\s+[^\s=]+=[^\s=]+)+)\s*", line)
    if match is None:
        from IPython.core.error import UsageError  # shown in one line; only IPython calls this

        raise UsageError(f"write {USAGE}; after %%verify stands {line.strip() or 'nothing'}")
    return match[1], dict(pair.split("=") for pair in match[2].split())


def _function(cell: str, file: str, variables: dict[str, Any], parameters: list[str]) -> tuple[FunctionType, list[Any]]:
    """The cell as a function of what it reads before it assigns it, and the values of that in the notebook."""
    tree = ast.parse(cell, file)
    uses = FirstUses()
    uses.visit(tree)
    roots = [re.split(r"\W", name)[0] for name in parameters]
    given = [name for name in (*uses.assigned, *roots) if name not in uses.assigned or name in uses.read_first]
    needed = [name for name in dict.fromkeys(given) if name in variables]
    source = f"def cell({', '.join(needed)}):\n{_indented(cell, tree)}\n"  # its first line where `%%verify` stood
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    made: dict[str, Any] = {}
    exec(compile(source, file, "exec"), variables, made)
    return made["cell"], [variables[name] for name in needed]


def _indented(cell: str, tree: ast.AST) -> str:
    """The cell as the body of a function; what is inside a string of several lines stays as it is."""
    strings = [node for node in ast.walk(tree) if isinstance(node, (ast.Constant, ast.JoinedStr))]
    inside = {line for node in strings for line in range(node.lineno + 1, (node.end_lineno or 0) + 1)}
    lines = cell.splitlines() or ["pass"]
    return "\n".join(line if number in inside else f"    {line}" for number, line in enumerate(lines, 1))


class FirstUses(ast.NodeVisitor):
    """Which names code assigns, and which it reads before that, from top to bottom.

    >>> uses = FirstUses()
    >>> uses.visit(ast.parse("z = x @ w; w -= z; x = 0; f = lambda y: y"))
    >>> [*uses.assigned], sorted(uses.read_first)
    (['z', 'w', 'x', 'f'], ['w', 'x'])
    """

    def __init__(self) -> None:
        self.assigned: dict[str, None] = {}
        self.read_first: set[str] = set()

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.assigned[node.id] = None
        elif node.id not in self.assigned:
            self.read_first.add(node.id)

    def visit_Assign(self, node: ast.Assign) -> None:
        for part in (node.value, *node.targets):
            self.visit(part)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        read = [ast.Name(node.target.id, ast.Load())] if isinstance(node.target, ast.Name) else []
        for part in (node.value, *read, node.target):
            self.visit(part)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.assigned[node.name] = None  # its inside has names of its own, and runs later

    def visit_Lambda(self, node: ast.Lambda) -> None:
        pass
