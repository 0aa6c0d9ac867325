"""Names: what the user calls the values of a graph.

    names = names_of([loss])                 # loss and everything behind it, seen from the line that calls
    names.of(node)                           # "z2", "W1", "layers.0.weight", or None
    names.text(node), names.text(node, "latex")          # "z₂", "z_{2}"

A name comes, in this order, from `name=` and the module tree; from the user's variables that hold the value now; from
the variable that the line stored it in which made the value (see `sites`); a plain operand's from the variable that it
was loaded from. A value that is none of these has no name: readers show its formula.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from .bytecode import is_call, is_library, is_returned, operands, stored_name
from .graph import Graph, Node
from .identities import PATTERNS
from .simplify import Simplifier
from .sites import Site, __library__  # noqa: F401
from .storage import Stored
from .symbols import as_it_is, written

FRAMES = 3  # the caller, and those who called it


class Names:
    """The names of nodes: each name stands for one value."""

    def __init__(self, given: Mapping[Node, str]) -> None:
        self._names: dict[Node, str] = dict(given)
        self._taken: set[str] = {*self._names.values()}
        self._shown: dict[str, set[str]] | None = None  # what is written, and for which names
        self._numbers: dict[str, int] = {}  # by stem, that of the latest name that was given

    def of(self, node: Any) -> str | None:
        """The plain name, as code writes it."""
        return self._names.get(node)

    def text(self, node: Any, style: str = "unicode") -> str | None:
        """The name as mathematics writes it: `ŷ`, or `\\hat{y}` in the style "latex"."""
        name = self._names.get(node)
        if name is None:
            return None
        return as_it_is(name, style) if self._ambiguous(name) else written(name, style)

    def _ambiguous(self, name: str) -> bool:
        """Whether another name would be written as this one: then both stay as they are."""
        if self._shown is None:
            self._shown = defaultdict(set)
            for other in self._taken:
                self._shown[written(other)].add(other)
        return len(self._shown[written(name)]) > 1

    def give(self, node: Node, name: str) -> str:
        """Give a node a name; with a higher number where that is taken."""
        stem = name.rstrip("0123456789")
        number, free = self._numbers.get(stem, int(name[len(stem) :] or 0)), name
        while free in self._taken:
            number += 1
            free = f"{stem}{number}"
        self._names[node], self._numbers[stem] = free, number
        self._taken.add(free)
        if self._shown is not None:
            self._shown[written(free)].add(free)
        return free

    def __contains__(self, node: object) -> bool:
        return node in self._names

    def __iter__(self) -> Iterator[Node]:
        return iter(self._names)


def names_of(outputs: Sequence[Node], variables: Iterable[tuple[str, Any]] | None = None) -> Names:
    """The names of all that lies behind some nodes, seen with the user's `variables`: by default those of the line that
    calls the reader."""
    nodes = Graph(outputs).nodes
    held = _Variables(live_variables() if variables is None else variables)
    lines = Lines(nodes)
    found: dict[Node, str] = {}
    for node in nodes:
        given = node.name or (node.variable.name if node.is_leaf and node.variable else None)
        line = lines.stored.get(node) or lines.loaded.get(node)
        name = given or held.name_of(node, line) or line
        if node.is_leaf and not name:
            name = held.name_of_equal(node)
        if name:
            found[node] = name
    for node in _inside_patterns(nodes, found, lines.helpers):
        del found[node]
    return Names(_unique(found | _layers(nodes, found, lines.inner)))


# --- variables that are alive ----------------------------------------------------------------------------------------


def live_variables() -> Iterator[tuple[str, Any]]:
    """The variables that the user sees who calls a reader, nearest first, and attributes of them."""
    frame = sys._getframe(1)
    while frame is not None and is_library(frame.f_code):
        frame = frame.f_back
    scopes: list[Mapping[str, Any]] = [frame.f_globals] if frame is not None else []
    for level in range(FRAMES):
        if frame is not None:
            if frame.f_locals is not frame.f_globals:
                scopes.insert(level, frame.f_locals)
            frame = frame.f_back
    for scope in scopes:
        yield from _said(scope)
    for scope in scopes:
        for _, value in _said(scope):
            yield from _attributes(value)


def _said(scope: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The variables that are not an interpreter's or a tool's own."""
    return [(name, x) for name, x in scope.items() if name.isidentifier() and not name.startswith("_")]


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """What an object or a dict calls its own: `self.z2`, `params["W1"]`."""
    if isinstance(value, (Stored, np.ndarray, ModuleType, type, FunctionType, MethodType)):
        return
    held = value if type(value) is dict else getattr(value, "__dict__", None)
    if isinstance(held, dict):
        for name, item in [*held.items()]:
            if isinstance(name, str) and name.isidentifier() and isinstance(item, (Stored, np.ndarray)):
                yield name.strip("_") or name, item


class _Variables:
    """The user's variables, by what they hold."""

    def __init__(self, variables: Iterable[tuple[str, Any]]) -> None:
        self._names: dict[Any, list[str]] = defaultdict(list)
        self._arrays: list[tuple[str, np.ndarray]] = []
        for name, value in variables:
            if isinstance(value, Stored):
                node = value._node
                self._names[node].append(name)
                if node.is_leaf and node.variable is not None:
                    self._names[node.variable].append(name)
            elif isinstance(value, np.ndarray) and value.dtype.kind in "fiubc" and value.ndim:
                self._arrays.append((name, value))

    def name_of(self, node: Node, preferred: str | None) -> str | None:
        """The variable that holds a node's Tensor, or another version of a leaf."""
        names = self._names.get(node) or (self._names.get(node.variable) if node.is_leaf and node.variable else None)
        if not names:
            return None
        return preferred if preferred in names else names[0]

    def name_of_equal(self, node: Node) -> str | None:
        """The only variable that holds an array of a leaf's values."""
        value = node.value
        if not isinstance(value, np.ndarray) or not value.ndim:
            return None
        same = [(n, a) for n, a in self._arrays if a.shape == value.shape and a.dtype == value.dtype]
        equal = [(name, array) for name, array in same if np.array_equal(array, value)]
        return equal[0][0] if len({id(array) for _, array in equal}) == 1 else None


# --- the line that made a value --------------------------------------------------------------------------------------


class _Line:
    """What the user's code says of the values that one instruction makes."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.is_users: bool = not is_library(site[0])
        self.name: str | None = stored_name(site)
        self.returns: bool = is_returned(site[0], site[1])
        self.calls: bool = is_call(site[0], site[1])
        self.frame = (site[0], *site[2:])  # the call of the function that it stands in


class Lines:
    """What the user's lines say: `stored`, the variable that took a value; `loaded`, the one a leaf came from. `inner`
    values are some of several that one call of the user's made; `helpers` were stored by the own variables of a
    function that returned another value."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        lines: dict[Site, _Line] = {}
        made: dict[Node, _Line] = {}  # where each value was made
        for node in nodes:
            site = None if node.is_leaf else node.site
            if site:
                made[node] = lines.get(site) or lines.setdefault(site, _Line(site))
        self.inner: set[Node] = set()
        self.stored: dict[Node, str] = {}
        passing = self._passing(made)
        returned: set[Any] = set()
        for node, line in made.items():
            if node not in passing:
                several = node.primitive.name == "part"
                name = stored_name(line.site, node.keywords["index"]) if several else line.name
                if name:
                    self.stored[node] = name
                if line.returns:
                    returned.add(line.frame)
        self.loaded: dict[Node, str] = _loaded_names(nodes, made)
        local = (node for node in self.stored if not made[node].returns)
        self.helpers: set[Node] = {node for node in local if made[node].frame in returned}

    def _passing(self, made: Mapping[Node, _Line]) -> set[Node]:
        """The values that a line made on the way to the one it stores; of a loop, each round stores one."""
        passing: set[Node] = set()
        for node, line in made.items():
            several = line.calls and node.primitive.is_operator  # sum(values) made them all
            for x in node.inputs:
                if made.get(x) is line:
                    self.inner.update((x, node))
                    if several or x.primitive is not node.primitive:
                        passing.add(x)
        return passing


def _loaded_names(nodes: Sequence[Node], made: Mapping[Node, _Line]) -> dict[Node, str]:
    """For leaves, the variable (or attribute) that the user's line took them from."""
    found: dict[Node, str] = {}
    for node in nodes:
        leaves = [(i, x) for i, x in enumerate(node.inputs) if isinstance(x, Node) and x.is_leaf and x not in found]
        line = made.get(node)
        if leaves and line and line.is_users:
            row = node.primitive
            names = operands(line.site[0], line.site[1], len(node.inputs), row.name, row.is_operator)
            found |= {x: name for i, x in leaves if (name := names[i])}
    return found


# --- formulas between names ------------------------------------------------------------------------------------------


def terms(node: Node, names: Any) -> tuple[Node, ...]:
    """The nodes in which the formula of a node is written: named, or leaves."""
    found: dict[Node, None] = {}
    seen, stack = {node}, [node]
    while stack:
        for x in reversed(stack.pop().inputs):
            if isinstance(x, Node) and x not in seen:
                seen.add(x)
                if x.is_leaf or names.text(x) is not None:
                    found[x] = None
                else:
                    stack.append(x)
    return tuple(sorted(found, key=lambda x: x.index))


def inside_of(node: Node, found: Sequence[Node]) -> list[Node]:
    """The node and what lies between it and its terms, inputs first."""
    ends, inside, stack = set(found), {node}, [node]
    while stack:
        for x in stack.pop().inputs:
            if isinstance(x, Node) and x not in ends and x not in inside:
                inside.add(x)
                stack.append(x)
    return sorted(inside, key=lambda x: x.index)


def _inside_patterns(nodes: Sequence[Node], found: Mapping[Node, str], helpers: set[Node]) -> list[Node]:
    """The helpers' own values that a pattern takes in: the `e` of a sigmoid that is written in two lines."""
    if not helpers:
        return []
    names, gone = Names({node: name for node, name in found.items() if node not in helpers}), list[Node]()
    for node in nodes:
        if not node.is_leaf and node.primitive.function in PATTERNS:
            ends = terms(node, names)
            inside = inside_of(node, ends)
            left = Simplifier().within(inside, ends)
            if isinstance(left, Node) and left is not node and {*inside_of(left, ends)}.isdisjoint(inside):
                gone += [x for x in inside if x in helpers and x is not node]
    return [x for x in dict.fromkeys(gone) if x in found]


# --- layers, whose values no line of the user's names ----------------------------------------------------------------


def _layers(nodes: Sequence[Node], found: Mapping[Node, str], inner: set[Node]) -> dict[Node, str]:
    """Of a network's layers the product with W1 (and the bias added) is z1, its activation a1, and what is compared
    with y is y_hat: as books have them."""
    users: dict[Node, list[Node]] = defaultdict(list)
    for node in nodes:
        for x in node.inputs:
            if isinstance(x, Node):
                users[x].append(node)
    layers: dict[Node, str] = {}
    taken, count = {*found.values()}, 0
    for node in nodes:
        weight = _weight(node)
        if weight is None or node in found or node not in inner:
            continue
        count += 1
        digits = re.search(r"[^\W\d_]_?(\d+)$", found.get(weight, ""))
        number = digits.group(1) if digits else count
        z = next((x for x in users[node] if x.primitive.formula.operator == "+" and _adds_a_parameter(x)), node)
        activation = [x for x in users[z] if len(x.inputs) == 1 and x.shape == z.shape and not x.primitive.is_operator]
        layer = dict(zip([z, *activation[:1]], (f"z{number}", f"a{number}"), strict=False))
        layers |= {x: name for x, name in layer.items() if x not in found and name not in taken}
    for node in nodes:
        compares = not node.is_leaf and node.primitive.kind == "elementwise" and len(node.inputs) == 2
        if compares and "y" in {found.get(x) for x in node.inputs} and "y_hat" not in taken:
            layers |= {x: "y_hat" for x in node.inputs if x in layers and len(users[x]) == 1}
    return layers


def _weight(node: Node) -> Node | None:
    """The parameter that a value is a product with, linear in both."""
    row = node.primitive
    if row is None or row.kind != "linear" or len(row.formula.arrays) != 2 or not all(row.differentiable):
        return None
    return next((x for x in node.inputs if isinstance(x, Node) and x.is_leaf and x.needs), None)


def _adds_a_parameter(node: Node) -> bool:
    return any(isinstance(x, Node) and x.is_leaf and x.needs for x in node.inputs)


# --- one name, one value ---------------------------------------------------------------------------------------------


def _unique(found: Mapping[Node, str]) -> dict[Node, str]:
    """Values of the same name are numbered, in the order in which they were made; the only parameter keeps its own."""
    holders: dict[str, dict[Any, list[Node]]] = defaultdict(dict)
    for node, name in found.items():
        holders[name].setdefault(_value_key(node), []).append(node)
    taken = {name for name, values in holders.items() if len(values) == 1}
    result: dict[Node, str] = {}
    for name, values in holders.items():
        if len(values) == 1:
            result |= dict.fromkeys(next(iter(values.values())), name)
            continue
        groups = [*values.values()]
        first = [group[0] for group in groups]
        parameters = [x for x in first if x.is_leaf and x.variable is not None and x.needs]
        keeps = parameters[0] if len({x.variable for x in parameters}) == 1 else None
        number = 0 if keeps is None and first[0].is_leaf and not any(x.is_leaf for x in first[1:]) else 1
        for group in groups:
            free = name
            if group[0] is not keeps:
                free, number = numbered(name, number), number + 1
                while free in taken:
                    free = f"{free}_"
            taken.add(free)
            result |= dict.fromkeys(group, free)
    return result


def _value_key(node: Node) -> Any:
    """The same for leaves that are copies of one operand."""
    if not node.is_leaf or not isinstance(node.value, np.ndarray):
        return node
    if node.variable is not None:
        return node.variable, id(node.value)
    return node.shape, node.dtype, node.value.tobytes()


def numbered(name: str, number: int) -> str:
    """`h1`, and `z2_1` of a name that has a number already."""
    return f"{name}_{number}" if name[-1:].isdigit() else f"{name}{number}"
