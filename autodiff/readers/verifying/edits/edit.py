"""An edit: what the source reads in the end."""

from __future__ import annotations

from dataclasses import dataclass

from ..instrument import Patch, Statement
from .line import Cause


@dataclass(frozen=True)
class Edit:
    """A mended statement."""

    statement: Statement
    text: str  # of the whole statement, or of the line that is changed
    patch: Patch
    why: Cause = None  # the cause that it would prove
    expression: str | None = None  # where nothing but the expression changes

    @property
    def cause(self) -> str | None:
        """The cause that it would prove."""
        return self.why() if callable(self.why) else self.why


def of_expression(statement: Statement, expression: str, cause: Cause) -> Edit:
    """A statement with another expression."""
    text = statement.with_expression(expression)
    return Edit(statement, text, statement.replaced(text), cause, expression)
