"""What is to be verified: a user's call, what it differentiates, and where its loss and its gradients are found."""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...errors import GradientError
from ...rules.shape import identity
from ...structures import leaves
from ...tensor import Tensor
from .program import Program, Run
from .quiet import drawn, unnoticed
from .stand_ins import stacked

Point = Mapping[str, Any]  # the values of the parameters, by name


@dataclass
class Outcome:
    """What one run gave: arrays, or Tensors where it was traced."""

    run: Run
    loss: Any = None
    gradients: dict[str, Any] = field(default_factory=dict)  # by the parameter's name
    error: BaseException | None = None
    changed: tuple[str, ...] = ()  # the arguments that it wrote to
    owner: Any = None  # the copy of a method's object


class Problem:
    """A call `f(*arguments)`, run as often as it takes.

    `parameters` are the values to differentiate by, as the user gave them, by name: an argument's name, `params["W1"]`
    inside one, `self.W1` of a method's object, or a local name of the function.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        arguments: Sequence[Any],
        by_hand: Callable[..., Any] | None = None,
        wrt: Sequence[str] | str | None = None,
        loss: str | None = None,
        gradients: Mapping[str, str] | None = None,
        on_run: Callable[[], None] | None = None,
    ) -> None:
        self.f: Callable[..., Any] = f
        self.arguments: tuple[Any, ...] = tuple(arguments)
        self.by_hand: Callable[..., Any] | None = by_hand
        self.on_run: Callable[[], None] | None = on_run
        self.program: Program = Program()
        self.loss: str | None = loss
        self.where: dict[str, str] = dict(gradients or {})
        self.names: list[str] = _argument_names(f, self.arguments)
        self.parameters: dict[str, Any] = {}
        self.keys: dict[str, str] = {}  # where among the gradients those of the parameters are
        self.located: bool = True  # whether the source is there
        self.bounded: bool = False  # whether what is infinite is only far out where it is recorded
        self.packed: bool = False  # whether lists of numbers are gradients of arrays
        self.draws: bool = False  # whether it takes numbers from the global random generators
        first, self.draws = drawn(self.run)
        self.first: Outcome = first
        if first.error is not None:
            if line := self.program.line_of(first.error):
                first.error.add_note(f"raised at {line}")
            raise first.error
        if self.where:
            self.where, self.parameters = self._spread({name: self._given(name, first) for name in self.where})
        else:
            self._match(wrt)
        space = self._space()
        self.assigns: bool = any(_path(name, space)[0] not in space for name in self.parameters)  # parameters inside

    def run(
        self, point: Point | None = None, traced: bool = False, program: Program | None = None, **options: Any
    ) -> Outcome:
        """Run it, or an edited program, on copies, at a point, and collect what came out."""
        outcome = self._run(point, traced, program, **options)
        if traced and outcome.error is not None:  # a derivative may have been written into an array of integers
            wider = self._run(point, traced, program, widen=True, **options)
            outcome = wider if wider.error is None else outcome
        return outcome

    def _run(self, point: Point | None, traced: bool, program: Program | None, **options: Any) -> Outcome:
        run = Run(program or self.program, traced, bounded=self.bounded and traced, **options)
        with unnoticed(self.draws):
            arguments = tuple(run.copied(argument) for argument in self.arguments)
            outcome = Outcome(run, owner=run.copied(getattr(self.f, "__self__", None)))
            try:
                arguments = self._placed(run, arguments, point or {})
                result = self._called(run, arguments)
                self._collect(outcome, result)
                if not traced:
                    outcome.changed = self._changed(arguments, point or {})
            except Exception as error:
                outcome.error = error
            finally:
                run.keeper.restore()
                if self.on_run:
                    self.on_run()
        return outcome

    # --- at a point ---

    def _placed(self, run: Run, arguments: tuple[Any, ...], point: Point) -> tuple[Any, ...]:
        """The arguments, with the values of a point in the places of the parameters."""
        space = dict(zip(self.names, arguments, strict=False)) | {"self": run.copied(getattr(self.f, "__self__", None))}
        for name, value in point.items():
            new: Any = value if isinstance(value, float) else np.array(value)
            if run.traced:
                new = Tensor(value, name=name, dtype=np.float64)
                new = identity(new) if isinstance(value, np.ndarray) else new[()]  # a scalar is not written to
            root, keys = _path(name, space)
            if root in space:
                space[root] = _placed(space[root], keys, new)
            else:
                run.given[name] = new
        return tuple(space[name] for name in self.names)

    def _changed(self, arguments: tuple[Any, ...], point: Point) -> tuple[str, ...]:
        """The arguments that a run has written to."""
        found: list[str] = []
        for name, old, new in zip(self.names, self.arguments, arguments, strict=True):
            if isinstance(old, np.ndarray) and isinstance(new, np.ndarray) and name not in point:
                found += [name] * (not np.array_equal(old, new, equal_nan=old.dtype.kind == "f"))
        return tuple(found)

    def _called(self, run: Run, arguments: tuple[Any, ...]) -> Any:
        """The result of the function, or of both of them."""
        result = self._call(run, self.f, arguments)
        if self.by_hand is None:
            return result
        loss, *rest = result if isinstance(result, tuple) else (result,)
        return loss, self._call(run, self.by_hand, _accepted(self.by_hand, arguments, rest))

    def _call(self, run: Run, f: Callable[..., Any], arguments: Sequence[Any]) -> Any:
        followed = run.followed(f)
        self.located = self.located and self.program.sees(followed)
        return (followed or f)(*arguments)

    # --- what came out ---

    def _collect(self, outcome: Outcome, result: Any) -> None:
        if self.where:
            outcome.loss = self._named(outcome, self.loss or "loss")
            outcome.gradients = {name: self._named(outcome, where) for name, where in self.where.items()}
            return
        if self.loss is not None:
            outcome.loss, found = self._named(outcome, self.loss), result
        elif isinstance(result, tuple) and len(result) >= 2:
            outcome.loss, found = result[0], result[1] if len(result) == 2 else result[1:]
        else:
            name = getattr(self.f, "__name__", "the function")
            raise GradientError(f"verify: {name} must return (loss, gradients), and returned {type(result).__name__}")
        found = _packed(found) if self.packed else found
        outcome.gradients = {path: value for path, value in _flat(found).items() if value is not None}
        if not outcome.gradients:
            raise GradientError(f"verify: {getattr(self.f, '__name__', 'the function')} returned no gradients")
        if self.keys:
            outcome.gradients = {name: outcome.gradients[key] for name, key in self.keys.items()}

    def _named(self, outcome: Outcome, name: str) -> Any:
        """The value that a local name, or an attribute, has at the end."""
        values = outcome.run.locals
        with contextlib.suppress(Exception):
            return eval(name, {}, {"self": outcome.owner, **values})
        raise GradientError(f"verify: {name} is not assigned in the function; assigned are {', '.join(values)}")

    # --- parameters ---

    def _match(self, wrt: Sequence[str] | str | None) -> None:
        """Which gradient belongs to which parameter; lists of numbers may be those of arrays."""
        found = self.first.gradients
        try:
            self.parameters, self.keys = _matched(self._candidates(wrt, found), found)
        except GradientError:
            if self.packed:
                raise
            self.packed = True
            self.first = self.run()
            if len(self.first.gradients) == len(found):
                raise
            self._match(wrt)

    def _candidates(self, wrt: Sequence[str] | str | None, gradients: Mapping[str, Any]) -> dict[str, Any]:
        """All values by which one could differentiate: arrays of numbers among the arguments, by name."""
        named = dict(zip(self.names, self.arguments, strict=False))
        owner = getattr(self.f, "__self__", None)
        if wrt is None and hasattr(owner, "__dict__"):
            wrt = _attributes(owner, named, gradients)
        if wrt is not None:
            wrt = [wrt] if isinstance(wrt, str) else list(wrt)
            for name in wrt:
                if name not in named and owner is not None and name.startswith("self."):
                    named[name] = eval(name, {}, {"self": owner})
                elif name not in named:
                    raise GradientError(f"verify: wrt names {name!r}; the arguments are {', '.join(self.names)}")
            named = {name: named[name] for name in wrt}
        found: dict[str, Any] = {}
        for name, value in named.items():
            found |= {name + path: item for path, item in _flat(value).items() if _is_number(item)}
        if not found:
            kinds = ", ".join(f"{name} is {_kind(value)}" for name, value in named.items()) or "there are none"
            raise GradientError(
                "verify: among the arguments there is no real floating number or array to differentiate by "
                f"({kinds}); a parameter can also be named with gradients="
            )
        return found

    def _spread(self, given: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
        """Where the gradients are, and the parameters, of which one may be a dict or a list of arrays."""
        where: dict[str, str] = {}
        parameters: dict[str, Any] = {}
        for name, value in given.items():
            for path, part in _flat(value).items():
                where[name + path], parameters[name + path] = self.where[name] + path, part
        return where, parameters

    def _space(self) -> dict[str, Any]:
        """The arguments, and the object whose method it is, by name."""
        return dict(zip(self.names, self.arguments, strict=False)) | {"self": getattr(self.f, "__self__", None)}

    def _given(self, name: str, first: Outcome) -> Any:
        """The value of a parameter that is named in `gradients=`."""
        space = self._space()
        root, keys = _path(name, space)
        if root in space:
            return functools.reduce(_item, keys, space[root])
        for record in first.run.records:
            if record.name == name:
                return record.value
        raise GradientError(f"verify: gradients= names {name!r}, which is neither an argument nor assigned")


def _attributes(owner: Any, arguments: Mapping[str, Any], gradients: Mapping[str, Any]) -> list[str] | None:
    """The parameters that a method's object holds, where a dict of gradients speaks of them by name, and they fit."""
    if all(_by_name(key, arguments) is not None for key in gradients):
        return None
    held = {f"self.{name}": v for name, v in vars(owner).items() if isinstance(v, (np.ndarray, float, dict, list))}
    own = {name + path: v for name, value in held.items() for path, v in _flat(value).items() if _is_number(v)}
    named = {key: _by_name(key, own) for key in gradients}
    fit = all(name is not None and np.shape(gradients[key]) == np.shape(own[name]) for key, name in named.items())
    return [name for name in named.values() if name is not None] if fit else None


def _argument_names(f: Callable[..., Any], arguments: Sequence[Any]) -> list[str]:
    """The names of the arguments that are given; numbered where the function does not say."""
    try:
        bound = inspect.signature(f).bind(*arguments)
    except TypeError as error:
        raise GradientError(
            f"verify: {getattr(f, '__name__', 'the function')} does not take these arguments: {error}"
        ) from None
    except ValueError:
        return [f"argument{i}" for i in range(len(arguments))]
    names: list[str] = []
    for name, value in bound.arguments.items():
        starred = bound.signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL
        names += [f"{name}[{i}]" for i in range(len(value))] if starred else [name]
    return names


def _accepted(g: Callable[..., Any], arguments: Sequence[Any], rest: Sequence[Any]) -> Sequence[Any]:
    """The arguments of the backward function: those of the forward one, what that returned beside the loss, both."""
    for candidate in (arguments, (*arguments, *rest), (*rest, *arguments), rest):
        try:
            inspect.signature(g).bind(*candidate)
        except TypeError:
            continue
        except ValueError:
            return arguments
        return candidate
    return arguments


def _flat(structure: Any, path: str = "") -> dict[str, Any]:
    """The arrays of nested containers, by the text of what one would write to reach them."""
    items: list[tuple[str, Any]]
    if isinstance(structure, dict):
        items = [(f"[{key!r}]".replace("'", '"'), value) for key, value in structure.items()]
    elif hasattr(structure, "_fields"):
        items = [(f".{name}", getattr(structure, name)) for name in structure._fields]
    elif isinstance(structure, (list, tuple)):
        items = [(f"[{i}]", value) for i, value in enumerate(structure)]
    elif not isinstance(structure, (type, np.ndarray, np.generic, Tensor, float, int)) and hasattr(
        structure, "__dict__"
    ):
        items = [(f".{name}", value) for name, value in vars(structure).items()]
    else:
        return {path: structure}
    found: dict[str, Any] = {}
    for key, value in items:
        found |= _flat(value, path + key)
    return found


def _packed(structure: Any) -> Any:
    """The structure with arrays in the places of lists of numbers."""
    if isinstance(structure, dict):
        return {key: _packed(item) for key, item in structure.items()}
    if isinstance(structure, list) and structure and all(np.ndim(item) == 0 for item in leaves(structure)):
        with contextlib.suppress(ValueError, GradientError):  # rows of several lengths
            return stacked(structure) if any(isinstance(x, Tensor) for x in leaves(structure)) else np.array(structure)
    return type(structure)(map(_packed, structure)) if type(structure) in (list, tuple) else structure


def _path(name: str, roots: Container[str] = ()) -> tuple[str, list[Any]]:
    """`params["W"][0].x` as its root and the keys that lead on: an attribute is a name with a dot.

    `Ws[0]` is a root itself where the function takes `*Ws`.
    """
    texts, keys = _steps_to(name)
    first = next((i for i, text in enumerate(texts) if text in roots), len(keys))
    return texts[first], keys[:first][::-1]


@functools.lru_cache(4096)
def _steps_to(name: str) -> tuple[list[str], list[Any]]:
    """The text of a path, of what it is an item or an attribute of, and so on to the name; and the keys in between."""
    node, keys = ast.parse(name, mode="eval").body, list[Any]()
    texts = [ast.unparse(node)]
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Subscript):
            keys.append(ast.literal_eval(node.slice))
        elif isinstance(node, ast.Attribute):
            keys.append("." + node.attr)
        else:
            raise GradientError(f"verify: {name!r} is no name, attribute or item")
        node = node.value
        texts.append(ast.unparse(node))
    return texts, keys


def _item(structure: Any, key: Any) -> Any:
    return getattr(structure, key[1:]) if isinstance(key, str) and key.startswith(".") else structure[key]


def _placed(structure: Any, keys: list[Any], new: Any) -> Any:
    """The structure with another value at a place; what can be changed is, since it is a copy already."""
    if not keys:
        return new
    key: Any = keys[0]
    rest = keys[1:]
    if isinstance(key, str) and key.startswith("."):
        value = _placed(getattr(structure, key[1:]), rest, new)
        if hasattr(structure, "_replace"):
            return structure._replace(**{key[1:]: value})
        object.__setattr__(structure, key[1:], value)
        return structure
    value = _placed(structure[key], rest, new)
    if isinstance(structure, tuple):
        items: Any = list(structure)
        items[key] = value
        return tuple(items)
    structure[key] = value
    return structure


def _kind(value: Any) -> str:
    return f"{value.dtype}" if isinstance(value, (np.ndarray, np.generic)) else type(value).__name__


def _is_number(value: Any) -> bool:
    return isinstance(value, (float, np.ndarray, np.generic)) and np.asarray(value).dtype.kind in "fiu"


def _matched(candidates: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Which gradient belongs to which parameter: by name, else by order, else by order and shape."""
    by_name = {key: name for key in found if (name := _by_name(key, candidates)) is not None}
    if len(by_name) == len(found) == len(set(by_name.values())):
        pairs = {name: key for key, name in by_name.items()}
    elif len(found) == len(candidates):
        pairs = dict(zip(candidates, found, strict=True))
    else:
        pairs = _by_shape(candidates, found)
    return {name: candidates[name] for name in pairs}, pairs


def _by_name(key: str, candidates: Mapping[str, Any]) -> str | None:
    """The parameter that a gradient's place speaks of: `["dW1"]`, `.W1` and `["grad_W1"]` speak of W1; `[0]` none."""
    words = re.findall(r"[^\W\d]\w*", key)
    if not words:
        return None
    for name in candidates:
        last, rest = re.findall(r"\w+", name)[-1], re.findall(r"[^\W\d]\w*", name)
        word = re.findall(r"\w+", key)[-1] if last.isdigit() else words[-1]
        if (
            word in (last, name)
            or _bare(word) == last
            or (last.isdigit() and word == last and _bare(words[-1]) in rest)
        ):
            return name
    return None


def _bare(word: str) -> str:
    """`W1` of `dW1`, `grad_W1` and `W1_grad`."""
    return re.sub(r"^(d|D|g|grad|nabla|delta)_?(?=.)|_?(grad|gred|gradient|prime)$", "", word)


def _by_shape(candidates: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, str]:
    """In the order of the arguments, where shapes leave only one way to leave some out."""
    ways: list[dict[str, str]] = [{}]
    keys = list(found)
    for name, value in candidates.items():
        open_ways = [way for way in ways if len(way) < len(keys)]
        ways += [{**w, name: keys[len(w)]} for w in open_ways if np.shape(found[keys[len(w)]]) == np.shape(value)]
    full = [way for way in ways if len(way) == len(keys)]
    if len(full) == 1 and keys:
        return full[0]
    arguments = ", ".join(f"{name} {np.shape(value)}" for name, value in candidates.items())
    shapes = ", ".join(str(np.shape(value)) for value in found.values())
    raise GradientError(
        f"verify: gradients of shapes {shapes} for the arguments {arguments}: say which with wrt=, "
        "or return a dict by the arguments' names"
    )
