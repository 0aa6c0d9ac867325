"""Printing lines as a person would write them: what has a name on a line of its own, all else where it is used."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from textwrap import wrap

from .lines import Line, Operand, literal
from .lower import Lowering

WIDTH = 100  # of a line that holds several calls
PRODUCTS = ("{0} @ {1}", "{0}.dot({1})", "np.dot({0}, {1})")
ATOM, NEGATIVE = 20, 16
LEVELS = {"**": 18, "@": 14, "*": 14, "/": 14, "//": 14, "%": 14, "+": 12, "-": 12, "&": 8, "^": 6, "|": 4}


class Source:
    """The text of a program: a function, with a comment where a layer begins."""

    def __init__(
        self, name: str, low: Lowering, inputs: Sequence[Line], outputs: Sequence[Line], renewed: Mapping[Line, Line]
    ) -> None:
        self.name: str = name
        self.low: Lowering = low
        self.inputs: Sequence[Line] = inputs
        self.outputs: Sequence[Line] = outputs
        self.renewed: Mapping[Line, Line] = renewed  # results that are the new values of inputs
        self.texts: dict[Line, tuple[str, int]] = {}  # of lines that stand where they are used, and how they bind

    def text(self, effects: Sequence[Line], of: Mapping[Line, Line]) -> str:
        """The module. `of`: for a gradient the value that it is the gradient of."""
        lines = [line for line in self.low.live([*self.outputs, *effects]) if line.value is None]
        uses = Counter(x for line in lines for x in line.operands if isinstance(x, Line))
        uses.update(self.outputs)
        labels = sections(lines, self.inputs, of)
        body, section, number = list[str](), "", 0
        for i, line in enumerate(lines):
            if line in self.inputs:
                continue
            template = line.template if not line.before else ""
            written = self._written(line, template)
            if line.before or not self._inlined(line, written, uses, lines[i + 1 :]):
                names = [self._operand(x)[0] for x in line.operands]
                if line in self.renewed and not any(self.renewed[line] in user.operands for user in lines[i + 1 :]):
                    line.name = self.renewed[line].name
                elif re.fullmatch(r"t\d+", line.name or ""):
                    line.name, number = f"t{number}", number + 1
                if labels.get(line, "") not in ("", section):
                    section = labels[line]
                    body.append(f"# {section}")
                body += [text.format(*names, out=line.name) for text in line.before] or [f"{line.name} = {written[0]}"]
        results = [self._operand(x)[0] for x in self.outputs]
        parameters = [*(line.name or "" for line in self.inputs), *self.low.bound]  # generators, and what has no source
        body += listed("return ", results, brackets=False)
        lines = (f"    {part}" for line in body for part in folded(line))
        function = "\n".join([*listed(f"def {self.name}", parameters, ":"), *lines])
        helpers = [helper.rstrip() for helper in self.low.helpers.values()]
        head = ["import numpy as np"] if "np." in "".join([*helpers, function]) else []
        return "\n\n\n".join([*head, *helpers, function]) + "\n"

    def _inlined(self, line: Line, written: tuple[str, int], uses: Counter[Line], later: Sequence[Line]) -> bool:
        """Write a line where it is used, if that is once, and near, and not too long."""
        if line.template == "{0}.T":
            self.texts[line] = written
            return True
        if uses[line] != 1 or not re.fullmatch(r"t\d+", line.name or "") or "rng" in line.template:
            return False
        user = next((user for user in later if line in user.operands), None)
        if user is None or user.before:
            return False
        others = sum(len(self._operand(x)[0]) for x in user.operands if x is not line)
        if len(written[0]) + others + len(user.template) > WIDTH:
            return False
        self.texts[line] = written
        return True

    def _written(self, line: Line, template: str) -> tuple[str, int]:
        """A call with its operands in brackets where they need them; and how strongly it binds itself."""
        symbol = re.fullmatch(r"\{0\} (\S+) \{1\}", template)
        level = LEVELS.get(symbol[1], 2) if symbol else NEGATIVE if template[:1] in "-~+" and template else ATOM
        parts: list[str] = []
        for place, operand in enumerate(line.operands):
            text, binds = self._operand(operand)
            if symbol:
                tight = binds > level or (binds == level and place == 0 and level > 2 and symbol[1] != "**")
            elif level == NEGATIVE:
                tight = binds > NEGATIVE
            else:
                tight = binds == ATOM or not re.search(
                    rf"\{{{place}\}}[.\[]| \*\* \{{{place}\}}|\{{{place}\}} \*\*", template
                )
            parts.append(text if tight else f"({text})")
        return template.format(*parts), level

    def _operand(self, x: Operand) -> tuple[str, int]:
        if not isinstance(x, Line):
            text = literal(x)
            return text, NEGATIVE if text.startswith("-") else ATOM
        if x in self.texts:
            return self.texts[x]
        return (x.name or "", ATOM) if x.value is None else (x.template.replace("{{", "{").replace("}}", "}"), ATOM)


def listed(before: str, items: Sequence[str], after: str = "", brackets: bool = True) -> list[str]:
    """Items with commas between them; on lines of their own, in brackets, where one line would be too long."""
    line = ", ".join(items) or ("" if brackets else "()")
    if len(before) + len(line) < WIDTH:
        return [f"{before}({line}){after}" if brackets else f"{before}{line}"]
    lines = wrap(f"{line},", WIDTH, break_long_words=False, initial_indent="    ", subsequent_indent="    ")
    return [f"{before}(", *lines, f"){after}"]


def folded(line: str) -> list[str]:
    """A statement, on several lines where it is too long: it goes on after a comma in brackets."""
    if len(line) <= WIDTH + 16:
        return [line]
    lines, depth, indent = [""], 0, " " * (len(line) - len(line.lstrip()) + 4)
    for part in re.split(r"(?<=,) ", line):
        start = lines[-1] + " " * bool(lines[-1].strip())
        if depth and len(start) + len(part) > WIDTH:
            lines.append(indent + part)
        else:
            lines[-1] = start + part
        depth += sum(part.count(x) for x in "([{") - sum(part.count(x) for x in ")]}")
    return lines


def sections(lines: Sequence[Line], inputs: Sequence[Line], of: Mapping[Line, Line]) -> dict[Line, str]:
    """For each line the part of the program that it belongs to; none where there are no layers.

    A layer begins with a product with an input; the loss where, after the last one, another input comes in that is no
    bias. A gradient belongs to the part that its value is used in, and so does what is computed on the way to it.
    """
    forward = [line for line in lines if not line.gradient and line not in inputs]
    products = [line for line in forward if line.template in PRODUCTS and line.operands[1] in inputs]
    if not products:
        return {}
    part, parts, seen = 0, dict[Line, int](), set[Line]()
    for line in forward:
        fresh = {x for x in line.inputs if x in inputs and x not in seen and x.dtype is not None}
        seen |= fresh
        bias = line.template == "{0} + {1}" and any(x in products for x in line.inputs)
        part += line in products or bool(fresh and part == len(products) and not bias)
        parts[line] = part
    titles = [f"layer {k}" for k in range(1, len(products) + 1)]
    titles = ["", *titles, "loss", *["update"] * len(lines)]
    found = {line: titles[part] for line, part in parts.items()}
    users: dict[Line, int] = {}
    for line, part in parts.items():
        for x in line.inputs:
            users[x] = min(users.get(x, part), part)
    label = ""
    for line in reversed(lines):
        if line.gradient:
            if line in of and of[line] in users:
                label = f"gradient of {titles[users[of[line]]]}".removesuffix(" of ")
            found[line] = label
    after = next((i for i, line in reversed([*enumerate(lines)]) if line.gradient), len(lines))
    return found | {line: "update" for line in lines[after + 1 :] if line not in inputs}
