"""What a report says, line by line, whatever it is shown on."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from .causes import in_words
from .findings import Findings, Mistake, Step
from .truth import Agreement

WIDTH = 100  # columns that text is broken to; code is not broken
MOST = 4  # right steps before a wrong one, and wrong ones that follow from it
MARKS = {"right": "✓", "wrong": "✗", "cannot tell": "?"}
NO_SOURCE = "the source of the function is not available: its steps could not be looked at one by one"


@dataclass(frozen=True)
class Row:
    """One line: what kind it is of, what stands before it (a line number, `fix`), the text, and a remark on it."""

    kind: str  # "right", "wrong", "why", "fix", "follows", "note" or "aside"
    label: str
    text: str
    remark: str = ""


@dataclass(frozen=True)
class Telling:
    """A headline with short facts beside it, and rows."""

    verdict: str
    headline: str
    facts: tuple[str, ...]
    rows: tuple[Row, ...]


def told(findings: Findings) -> Telling:
    """What is said of these findings."""
    facts = [*_gradient_facts(findings)]
    if findings.verdict != "wrong":
        facts.append(_points(findings.points) or "your point only")
        if findings.witness is not None:
            facts[-1] += f" · finite differences agree to {int(findings.witness)} digits"
    steps = _right_steps if findings.verdict == "right" else _wrong_steps
    rows = [*steps(findings), *(row for note in notes(findings) for row in _note(note)), *_sharpness(findings)]
    return Telling(findings.verdict, f"{MARKS[findings.verdict]} {_headline(findings)}", tuple(facts), tuple(rows))


def notes(findings: Findings) -> list[str]:
    """What is to be known beside the verdict."""
    return [*findings.notes, *([] if findings.located else [NO_SOURCE])]


def _headline(findings: Findings) -> str:
    mistake = findings.mistakes[0] if findings.mistakes else None
    if "headline" in findings.details:
        statement = mistake.statement if mistake else None
        return findings.details["headline"] + (_place(statement.file, statement.line) if statement else "")
    if findings.verdict != "wrong" or mistake is None:
        return findings.verdict
    if mistake.statement is None:
        return f"the gradient of {mistake.name} is wrong" if mistake.name in findings.gradients else findings.verdict
    inside = "" if mistake.statement.function == findings.function else f", in {mistake.statement.function}"
    at = _place(mistake.statement.file, mistake.statement.line)
    return f"{mistake.name} is the first wrong step{inside}{at}"


def _place(file: str, line: int) -> str:
    """`, grades.py:10`; of a cell its number, where the notebook says it."""
    if cell := re.match(r"<(?:ipython-input-(\d+)-.*|In\[(\d+)\])>", file):
        return f", In[{cell[1] or cell[2]}] line {line}"
    nameless = not file or file.startswith("<") or "ipykernel_" in file
    return f", line {line}" if nameless else f", {PurePath(file).name}:{line}"


# Gradients


def _gradient_facts(findings: Findings) -> Iterator[str]:
    """How each gradient compares; of many, some of the wrong ones, and how many there are."""
    found = findings.gradients
    wrong = [name for name, agreement in found.items() if not agreement.right]
    if len(found) <= 2 * MOST:
        yield from _together({name: _compared(a, findings.verdict) for name, a in found.items()})
        return
    yield from _together({name: _compared(found[name], findings.verdict) for name in wrong[:MOST]})
    if len(wrong) > MOST:
        yield f"{len(wrong) - MOST} more are wrong"
    if right := [agreement for agreement in found.values() if agreement.right]:
        least = _digits(min(agreement.digits for agreement in right))
        yield f"{'the other ' if wrong else ''}{len(right)} gradients at least {least}"


def _together(texts: Mapping[str, str]) -> Iterator[str]:
    """`W1, W2 right`: names of which the same is said."""
    for text in dict.fromkeys(texts.values()):
        yield f"{', '.join(name for name in texts if texts[name] == text)} {text}"


def _compared(agreement: Agreement, verdict: str) -> str:
    if agreement.right and agreement.vanishes and verdict != "wrong":
        return "0 but for rounding"
    if agreement.right:
        return "right" if verdict == "wrong" else _digits(agreement.digits)
    if agreement.note and not math.isfinite(agreement.error):
        return agreement.note
    if not math.isfinite(agreement.error):
        return "not finite"
    if not agreement.size:
        return f"should be 0, and is up to {agreement.error:.2g}"
    part = agreement.error / agreement.size
    if part >= 10:
        return f"off by {float(f'{part:.2g}'):,.0f} times its size"
    return f"off by {100 * part:.3g} %" if part >= 1e-3 else f"off by {part:.0e} of its size"


def _digits(digits: float) -> str:
    return f"{min(round(digits, 1), 16):g} digits"  # float64 has no more


def _points(count: int) -> str:
    return f"{count} point{'s' * (count > 1)}" if count else ""


# Steps


def _right_steps(findings: Findings) -> Iterator[Row]:
    """Which derivative each step is."""
    meanings = dict.fromkeys(f"{step.name} = {step.meaning}" for step in findings.steps if step.meaning)
    shown = [*meanings][: 2 * MOST]
    if len(meanings) > len(shown):
        shown.append(f"and {len(meanings) - len(shown)} more")
    yield from (Row("aside", "", line) for line in in_lines(shown, WIDTH - 2))


def _wrong_steps(findings: Findings) -> Iterator[Row]:
    """The right steps that lead to a wrong one, that one with all that is known of it, and what follows from it."""
    mistakes = list(findings.mistakes)
    at = {id(step): mistake for mistake in mistakes for step in findings.steps if _is_of(step, mistake)}
    for mistake in mistakes:
        if mistake not in at.values():
            yield from _mistake(mistake, findings)
    right: list[Step] = []
    follow: list[Row] = []
    culprit = mistakes[0].name if mistakes else ""
    for step in findings.steps:
        if step.state == "right":
            right.append(step)
        elif step.state == "follows":
            follow.append(
                Row("follows", str(step.line), step.name, f"follows from {culprit}" if culprit else "follows")
            )
        elif step.state == "wrong":
            yield from _ticked(right)
            right.clear()
            if id(step) in at:
                culprit = at[id(step)].name
                yield from _mistake(at[id(step)], findings)
            else:
                yield Row("wrong", str(step.line), step.name, _should_be(step.name, step.meaning))
    yield from follow[:MOST]
    if len(follow) > MOST:
        yield Row("follows", "", f"and {len(follow) - MOST} more steps that follow from wrong ones")


def _is_of(step: Step, mistake: Mistake) -> bool:
    same_line = mistake.statement is None or mistake.statement.line == step.line
    return step.state == "wrong" and step.name == mistake.name and same_line


def _ticked(steps: Sequence[Step]) -> Iterator[Row]:
    if len(steps) > MOST:
        earlier = len(steps) - MOST
        yield Row("right", "", f"{earlier} step{'s' * (earlier > 1)} before", "✓")
    for step in steps[-MOST:]:
        text = f"{step.name} = {step.meaning}" if step.meaning else step.name
        digits = "" if step.digits is None else f" {min(round(step.digits), 16)} digits"
        yield Row("right", str(step.line), text, f"✓{digits}")


def _mistake(mistake: Mistake, findings: Findings) -> Iterator[Row]:
    remark = _should_be(mistake.name, mistake.meaning)
    if mistake.statement is not None:
        yield from _code("wrong", mistake.statement.source, remark, mistake.statement.line)
    elif mistake.name not in findings.gradients:
        yield Row("wrong", "", mistake.name, remark)
    if words := mistake.words or (in_words(mistake.cause, mistake.name) if mistake.cause else ""):
        yield from (Row("why", "", line) for line in textwrap.wrap(words, WIDTH - 8))
    if mistake.fix is not None:
        points = _points(findings.points)
        verified = f"verified at {points}" if points else "verified"
        yield from _code("fix", mistake.fix, verified)
        if mistake.otherwise is not None:
            yield from _code("fix", mistake.otherwise, verified, label="or")


def _should_be(name: str, meaning: str) -> str:
    if meaning == name:
        return f"✗ is not the {name} of the forward pass"
    return f"✗ should be {meaning}" if meaning else "✗ wrong"


def _code(kind: str, source: str, remark: str, number: int | None = None, label: str = "") -> Iterator[Row]:
    """A statement, over as many lines as its source."""
    first, *rest = source.splitlines() or [""]
    for i, line in enumerate([first, *textwrap.indent(textwrap.dedent("\n".join(rest)), "    ").splitlines()]):
        label = str(number + i) if number is not None else "" if i else label or kind
        yield Row(kind, label, line, "" if i else remark)


# Beside them


def _note(note: str) -> Iterator[Row]:
    for i, line in enumerate(textwrap.wrap(note, WIDTH - 8)):
        yield Row("note", "" if i else "note", line)


def _sharpness(findings: Findings) -> Iterator[Row]:
    """How small an error would have shown, where none has, and how well the truth is known."""
    parts: list[str] = []
    sharp = {name: a.resolution for name, a in findings.gradients.items() if a.size and 0 < a.resolution < 1}
    if findings.verdict != "wrong" and sharp:
        coarsest = max(sharp, key=lambda name: sharp[name])
        parts.append(f"an error above {sharp[coarsest]:.0e} of {coarsest}'s gradient would have shown")
    if findings.verdict == "wrong" and findings.witness is not None:
        parts.append("finite differences confirm the true gradient")
    yield from (Row("aside", "", line) for line in in_lines(parts, WIDTH - 2, "; "))


def in_lines(texts: Sequence[str], columns: int, between: str = "    ") -> list[str]:
    """Short texts beside each other, in as many lines as it takes."""
    lines: list[str] = []
    for text in texts:
        if lines and len(lines[-1]) + len(between) + len(text) <= columns:
            lines[-1] += between + text
        else:
            lines.append(text)
    return lines
