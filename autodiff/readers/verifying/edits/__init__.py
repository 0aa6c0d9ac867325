"""Single edits of a statement, each with the mistake that it would mend.

An edit is another text in the place of a part of the source. Most are made at a node of the syntax tree of the
expression that the statement assigns; some change what is around it. Which of them are right is found out by computing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..scope import Scope
from .derived import written
from .edit import Edit, of_expression
from .line import Candidate, Cause, Line
from .names import indexed, renamed, swapped
from .products import multiplied, products, reductions, transposed
from .sharing import unshared
from .signs import counts, exponents, factors, literals, signs
from .slopes import slopes
from .statements import after, around, exchanged, instead, rewritten
from .synthesis import synthesized
from .terms import buffers, functions, masks, summed, terms, wrapped

__all__ = [
    "KINDS", "Candidate", "Edit", "after", "around", "candidates", "exchanged", "instead", "of_expression", "rewritten",
    "synthesized", "unshared", "written",
]  # fmt: skip

Kind = Callable[[Line, Scope, bool], Iterator[Candidate]]

KINDS: tuple[Kind, ...] = (
    signs, slopes, factors, renamed, indexed, swapped, transposed, products, multiplied, reductions, literals,
    exponents, counts, masks, terms, functions, wrapped, summed, buffers,
)  # fmt: skip


def candidates(text: str, scope: Scope, final: bool) -> Iterator[Candidate]:
    """All single edits of an expression, each once, and once more with a cause if it had none.

    `final`: it is the gradient of a parameter, not a step before.
    """
    line, causes = Line(text), dict[str, Cause]()
    for kind in KINDS:
        for new, cause in kind(line, scope, final):
            if new != text and (new not in causes or (cause is not None and not isinstance(causes[new], str))):
                causes[new] = cause
                yield Candidate(new, cause)
