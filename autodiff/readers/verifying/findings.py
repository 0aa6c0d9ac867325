"""What was found out about a derivation, as data: what a report tells."""

from __future__ import annotations

from dataclasses import dataclass, field

from .instrument import Statement
from .truth import Agreement


@dataclass(frozen=True)
class Step:
    """One step of the derivation: the name that it is assigned to, and what it should be."""

    name: str
    line: int
    meaning: str  # "∂L/∂z2", or "" where it is not known
    state: str  # "right", "wrong", "follows" (wrong because an earlier one is) or "unknown"
    digits: float | None = None  # that agree, of a right one


@dataclass(frozen=True)
class Mistake:
    """A wrong step: where it stands, and, as far as that is proven, why, and what mends it."""

    name: str
    statement: Statement | None
    meaning: str = ""  # what the value should be: "∂L/∂z1"
    cause: str | None = None  # a slug, proven
    words: str = ""  # the cause, said to a person
    fix: str | None = None  # the mended source line, verified
    otherwise: str | None = None  # another line that mends it as well, verified
    wrong: tuple[str, ...] = ()  # the gradients that it makes wrong


@dataclass(frozen=True)
class Findings:
    """All that is told."""

    verdict: str  # "right", "wrong" or "cannot tell"
    function: str
    file: str
    gradients: dict[str, Agreement]  # by the parameter's name: the worst of all points
    steps: tuple[Step, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    notes: tuple[str, ...] = ()
    points: int = 0  # random points that were tried, beside the user's own
    witness: float | None = None  # digits to which finite differences agree with the true gradient
    located: bool = True  # whether the source was there
    details: dict[str, str] = field(default_factory=dict[str, str])  # "headline": another one than the usual
