"""Reads what `explain` prints back into NumPy: a parser of its own, that shares nothing with the printer.

formula    = sum [("<" | "≤" | ">" | "≥" | "==" | "≠") sum]
sum        = ["−"] term {("+" | "−") term}
term       = signed {("@" | "⊙" | "·" | "/") signed}           from left to right
signed     = "−" signed | "Σ" [axes] power | power
power      = operand {"²" | "ᵀ" | "[" index "]"} ["**" signed]
operand    = number | name | name "(" arguments ")" | "√" operand | "(" formula ")" | "[" formula "]"
"""

from __future__ import annotations

import math
import re

import numpy as np

import autodiff as ad
from autodiff.rules.engine import part
from autodiff.rules.indexing import put

LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋ₖ", "0123456789+-k")
RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
NUMBER = re.compile(r"\d+\.?\d*(e[+-]?\d+)?j?|∞|π")
WORD = re.compile(r"[^\W\d][\w.′]*")
FUNCTIONS = {
    "σ": ad.sigmoid, "σ′": lambda z: ad.sigmoid(z) * (1 - ad.sigmoid(z)), "relu": ad.relu, "softplus": ad.softplus,
    "logsumexp": ad.logsumexp, "softmax": ad.softmax, "log_softmax": ad.log_softmax, "conj": np.conj, "abs": np.abs,
    "cast": lambda x, dtype: x.astype(dtype), "put": lambda x, y, index: put(np.asarray(x), y, (), index),
    "identity": lambda x: x, "part": part,
}  # fmt: skip


def lines_of(text):
    """(left, right, k or None) for each printed line: columns stand four blanks apart."""
    for row in text.splitlines():
        cells = [cell.strip() for cell in re.split(r" {4,}", row) if cell.strip()]
        k = next((cell for cell in cells if re.match(r"k = \d+, …", cell)), None)
        for cell in cells:
            formula, _, own = cell.partition("   (k = ")
            left, equals, right = formula.partition(" = ")
            if equals and not re.match(r"k = \d+, …", cell) and not cell.startswith("= "):
                yield left, right, f"k = {own[:-1]}" if own else k


def unfolded(text):
    """(left, right) for each line, those that are said once for many k in their order."""
    waiting, seen = [], None
    for left, right, k in [*lines_of(text), (None, None, None)]:
        if k != seen and waiting:
            first, last = map(int, re.findall(r"\d+", seen))
            for value in range(first, last + 1):
                yield from ((at(a, value), at(b, value)) for a, b in waiting)
            waiting = []
        seen = k
        if k:
            waiting.append((left, right))
        elif left is not None:
            yield left, right


def at(text, k):
    """The text with a number in the place of k."""

    def lowered(match):
        value = eval(re.sub(r"(\d)k", r"\1*k", match[0].translate(LOWERED)), {"k": k})
        return "".join("₀₁₂₃₄₅₆₇₈₉"[int(digit)] for digit in str(value))

    text = re.sub(r"[₀-₉₊₋ₖ]*ₖ[₀-₉₊₋]*", lowered, text)
    return re.sub(r"\{([^}]*k[^}]*)\}", lambda m: str(eval(m[1], {"k": k})), text)


def evaluated(text, given):
    """All values of the printed lines, from those of the leaves, by the names that are printed."""
    values = dict(given)
    waiting = list(unfolded(text))
    while waiting:
        later = []
        for left, right in waiting:
            try:
                values[left] = Reader(right, values).everything()
            except UnknownError:
                later.append((left, right))
        assert len(later) < len(waiting), f"cannot read {later[0][0]} = {later[0][1]}"
        waiting = later
    return values


class UnknownError(Exception):
    """A name that has no value yet."""


class Reader:
    """A formula, read from left to right."""

    def __init__(self, text, values):
        self.text, self.values, self.i = text, values, 0
        self.names = sorted(values, key=len, reverse=True)

    def everything(self):
        value = self.formula()
        assert self.i == len(self.text), f"{self.text[: self.i]} ◄ {self.text[self.i :]}"
        return value

    def blank(self):
        while self.text[self.i : self.i + 1] == " ":
            self.i += 1

    def take(self, *tokens):
        """The first of the tokens that stands here, else None."""
        self.blank()
        for token in tokens:
            if self.text.startswith(token, self.i):
                self.i += len(token)
                return token
        return None

    def expect(self, token):
        assert self.take(token), f"{token} is missing in {self.text[: self.i]} ◄ {self.text[self.i :]}"

    def formula(self):
        value = self.sum()
        compare = self.take("<", "≤", ">", "≥", "==", "≠")
        if compare:
            function = {"<": np.less, "≤": np.less_equal, ">": np.greater, "≥": np.greater_equal, "==": np.equal}
            value = function.get(compare, np.not_equal)(value, self.sum())
        return value

    def sum(self):
        value = self.term()
        while sign := self.take("+", "−"):
            other = self.term()
            value = value + other if sign == "+" else value - other
        return value

    def term(self):
        value = self.signed()
        while operator := self.take("@", "⊙", "·", "/"):
            other = self.signed()
            value = value @ other if operator == "@" else value / other if operator == "/" else value * other
        return value

    def signed(self):
        if self.take("−"):
            return -self.signed()
        if self.take("Σ"):
            axes = re.match("[₀-₉]*", self.text[self.i :])[0]
            self.i += len(axes)
            return np.sum(self.power(), axis=tuple(int(a) for a in axes.translate(LOWERED)) or None)
        return self.power()

    def power(self):
        value = self.operand()
        while True:
            rest = self.text[self.i :]
            if raised := re.match("⁻?[⁰¹²³⁴-⁹]+", rest):
                self.i += len(raised[0])
                value = value ** int(raised[0].translate(RAISED))
            elif rest.startswith("ᵀ"):
                self.i += 1
                value = np.swapaxes(value, -1, -2)
            elif rest.startswith("["):
                self.i += 1
                value = value[self.index()]
            elif rest.startswith("**"):
                self.i += 2
                return value ** self.signed()
            else:
                return value

    def index(self):
        parts = []
        while not self.take("]"):
            slots = [None if self.take("None") else self.formula() if self.more() else ...]
            plain = slots[0] is ...
            colons = 0
            while self.take(":"):
                colons += 1
                slots.append(self.formula() if self.more() else ...)
            if colons:
                parts.append(slice(*(None if s is ... else int(s) for s in slots)))
            elif plain and self.take("..."):
                parts.append(...)
            else:
                parts.append(slots[0])
            self.take(",")
            if self.take("()"):
                pass
        return tuple(parts) if len(parts) != 1 else parts[0]

    def more(self):
        """Whether something to evaluate stands here."""
        self.blank()
        return self.text[self.i : self.i + 1] not in (":", ",", "]", "") and not self.text.startswith("...", self.i)

    def operand(self):
        self.blank()
        rest = self.text[self.i :]
        if rest.startswith("∂"):
            for name in self.names:
                if rest.startswith(name):
                    self.i += len(name)
                    return self.values[name]
            raise UnknownError(rest)
        if self.take("("):
            items = [self.formula()] if not self.take(")") else None
            if items is None:
                return ()
            one = True
            while self.take(","):
                one = False
                if self.text[self.i : self.i + 1] != ")":
                    items.append(self.formula())
            self.expect(")")
            return items[0] if one else tuple(items)
        if self.take("["):
            items = []
            while not self.take("]"):
                items.append(self.formula())
                self.take(",")
            holds = len(items) == 1 and not isinstance(items[0], list) and np.asarray(items[0]).dtype == bool
            numbers = items and all(isinstance(item, int | float) for item in items)
            return items[0] if holds else np.array(items) if numbers else items
        if self.take("¬"):
            return np.logical_not(self.operand())
        if self.take("√"):
            return np.sqrt(self.operand())
        if match := re.match(r"'[^']*'", rest):
            self.i += len(match[0])
            return match[0][1:-1]
        for name in self.names:
            after = rest[len(name) : len(name) + 1]
            if rest.startswith(name) and (not re.match(r"[\w′(.]", after) or after in "ᵀ⁻⁰¹²³⁴⁵⁶⁷⁸⁹"):
                self.i += len(name)
                return self.values[name]
        if match := NUMBER.match(rest):
            self.i += len(match[0])
            return {"∞": math.inf, "π": math.pi}.get(match[0]) or (
                complex(match[0])
                if "j" in match[0]
                else float(match[0])
                if re.search("[.e]", match[0])
                else int(match[0])
            )
        match = WORD.match(rest)
        if match and self.text[self.i + len(match[0]) : self.i + len(match[0]) + 1] == "(":
            self.i += len(match[0]) + 1
            return self.call(match[0])
        constants = {"True": True, "False": False, "None": None, "nan": math.nan, "inf": math.inf}
        if match and match[0] in constants:
            self.i += len(match[0])
            return constants[match[0]]
        if match and hasattr(np, match[0]) and isinstance(getattr(np, match[0]), type):
            self.i += len(match[0])
            return np.dtype(match[0])
        raise UnknownError(rest)

    def call(self, name):
        arguments, keywords = [], {}
        while not self.take(")"):
            self.blank()
            keyword = re.match(r"([^\W\d]\w*)=(?!=)", self.text[self.i :])
            if keyword:
                self.i += len(keyword[0])
                if keyword[1] == "index" and self.take("["):
                    keywords["index"] = self.index()
                else:
                    keywords[keyword[1]] = self.formula()
            else:
                arguments.append(self.formula())
            self.take(",")
        if name == "scatter":
            return scattered(*arguments, **keywords)
        function = FUNCTIONS.get(name)
        if function is None:
            function = np
            for attribute in name.split("."):
                function = getattr(function, attribute)
        return function(*arguments, **keywords)


def scattered(x, shape, index):
    out = np.zeros(shape, np.asarray(x).dtype)
    np.add.at(out, index, x)
    return out
