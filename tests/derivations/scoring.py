"""What `verify` says of the cases, and how much of it is right."""

import ast
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MethodType

import numpy as np

import autodiff as ad

from .planting import SHELF, Case, Mistake, imported, several
from .truth import Call, seeded


@dataclass(frozen=True)
class Outcome:
    """One report of one case."""

    case: Case
    seed: int
    after_training: bool
    verdict: str  # or the error that verify raised
    first_wrong: str | None
    cause: str | None
    fix: str | None
    notes: tuple[str, ...]
    seconds: float
    untouched: bool  # whether verify has left the user's arrays, instances, globals and random state as they were

    @property
    def detected(self) -> bool:
        return self.verdict == "wrong"

    @property
    def located(self) -> bool:
        """Whether the name is an expected one: `deltas[-l]` and `deltas[-2]` are two names of a step in a loop."""
        return self.detected and plain(self.first_wrong) in {plain(name) for name in several(self.case.edit.at)}

    @property
    def cause_right(self) -> bool:
        """Whether the cause is named, and rightly; where none can be proven, whether none is named."""
        causes = several(self.case.edit.cause)
        return self.detected and self.cause in causes and (self.cause is not None or len(causes) == 1)

    @property
    def cause_wrong(self) -> bool:
        return self.cause is not None and self.cause not in several(self.case.edit.cause)

    @property
    def fixed(self) -> bool:
        return self.fix is not None

    @property
    def fix_wrong(self) -> bool:
        """Whether a fix is shown that does not mend the file, wherever a line is replaced by it."""
        return self.fix is not None and not any(mends(self.case, text) for text in replaced(self.case, self.fix))

    @property
    def false_alarm(self) -> bool:
        return self.verdict != "right"

    @property
    def noted(self) -> bool:
        return any(self.case.edit.note in note for note in self.notes) or not self.case.edit.note

    @property
    def as_expected(self) -> bool:
        if not isinstance(self.case.edit, Mistake):
            return not self.false_alarm and self.noted and self.untouched
        return (
            self.untouched
            and self.located
            and self.cause in several(self.case.edit.cause)
            and self.fixed >= self.case.edit.fix
        )

    def __str__(self) -> str:
        edit = self.case.edit
        where = f"{self.case} seed {self.seed}{' trained' if self.after_training else ''}"
        if not isinstance(edit, Mistake):
            expected = f" expected {edit.note!r} in {list(self.notes)}" if not self.noted else ""
            return f"{where}\n    + {edit.new.strip()}\n    {self.verdict}, {self.first_wrong}{expected}"
        return (
            f"{where}\n    - {edit.old.strip()}\n    + {edit.new.strip()}\n"
            f"    {self.verdict}, {self.first_wrong}, {self.cause}, {self.fix}\n"
            f"    expected {edit.at}, {edit.cause}, {'a fix' if edit.fix else 'no fix needed'}"
        )


def plain(name: str | None) -> str:
    return re.sub(r"[\s'\"]", "", name or "")


def replaced(case: Case, fix: str) -> Iterator[str]:
    """The file with the fix in the place of one statement, or after it, for every one that it could be meant for."""
    text = Path(case.user.__file__ or "").read_text(encoding="utf-8")
    lines, fix = text.splitlines(), fix.strip()
    if fix.startswith("# "):  # a line too many
        removed = [i for i, line in enumerate(lines) if line.strip().startswith(fix.removeprefix("# "))]
        yield from ("\n".join([*lines[:i], *lines[i + 1 :], ""]) for i in removed)
        return
    try:
        meant = target(ast.parse(f"{fix} pass" if fix.endswith(":") else fix).body[0])
    except (SyntaxError, IndexError):  # no statement
        return
    for statement in ast.walk(ast.parse(text)):
        if isinstance(statement, ast.stmt):
            for first, last in spots(statement, meant, fix):
                yield "\n".join([*lines[:first], " " * statement.col_offset + fix, *lines[last:], ""])


def spots(statement: ast.stmt, meant: str | None, fix: str) -> Iterator[tuple[int, int]]:
    """The lines that a fix can take the place of; none of them where it is one line more."""
    body = getattr(statement, "body", None)
    if "after the loop" in fix:
        inside = {target(inner) for inner in ast.walk(statement) if isinstance(inner, ast.stmt)}
        if isinstance(statement, ast.For | ast.While) and meant in inside and statement.end_lineno:
            yield statement.end_lineno, statement.end_lineno
    elif target(statement) == meant is not None:
        last = body[0].lineno - 1 if body else statement.end_lineno or 0
        yield statement.lineno - 1, last
        yield last, last


def target(statement: ast.stmt) -> str | None:
    """What tells a statement from others: the variable that it sets, wholly or in part, or its keyword."""
    match statement:
        case ast.Assign(targets=[ast.Subscript() as part, *_]) | ast.AugAssign(target=ast.Subscript() as part):
            while isinstance(part, ast.Subscript):
                part = part.value
            return ast.unparse(part)
        case ast.Assign(targets=[ast.Tuple(elts=names)]):  # in any order
            return ", ".join(sorted(map(ast.unparse, names)))
        case ast.Assign(targets=[name, *_]) | ast.AugAssign(target=name):
            return ast.unparse(name)
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="at"), args=[array, *_])):  # np.add.at writes to it
            return ast.unparse(array)
        case ast.Expr(value=ast.Call() as call):
            return ast.unparse(call.func)
        case ast.Return() | ast.For() | ast.While() | ast.If():
            return type(statement).__name__
        case _:
            return None


def mends(case: Case, text: str) -> bool:
    """Whether the gradients of a file are right, with the case's problem at two seeds."""
    path = Path(SHELF.name, f"fixed_{case.network.name}_{case.number}_{abs(hash(text))}.py")
    path.write_text(text, encoding="utf-8")
    try:
        user = imported(path.stem, path)
        with seeded(100):
            calls = [case.network.problem(user, np.random.default_rng(seed)) for seed in case.network.fair_seeds]
        return not any(case.network.wrong(call, 0) for call in calls)
    except Exception:  # a line at another place may do anything
        return False


def outcome(case: Case, seed: int, after_training: bool = False) -> Outcome:
    """What verify says of one case."""
    call = case.call(seed, after_training)
    before, start = state(case, call), time.perf_counter()
    try:
        report = ad.verify(call.step, *call.args, **call.keywords)
    except Exception as error:  # counts as a miss
        said = (f"{type(error).__name__}: {error}", None, None, None, ())
    else:
        said = (report.verdict, report.first_wrong, report.cause, report.fix, tuple(report.notes))
    seconds = time.perf_counter() - start
    return Outcome(case, seed, after_training, *said, seconds, state(case, call) == before)


def state(case: Case, call: Call) -> object:
    """All that a user's function could change."""
    return fingerprint([call.step, call.keywords, call.args, vars(case.user), np.random.get_state()])


def fingerprint(value: object) -> object:
    """Something that is equal only while the numbers inside a value are; functions and modules count as themselves."""
    match value:
        case np.ndarray():
            return value.shape, value.dtype, value.tobytes()
        case dict():
            return [(key, fingerprint(part)) for key, part in value.items() if key != "__builtins__"]
        case list() | tuple():
            return [fingerprint(part) for part in value]
        case MethodType():
            return fingerprint(vars(value.__self__))
        case int() | float() | str():
            return value
        case _:
            return id(value)


@dataclass(frozen=True)
class Rates:
    """How many of the outcomes are what they should be."""

    outcomes: tuple[Outcome, ...]

    @property
    def mistakes(self) -> list[Outcome]:
        return [one for one in self.outcomes if not one.case.is_right]

    @property
    def right(self) -> list[Outcome]:
        return [one for one in self.outcomes if one.case.is_right]

    def share(self, name: str) -> float:
        """The share of the mistakes that have the property of this name: located, cause_right, ..."""
        return sum(getattr(one, name) for one in self.mistakes) / max(1, len(self.mistakes))

    @property
    def false_alarms(self) -> int:
        return sum(one.false_alarm for one in self.right)


def milliseconds(outcomes: list[Outcome]) -> float:
    """The median time of a report."""
    return 1000 * float(np.median([one.seconds for one in outcomes] or [0.0]))


SHARES = ("detected", "located", "cause_right", "cause_wrong", "fixed", "fix_wrong")
HALVES = {
    "tuned, random": (False, False),
    "tuned, trained": (False, True),
    "held out, random": (True, False),
    "held out, trained": (True, True),
}


def table(outcomes: Iterable[Outcome]) -> str:
    """The rates of the two halves, at random parameters and after training, with the median time of a report."""
    outcomes = tuple(outcomes)
    columns = ("mistakes", *SHARES, "ms", "right ones", "false alarms", "ms")
    lines = [" " * 18 + "".join(f"{name.replace('_', ' '):>13}" for name in columns)]
    for title, half in HALVES.items():
        rates = Rates(tuple(one for one in outcomes if (one.case.network.held_out, one.after_training) == half))
        if rates.outcomes:
            cells = [len(rates.mistakes), *(f"{rates.share(name):.1%}" for name in SHARES)]
            cells += [f"{milliseconds(rates.mistakes):.0f}", len(rates.right), rates.false_alarms]
            cells += [f"{milliseconds(rates.right):.0f}"]
            lines.append(f"{title:18}" + "".join(f"{cell:>13}" for cell in cells))
    return "\n".join(lines)
