"""A user's function with a look at every assignment: the same source, in which each value passes a hook on its way.

`z1 = x.dot(w1)` becomes

    z1 = __verify__.step(7, __verify__.call(12, x.dot, w1))

so that what runs is the user's code, and values can be seen or replaced (healed). An edited program is made of the
source with a patch.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import functools
import inspect
import itertools
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

HOOK = "__verify__"
FILENAME = "<verify>"
_NATIVE = {
    "super",
    "locals",
    "globals",
    "vars",
    "print",
    "range",
    "len",
    "enumerate",
    "zip",
    "hasattr",
    "getattr",
}
_sites = itertools.count(1)  # one number for each call that is written somewhere
_TAKES_A_VALUE = {"append", "appendleft", "insert", "at", "copyto", "setdefault"}  # as their last argument


@dataclass(frozen=True, eq=False)
class Statement:
    """One assignment (`return`, `list.append`, an argument) of the source, and the expression whose value it takes."""

    number: int
    kind: str  # "=", "+=" and the like, "return", "call" or "argument"
    names: tuple[str, ...]  # what is assigned, as the source writes it
    function: str
    file: str
    line: int
    source: str  # of the whole statement
    start: int  # of the expression, in it
    end: int
    origin: Source  # the function that it stands in
    at: int  # where, in the text of that

    @functools.cached_property
    def expression(self) -> ast.expr:
        """The expression itself, without hooks."""
        return ast.parse(f"({self.text}\n)", mode="eval").body

    @property
    def name(self) -> str:
        """What the user calls it."""
        return ", ".join(self.names)

    @property
    def text(self) -> str:
        """The source of the expression."""
        return self.source[self.start : self.end]

    def with_expression(self, text: str) -> str:
        """The statement's source, with another expression."""
        return self.source[: self.start] + text + self.source[self.end :]

    def replaced(self, text: str) -> Patch:
        """The function with another statement in its place."""
        return Patch(self.origin.code, self.at, self.at + len(self.source), text)


@dataclass(frozen=True)
class Patch:
    """Another text in the place of a part of a function's source."""

    code: CodeType  # the user's function
    start: int
    end: int
    text: str


class Source:
    """The text of a function, and positions in it. Raises where the text is not there."""

    def __init__(self, function: FunctionType) -> None:
        lines, first = inspect.getsourcelines(function.__code__)  # of a decorator's wrapper, too
        self.text: str = textwrap.dedent("".join(lines))
        self.first: int = first
        self.function = function
        self.code: CodeType = function.__code__
        self.file: str = self.code.co_filename
        self.tree: Any = ast.parse(self.text).body[0]

    def patched(self, patches: Iterable[Patch]) -> Source:
        """The same function with another text. Raises SyntaxError where that is none."""
        new, patches = copy.copy(self), sorted(patches, key=lambda patch: -patch.start)
        for name in ("lines", "places"):
            new.__dict__.pop(name, None)
        for patch in patches:
            new.text = new.text[: patch.start] + patch.text + new.text[patch.end :]
        try:
            new.hooked = self.hooked
            for patch in patches:  # whole statements: the rest of the tree is shared
                path = self.places[patch.start, patch.end]
                new.tree = _grafted(new.tree, path, ast.parse(patch.text).body)
                anew = [Calls().visit(statement) for statement in ast.parse(patch.text).body]
                new.hooked = _grafted(new.hooked, path, list(map(ast.fix_missing_locations, anew)))
        except (KeyError, SyntaxError):
            new.tree = ast.parse(new.text).body[0]
            del new.hooked
        return new

    @functools.cached_property
    def hooked(self) -> Any:
        """The tree in which every call passes the hook: enough to run the function."""
        (tree,) = ast.parse(self.text).body
        tree.decorator_list = []  # type: ignore[attr-defined]
        return ast.fix_missing_locations(Calls().visit(tree))

    @functools.cached_property
    def places(self) -> dict[tuple[int, int], list[tuple[str, int]]]:
        """Where in the tree a statement is: its lists and positions, by what it spans of the text."""
        found: dict[tuple[int, int], list[tuple[str, int]]] = {}
        waiting: list[tuple[Any, list[tuple[str, int]]]] = [(self.tree, [])]
        for node, path in waiting:
            for name in ("body", "orelse", "finalbody", "handlers"):
                for i, inner in enumerate(getattr(node, name, ())):
                    found[self.span(inner)] = [*path, (name, i)]
                    waiting.append((inner, [*path, (name, i)]))
        return found

    @functools.cached_property
    def lines(self) -> list[tuple[int, bytes]]:
        """The lines, each with its position in the text, in bytes, as `ast` counts columns."""
        lines = self.text.splitlines(keepends=True)
        starts = itertools.accumulate(map(len, lines), initial=0)
        return [(start, line.encode()) for start, line in zip(starts, lines, strict=False)]

    def offset(self, line: int, column: int) -> int:
        """The position in the text of a line (from 1) and a column."""
        start, text = self.lines[line - 1]
        return start + len(text[:column].decode())

    def span(self, node: Any) -> tuple[int, int]:
        """Where a node stands in the text."""
        return self.offset(node.lineno, node.col_offset), self.offset(node.end_lineno, node.end_col_offset)

    def segment(self, node: Any) -> str:
        """The text of a node."""
        start, end = self.span(node)
        return self.text[start:end]


class Calls(ast.NodeTransformer):
    """Passes every call through the hook, and what the functions return: enough to run them."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.body += ast.parse("return").body
        self.generic_visit(node)
        return node

    def visit_Return(self, node: ast.Return) -> ast.stmt:
        value = self.visit(node.value) if node.value else ast.Constant(None)
        node.value = ast.Call(_hook("left"), [value, _locals()], [])
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in _NATIVE:
            return node
        site = ast.Constant(next(_sites))
        return ast.copy_location(ast.Call(_hook("call"), [site, node.func, *node.args], node.keywords), node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.value, ast.Attribute) and node.value.attr in ("c_", "r_"):
            parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            if not any(isinstance(part, (ast.Slice, ast.Constant)) for part in parts):
                return ast.copy_location(ast.Call(_hook("joined"), [node.value, *parts], []), node)
        return node


class Instrument(Calls):
    """Passes every assigned value through the hook, and writes down which statements there are."""

    def __init__(self, source: Source, name: str, statements: list[Statement]) -> None:
        self.source = source
        self.function: list[str] = [name]
        self.locals: list[set[str]] = []
        self.given: list[set[str]] = []  # the arguments of functions, which they may give back as they are
        self.statements: list[Statement] = statements
        self.whole: ast.stmt | None = None  # the statement that is being looked through
        self.last: int = 0  # the number of the latest one that assigns something

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.stmt) and not isinstance(node, (ast.FunctionDef, ast.For, ast.While, ast.If, ast.With)):
            self.whole = node
        return super().visit(node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        names = _parameters(self.source.function, node.func) if self.whole is not None else []
        hooked: dict[int, ast.expr] = {}
        for i, (argument, name) in enumerate(zip(node.args, names, strict=False)):
            if isinstance(argument, (ast.BinOp, ast.UnaryOp)):
                hooked[i] = self._hooked(self.whole, argument, "argument", [name])
                node.args[i] = ast.Constant(None)
        call: Any = super().visit_Call(node)
        for i, argument in hooked.items():
            call.args[i - len(node.args)] = argument
        return call

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.function.append(node.name)
        self.locals.append(_assigned(node))
        arguments = {argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)}
        self.given.append(arguments)
        node.decorator_list = [self.visit(decorator) for decorator in node.decorator_list]
        node.body = [new for statement in node.body for new in _listed(self.visit(statement))]
        node.body.append(ast.Expr(ast.Call(_hook("left"), [ast.Constant(None), _locals()], [])))
        around = sorted(set[str]().union(*self.locals[:-1]))
        if around:  # never run, but they become variables of the closure, which an edit may use
            node.body.append(ast.If(ast.Constant(False), [ast.Expr(ast.Name(name, ast.Load())) for name in around], []))
        self.function.pop()
        self.locals.pop()
        self.given.pop()
        return node

    def visit_Assign(self, node: ast.Assign) -> Any:
        target = node.targets[0]
        if isinstance(target, (ast.Tuple, ast.List)):
            if isinstance(node.value, ast.Tuple) and len(node.value.elts) == len(target.elts):
                pairs = zip(target.elts, node.value.elts, strict=True)
                node.value.elts = [self._hooked(node, value, "=", [part]) for part, value in pairs]
            else:
                node.value = self._hooked(node, node.value, "=", target.elts)
        else:
            node.value = self._hooked(node, node.value, "=", [target])
        shared = [self._apart(node, other) for other in node.targets[1:] if isinstance(other, ast.Name)]
        return [node, *shared, *(self._based(node, target.value) if isinstance(target, ast.Subscript) else ())]

    def _apart(self, node: ast.stmt, name: ast.Name) -> ast.stmt:
        """After `a = b = zeros`: a chance to give b an array of its own."""
        own = ast.Assign(
            [ast.Name(name.id, ast.Store())], ast.Call(_hook("alone"), [ast.Name(name.id, ast.Load())], [])
        )
        return ast.copy_location(own, node)

    def _based(self, node: ast.stmt, written: ast.expr) -> list[ast.stmt]:
        """After a part of an array was written: a look at all of it."""
        if not isinstance(written, (ast.Name, ast.Attribute)):
            return []
        array, place = copy.deepcopy(written), copy.deepcopy(written)
        place.ctx = ast.Store()
        number = ast.Constant(self.last)
        if isinstance(array, ast.Name) and array.id not in self.locals[-1]:  # assigned, it would become local
            return [ast.copy_location(ast.Expr(ast.Call(_hook("filled"), [number, array], [])), node)]
        seen = ast.Assign([place], ast.Call(_hook("base"), [number, array], []))
        return [ast.copy_location(seen, node)]

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        if node.value is not None:
            node.value = self._hooked(node, node.value, "=", [node.target])
        return node

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.expr:
        node.value = self._hooked(node, node.value, "=", [node.target])
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> list[ast.stmt]:
        operator = ast.unparse(node).removeprefix(ast.unparse(node.target)).split("=")[0].strip() + "="
        node.value = self._hooked(node, node.value, operator, [node.target])
        number = ast.Constant(self.last)
        target = copy.deepcopy(node.target)
        target.ctx = ast.Load()
        after = ast.Assign([copy.deepcopy(node.target)], ast.Call(_hook("after"), [number, target], []))
        seen = ast.If(ast.Call(_hook("looks"), [number], []), [after], [])
        based = self._based(node, node.target.value) if isinstance(node.target, ast.Subscript) else ()
        return [node, ast.copy_location(seen, node), *based]

    def visit_Return(self, node: ast.Return) -> ast.stmt:
        value = self._returned(node, node.value, self.function[-1]) if node.value else ast.Constant(None)
        node.value = ast.Call(_hook("left"), [value, _locals()], [])
        return node

    def visit_Expr(self, node: ast.Expr) -> Any:
        call: Any = node.value
        method: Any = call.func if isinstance(call, ast.Call) else None
        if not isinstance(method, ast.Attribute) or method.attr not in _TAKES_A_VALUE or not call.args:
            self.generic_visit(node)
            return node
        target = method.value if method.attr != "at" else call.args[0]
        hooked = self._hooked(node, call.args[-1], "call", [target])
        call.args[-1] = ast.Constant(None)
        self.generic_visit(call)
        call.args[-1] = hooked
        node.value = ast.Call(_hook("call"), [ast.Constant(next(_sites)), call.func, *call.args], call.keywords)
        return [node, *(self._based(node, target) if method.attr == "at" else ())]

    def _returned(self, node: ast.Return, value: ast.expr, name: str) -> ast.expr:
        """Each expression in what is returned; a name was seen when it was assigned."""
        if isinstance(value, (ast.Tuple, ast.List)):
            value.elts = [self._returned(node, item, name) for item in value.elts]
        elif isinstance(value, ast.Dict):
            keys = [ast.literal_eval(k) if isinstance(k, ast.Constant) else name for k in value.keys]
            value.values = [self._returned(node, v, str(k)) for k, v in zip(keys, value.values, strict=True)]
        elif isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and _makes_a_structure(value.func.id):
            value.args = [self._returned(node, item, name) for item in value.args]
            for keyword in value.keywords:
                keyword.value = self._returned(node, keyword.value, keyword.arg or name)
        elif any(isinstance(inner, (ast.Call, ast.BinOp, ast.UnaryOp, ast.Compare)) for inner in ast.walk(value)):
            return self._hooked(node, value, "return", [name])
        elif isinstance(value, ast.Name):
            hooked = self._hooked(node, value, "return", [name])  # where it stands
            return hooked if value.id in self.given[-1] else value
        return value

    def _hooked(self, node: Any, value: ast.expr, kind: str, targets: list[Any]) -> ast.expr:
        """The value of an assignment, seen."""
        start, end = self.source.span(node)
        first, last = self.source.span(value)
        number = len(self.statements)
        names = tuple(target if isinstance(target, str) else self.source.segment(target) for target in targets)
        line = self.source.first + node.lineno - 1
        text = self.source.text[start:end]
        self.statements.append(
            Statement(
                number, kind, names, self.function[-1], self.source.file, line, text, first - start, last - start,
                self.source, start,
            )
        )  # fmt: skip
        hooked = ast.Call(_hook("step"), [ast.Constant(number), self.visit(value)], [])
        self.last = number
        return ast.copy_location(hooked, value)


def _grafted(node: Any, path: list[tuple[str, int]], statements: list[Any]) -> Any:
    """A tree with other statements at a place: it shares what is not on the way there."""
    (name, i), *rest = path
    new, inner = copy.copy(node), list(getattr(node, name))
    inner[i : i + 1] = [_grafted(inner[i], rest, statements)] if rest else statements
    setattr(new, name, inner)
    return new


def _assigned(function: ast.FunctionDef) -> set[str]:
    """The names that are a function's own."""
    inside = list(ast.walk(function))
    shared = {name for node in inside if isinstance(node, (ast.Global, ast.Nonlocal)) for name in node.names}
    stored = {node.id for node in inside if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return (stored | {node.arg for node in inside if isinstance(node, ast.arg)}) - shared


def _parameters(function: FunctionType, called: ast.expr) -> list[str]:
    """What a function of the user's calls its arguments; nothing of any other function."""
    space = function.__globals__
    if isinstance(called, ast.Name):
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        found: Any = space.get(called.id)
        if called.id in cells:
            with contextlib.suppress(ValueError):  # empty
                found = cells[called.id].cell_contents
    elif isinstance(called, ast.Attribute):
        own = function.__qualname__.split(".")[-2:-1]
        classes = [space.get(own[0])] if own else []
        classes += [kind for kind in space.values() if isinstance(kind, type)]
        found = next((f for kind in classes if isinstance(f := getattr(kind, called.attr, None), FunctionType)), None)
    else:
        return []
    if not isinstance(found, FunctionType) or not is_users(found.__code__.co_filename, found.__module__ or ""):
        return []
    names = list(found.__code__.co_varnames[: found.__code__.co_argcount])
    return names[1:] if isinstance(called, ast.Attribute) else names


def _makes_a_structure(function: str) -> bool:
    """Whether it is `dict` or, by its name, a class, such as a dataclass of gradients."""
    return function == "dict" or (function[:1].isupper() and not function[1:].isupper())  # not MSE


def _hook(method: str) -> ast.expr:
    return ast.Attribute(ast.Name(HOOK, ast.Load()), method, ast.Load())


def _locals() -> ast.expr:
    return ast.Call(ast.Name("locals", ast.Load()), [], [])


def _listed(statement: Any) -> list[Any]:
    return statement if isinstance(statement, list) else [statement]


def source_of(function: FunctionType) -> Source | None:
    """The text of a function; None where it is not there, or is only a piece of a line, as a lambda's."""
    try:
        source = Source(function)
    except (OSError, TypeError, SyntaxError, ValueError, IndexError):
        return None
    return source if isinstance(source.tree, ast.FunctionDef) else None


def instrumented(source: Source, statements: list[Statement] | None) -> CodeType | None:
    """The code of a function with hooks; its statements are added to the list, or if there is none are not seen."""
    function = source.function
    body: Any = source.hooked
    if statements is not None:
        body = ast.parse(source.text).body[0]  # anew: hooks are put into it
        body.decorator_list = []
        body = ast.fix_missing_locations(Instrument(source, function.__code__.co_name, statements).visit(body))
    return code_of(function, body)


def code_of(function: FunctionType, body: ast.stmt) -> CodeType | None:
    """The code of another tree of a function, in its closure and its class."""
    name = function.__code__.co_name
    free = [name for name in function.__code__.co_freevars if name != "__class__"]
    owner = function.__code__.co_qualname.split(".")[-2:-1]
    text = f"def factory({', '.join(free)}):\n pass"
    if owner and owner[0].isidentifier():  # names with two underscores, and super(), mean the class
        shared = f" global {owner[0]}\n" if owner[0] not in free else ""  # or methods would take it for the factory's
        text = f"def factory({', '.join(free)}):\n{shared} class {owner[0]}:\n  pass"
    module: Any = ast.parse(text)
    inner = module.body[0].body[-1]
    (inner if isinstance(inner, ast.ClassDef) else module.body[0]).body[-1:] = [body]
    code = compile(module, FILENAME, "exec")
    return next((c for c in _inside(code) if c.co_name == name and c.co_varnames[:1] != ("factory",)), None)


@functools.lru_cache(4096)
def compiled(text: str, mode: str = "eval") -> CodeType:
    """The code of an expression, or with "exec" of statements, as they are."""
    return compile(f"({text}\n)" if mode == "eval" else text, FILENAME, mode)


def evaluated(text: str, variables: Mapping[str, Any]) -> Any:
    """The value of an expression; None where it has none, not yet or not at all."""
    try:
        return eval(compiled(text), dict(variables))
    except Exception:
        return None


def _inside(code: CodeType) -> Iterator[CodeType]:
    waiting = [code]
    while waiting:
        for constant in waiting.pop(0).co_consts:
            if isinstance(constant, CodeType):
                yield constant
                waiting.append(constant)


def is_users(file: str, module: str) -> bool:
    """Whether a person wrote this file: it is of no installed package, ours among them, nor of the standard library."""
    installed = any(part in file for part in ("site-packages", "dist-packages", FILENAME, "<frozen"))
    ours = module.partition(".")[0] == __name__.partition(".")[0]
    return not installed and not ours and not file.startswith(inspect.__file__.removesuffix("inspect.py"))
