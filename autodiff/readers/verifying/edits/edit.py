"""An edit: what the source reads in the end."""

from __future__ import annotations

from dataclasses import dataclass

from ..instrument import Patch, Statement


@dataclass(frozen=True)
class Edit:
    """A mended statement."""

    statement: Statement
    text: str  # of the whole statement, or of the line that is changed
    patch: Patch
    cause: str | None = None  # that it would prove
    expression: str | None = None  # where nothing but the expression changes


def of_expression(statement: Statement, expression: str, cause: str | None) -> Edit:
    """A statement with another expression."""
    text = statement.with_expression(expression)
    return Edit(statement, text, statement.replaced(text), cause, expression)
