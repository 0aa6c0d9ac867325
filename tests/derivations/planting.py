"""Derivations as people write them, each right one with the mistakes that can be planted in it.

A file of `networks/` or `held_out/` is a user's file down to the line `# Cases`. Below it stand `problem(user, rng)`,
what the user passes to `verify`, and edits of the text above: RIGHT, which leave the gradients what they are, and
MISTAKES, which do not. A case is the user's file with at most one edit, written to disk and imported as any other.
"""

import atexit
import importlib.util
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import count, islice
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import numpy as np

from .truth import Call, mapped, moved, parameters, seeded, trained, wrong

HERE = Path(__file__).parent
MARK = "\n# Cases"
SHELF = tempfile.TemporaryDirectory(prefix="derivations-")  # of the edited files
atexit.register(SHELF.cleanup)


@dataclass(frozen=True)
class Right:
    """`old`, which stands once in the user's file, in other words. `note` must occur in a note of the report."""

    old: str = ""
    new: str = ""
    note: str = ""
    cause: ClassVar[None] = None
    at: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True)
class Mistake:
    """An edit that makes a gradient wrong, and what a report should say of it. Of several fair answers, all.

    cause   the slug, or None where no single one can be proven; factor-N is a gradient N times too large
    at      the first wrong step as the source writes it
    fix     whether one mended line can be expected
    """

    cause: str | tuple[str | None, ...] | None
    at: str | tuple[str, ...]
    old: str
    new: str
    fix: bool = True
    note: ClassVar[str] = ""


@dataclass(frozen=True)
class Network:
    """One file: the user's text, and the cases of it."""

    path: Path

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def held_out(self) -> bool:
        """Whether nobody looks at its cases one by one while `verify` is being made."""
        return self.path.parent.name == "held_out"

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8").partition(MARK)[0] + "\n"

    @cached_property
    def cases_module(self) -> ModuleType:
        return imported(f"{__package__}.{self.path.parent.name}.{self.name}", self.path)

    @property
    def problem(self) -> Callable[[ModuleType, np.random.Generator], Call]:
        return self.cases_module.problem

    @property
    def precision(self) -> tuple[float, float]:
        """The step and the tolerance with which the user's arithmetic, float64 or float32, can be judged."""
        return (1e-2, 2e-3) if getattr(self.cases_module, "FLOAT32", False) else (1e-5, 1e-6)

    @property
    def at_kink(self) -> bool:
        """Whether the loss has no derivative where the user stands, so that a derivation must be judged beside it."""
        return getattr(self.cases_module, "AT_KINK", False)

    def wrong(self, call: Call, seed: int) -> list[str]:
        """The parameters whose gradients are wrong in a call, by difference quotients of the user's own loss."""
        rng = np.random.default_rng(seed)
        if self.at_kink:
            call = moved(call, mapped(lambda w: w + rng.normal(size=np.shape(w)), parameters(call)))
        return wrong(call, rng, *self.precision)

    @cached_property
    def fair_seeds(self) -> list[int]:
        """Two seeds at which difference quotients do not call the right derivation wrong: no kink is too near."""
        right = next(self.cases())
        return list(islice((seed for seed in count(100) if not right.is_wrong(seed)), 2))

    def cases(self) -> Iterator["Case"]:
        """The user's file as it is, and with each of its edits."""
        unchanged = Right(note=getattr(self.cases_module, "NOTE", ""))
        for number, edit in enumerate([unchanged, *self.cases_module.RIGHT, *self.cases_module.MISTAKES]):
            yield Case(self, number, edit)


@dataclass(frozen=True)
class Case:
    """A network's file with one edit."""

    network: Network
    number: int
    edit: Right | Mistake

    def __str__(self) -> str:
        kind = "right" if self.is_right else several(self.edit.cause)[0]
        return f"{self.network.name}-{self.number}-{kind}"

    @property
    def is_right(self) -> bool:
        return isinstance(self.edit, Right)

    @cached_property
    def user(self) -> ModuleType:
        """The edited file as a module whose functions have a source."""
        text = self.network.text
        if self.edit.old:
            assert text.count(self.edit.old) == 1, f"{self}: {self.edit.old!r} stands {text.count(self.edit.old)} times"
            text = text.replace(self.edit.old, self.edit.new)
        name = f"{self.network.name}_{self.number}"
        path = Path(SHELF.name, f"{name}.py")
        path.write_text(text, encoding="utf-8")
        return imported(name, path)

    def call(self, seed: int, after_training: bool = False) -> Call:
        """What the user passes, at random parameters or at those that the right derivation has found."""
        with seeded(seed):
            call = self.network.problem(self.user, np.random.default_rng(seed))
        return moved(call, found(self.network, seed)) if after_training else call

    def is_wrong(self, seed: int) -> list[str]:
        """The parameters whose gradients are wrong, by difference quotients of the user's own loss."""
        return self.network.wrong(self.call(seed), seed)


def imported(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses and inspect look for it
    spec.loader.exec_module(module)
    return module


@cache
def found(network: Network, seed: int) -> dict[str, object]:
    """The parameters after training."""
    right = next(network.cases())
    return trained(right.call(seed))


def several(answers: str | tuple[str | None, ...] | None) -> tuple[str | None, ...]:
    """Fair answers, one or more, as a tuple."""
    return answers if isinstance(answers, tuple) else (answers,)


@cache
def networks() -> tuple[Network, ...]:
    files = sorted(HERE.glob("networks/*.py")) + sorted(HERE.glob("held_out/*.py"))
    return tuple(Network(file) for file in files if file.stem != "__init__")


def cases() -> list[Case]:
    return [case for network in networks() for case in network.cases()]
