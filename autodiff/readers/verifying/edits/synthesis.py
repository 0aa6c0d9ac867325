"""Expressions that have a value, of the values in reach: where no small edit of the line is right.

Bottom up: values and their sums, then products, quotients and differences of two, then sums and matrix products of
those; each is kept once, by the direction of its value, so that constant factors come for free. The last step is looked
up: what is missing to the target from each value that we have, the old line and its parts among them?
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..compare import direction
from ..scope import Scope
from .line import UNARY, Candidate, Line, evaluated, product, tight

MOST = 24  # values to begin with
LARGE = 50_000  # entries of a value
SECONDS = 0.1
ENOUGH = 6  # expressions that are found


class Term(NamedTuple):
    """An expression and its value."""

    text: str
    value: Any


def synthesized(target: Any, text: str, scope: Scope, deadline: float) -> Iterator[Candidate]:
    """Expressions with a target's value, the short ones first."""
    search = _Search(np.asarray(target), text, scope, min(deadline, time.thread_time() + SECONDS))
    with np.errstate(all="ignore"):
        for found in itertools.islice(dict.fromkeys(search.found()), ENOUGH):
            yield Candidate(found, None)


class _Search:
    """Terms by the direction of their value, and the ways to make the target of them."""

    def __init__(self, target: Any, text: str, scope: Scope, until: float) -> None:
        self.target, self.shape, self.until = target, target.shape, until
        self.scope, self.line = scope, Line(text)
        self.table: dict[Any, tuple[Term, float]] = {}

    def found(self) -> Iterator[str]:
        """One stage after the other."""
        if self.target.size > LARGE:
            return
        parts, leaves = list(self._parts()), list(self._leaves())
        turned = [Term(f"{tight(t.text)}.T", t.value.T) for t in leaves if t.value.ndim == 2]
        simple = [*leaves, *turned]
        self._keep([*parts, *simple, *self._reduced(simple), *self._unary(leaves)])
        yield from self._made(parts, leaves)
        dots = list(self._products(simple))
        pairs = self._keep([*dots, *self._with_factors(dots), *self._pairs(simple)])
        yield from self._made(parts, leaves)
        self._keep(self._reduced(pairs))
        yield from self._made(parts, leaves)
        self._keep(self._long_products(simple, pairs))
        yield from self._made(parts, ())

    def _made(self, parts: Iterable[Term], leaves: Iterable[Term]) -> Iterator[str]:
        """The target, or what completes some value to it."""
        if text := self._like(self.target):
            yield text
        for term in (*parts, *leaves):
            if term.value.shape == self.shape and term.value.dtype.kind == "f":
                for rest in _narrowed(self.target - term.value):
                    if text := self._like(rest):
                        yield f"{term.text} - {text[1:]}" if text.startswith("-") else f"{term.text} + {text}"
                yield from self._multiplied(term) if np.all(term.value) and self.target.ndim else ()

    def _multiplied(self, term: Term) -> Iterator[str]:
        """What makes the target of a value as a factor, or divided by it."""
        for rest in _narrowed(self.target / term.value):
            if np.ptp(rest) and (text := self._like(rest)):
                yield f"{product(term.text)} * {product(text)}"
        if text := self._like(self.target * term.value):
            yield f"{text} / {tight(term.text)}"

    # --- terms ---

    def _parts(self) -> Iterator[Term]:
        """The line as it is, and its parts."""
        for node in self.line.nodes:
            value = evaluated(self.line.of(node), self.scope) if not self.line.is_function(node) else None
            if isinstance(value, (np.ndarray, np.floating)) and np.size(value):
                yield Term(self.line.of(node), np.asarray(value))

    def _leaves(self) -> Iterator[Term]:
        """The values in reach: those of the line, then those that go with the target."""
        own = self.scope.words(self.line.text)
        values = {name: np.asarray(v) for name, v in {**self.scope.numbers, **self.scope.arrays}.items()}
        order = sorted(values, key=lambda n: (n not in own, not _fit(values[n].shape, self.shape), len(n)))
        yield from (Term(name, values[name]) for name in order[:MOST] if values[name].size <= LARGE)
        for applied in self.scope.applied:
            yield Term(applied.ways[0], np.asarray(applied.slope) * 1.0)

    def _unary(self, leaves: Iterable[Term]) -> Iterator[Term]:
        for term in leaves:
            if term.value.shape == self.shape and term.value.dtype.kind == "f":
                yield from (Term(f"np.{name}({term.text})", getattr(np, name)(term.value)) for name in UNARY)

    def _reduced(self, terms: Iterable[Term]) -> Iterator[Term]:
        """Sums along an axis that go with the target's shape."""
        for text, value in terms:
            if value.ndim and self.shape == ():
                yield Term(f"np.sum({text})", value.sum())
            for axis in range(value.ndim) if value.ndim == 2 or len(self.shape) == value.ndim - 1 else ():
                rest = value.sum(axis)
                if _fit(rest.shape, self.shape):
                    yield Term(f"np.sum({text}, axis={axis})", rest)
                elif _fit((kept := value.sum(axis, keepdims=True)).shape, self.shape):
                    yield Term(f"np.sum({text}, axis={axis}, keepdims=True)", kept)

    def _pairs(self, terms: list[Term]) -> Iterator[Term]:
        """Products, quotients, sums and differences, entry by entry."""
        for a, b in itertools.combinations_with_replacement(terms, 2):
            if not _fit(a.value.shape, b.value.shape) or not self._useful(a, b):
                continue
            yield Term(f"{product(a.text)} * {product(b.text)}", a.value * b.value)
            if a is not b:
                yield Term(f"{product(a.text)} / {tight(b.text)}", a.value / b.value)
                yield Term(f"{product(b.text)} / {tight(a.text)}", b.value / a.value)
                if a.value.shape == b.value.shape:
                    yield Term(f"{a.text} - {product(b.text)}", a.value * 1.0 - b.value)
                    yield Term(f"{a.text} + {b.text}", a.value * 1.0 + b.value)

    def _useful(self, a: Term, b: Term) -> bool:
        """Whether what is made of both can have the target's shape, or be summed to it, or be a factor of it."""
        shape = max(a.value.shape, b.value.shape, key=len)
        return _fit(shape, self.shape) or len(shape) == len(self.shape) + 1 or (len(shape) == len(self.shape) == 2)

    def _products(self, terms: list[Term]) -> Iterator[Term]:
        """Matrix products, and outer ones."""
        for a, b in itertools.product(terms, terms):
            x, y = a.value, b.value
            if x.ndim == y.ndim == 1 and (x.size, y.size) == self.shape:
                yield Term(f"np.outer({a.text}, {b.text})", np.outer(x, y))
                continue
            matrices = x.ndim and y.ndim and max(x.ndim, y.ndim) == 2 and x.shape[-1] == y.shape[0]
            if matrices and _fit((*x.shape[:-1], *y.shape[1:]), self.shape):
                yield Term(f"np.dot({a.text}, {b.text})", x @ y)

    def _with_factors(self, dots: list[Term]) -> Iterator[Term]:
        """Matrix products by what the line multiplies with already."""
        for node in self.line.factors:
            value, text = evaluated(self.line.of(node), self.scope), self.line.of(node)
            for dot in dots if np.shape(value) == self.shape else ():
                if dot.value.shape == self.shape:
                    yield Term(f"{dot.text} * {product(text)}", dot.value * value)

    def _long_products(self, terms: list[Term], pairs: list[Term]) -> Iterator[Term]:
        """Matrix products with a product in them."""
        wide = [term for term in pairs if term.value.ndim == 2]
        for a, b in itertools.chain(itertools.product(terms, wide), itertools.product(wide, terms)):
            x, y = a.value, b.value
            if x.ndim == y.ndim == 2 and x.shape[1] == y.shape[0] and (x.shape[0], y.shape[1]) == self.shape:
                yield Term(f"np.dot({a.text}, {b.text})", x @ y)

    # --- the table ---

    def _keep(self, terms: Iterable[Term]) -> list[Term]:
        """Those that are new, as far as the time goes."""
        kept: list[Term] = []
        for term in terms:
            if time.thread_time() > self.until:
                break
            key, scale = direction(term.value)
            if key is not None and key not in self.table:
                self.table[key] = term, scale
                kept.append(term)
        return kept

    def _like(self, value: Any) -> str | None:
        """An expression of this value."""
        key, scale = direction(value)
        if key is None or key not in self.table:
            return None
        term, own = self.table[key]
        constant = constant_of(scale / own, self.scope)
        if constant is None:
            return None
        return constant.format(product(term.text)) if constant != "{}" else term.text


def scaled(factor: float, text: str, scope: Scope) -> str:
    """An expression times a constant, as the user would write that."""
    constant = constant_of(factor, scope) or f"{float(f'{factor:.12g}')!r} * {{}}"
    if text == "1":
        return constant.format(text).removesuffix(" * 1").replace("1 * ", "")
    return constant.format(product(text)) if constant != "{}" else text


def constant_of(factor: float, scope: Scope) -> str | None:
    """How to write a constant factor, with the names in reach."""
    for constant, text in constants(scope).items():
        if abs(factor - constant) <= 1e-9 * abs(constant):
            return text
    return None


def constants(scope: Scope) -> dict[float, str]:
    """The constant factors that can be written with the names in reach."""
    found: dict[float, str] = {1.0: "{}", -1.0: "-{}", 2.0: "2 * {}", 0.5: "{} / 2"}
    sizes = {size: name for size, name in scope.sizes.items() if not name.endswith(".size")}
    for size, name in sizes.items():
        for value, text in (
            (1 / size, f"{{}} / {name}"),
            (size, f"{name} * {{}}"),
            (2 / size, f"2 * {{}} / {name}"),
        ):
            found.setdefault(float(value), text)
    for name, value in scope.numbers.items():
        found.setdefault(float(value), f"{name} * {{}}")
        found.setdefault(1 / float(value), f"{{}} / {name}")
        for size, count in sizes.items():
            found.setdefault(float(value) / size, f"{name} * {{}} / {count}")
    return found | {-value: f"-{text}" for value, text in found.items() if -value not in found}


def _fit(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether shapes go together without making something larger than both."""
    if a == b or not a or not b:
        return True
    long, short = (a, b) if len(a) >= len(b) else (b, a)
    tail = long[len(long) - len(short) :]
    return all(s in (1, n) for n, s in zip(tail, short, strict=True))


def _narrowed(value: Any) -> Iterator[Any]:
    """A value, and what was broadcast to make it."""
    yield value
    if value.ndim == 2:
        if np.allclose(value, value[:1], rtol=1e-9, atol=0):
            yield value[0]
            yield value[:1]
        if np.allclose(value, value[:, :1], rtol=1e-9, atol=0):
            yield value[:, :1]
