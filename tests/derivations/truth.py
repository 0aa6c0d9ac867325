"""What a derivation is worth: its gradients against differences of its own loss, with nothing of autodiff.

The parameters of a call are the arguments or attributes that its gradients belong to. Each is an array or a nested
list, tuple, dict or dataclass of arrays, and its gradient has the same structure.
"""

import copy
import inspect
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from types import FrameType
from typing import Any

import numpy as np

Named = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """What a user passes: `verify(step, *args, **keywords)`."""

    step: Any  # a function, a method or an object that is called
    args: tuple[Any, ...]
    keywords: Named


def call(step: Callable[..., Any], *args: Any, **keywords: Any) -> Call:
    return Call(step, args, keywords)


def copied(call: Call) -> Call:
    """The call on copies of its arrays and of the instances that its methods belong to."""
    return Call(*copy.deepcopy((call.step, call.args, call.keywords)))


def evaluate(call: Call) -> tuple[float, Named]:
    """The loss, summed, and the gradients by the names of their parameters."""
    step, args, keywords = vars(copied(call)).values()
    with np.errstate(all="ignore"), seeded(0):
        if "gradients" in keywords:
            scope = local_names(step, args)
            loss = eval(keywords["loss"], scope)
            gradients = {name: eval(text, scope) for name, text in keywords["gradients"].items()}
        elif "by_hand" in keywords:
            loss, gradients = step(*args), keywords["by_hand"](*args)
        else:
            loss, gradients = step(*args)
    return float(np.sum(loss)), named(gradients, keywords.get("wrt") or tuple(inspect.signature(step).parameters))


@contextmanager
def seeded(seed: int) -> Generator[None]:
    """For code that draws from NumPy's global generator: the same numbers every time, and no trace left."""
    state = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(state)


def named(gradients: Any, names: tuple[str, ...]) -> Named:
    """Gradients come as a dict by name, as a tuple or list in order, or as the one that there is."""
    if isinstance(gradients, dict):
        return gradients
    if not isinstance(gradients, tuple | list) or len(gradients) != len(names) == 1:
        gradients = [gradients]
    assert len(gradients) == len(names), "name the parameters with wrt"
    return dict(zip(names, gradients, strict=True))


def local_names(function: Callable[..., Any], args: tuple[Any, ...]) -> Named:
    """The names inside a function when it returned."""
    scope: Named = {}

    def leave(frame: FrameType, event: str, _: Any) -> None:
        if event == "return" and frame.f_code is function.__code__:
            scope.update(frame.f_locals)

    outer = sys.getprofile()
    sys.setprofile(leave)
    try:
        function(*args)
    finally:
        sys.setprofile(outer)
    return scope


def parameters(call: Call) -> Named:
    """The parameters by name: `W1` is an argument, `self.W1` an attribute."""
    return {name: parameter(call, name) for name in evaluate(call)[1]}


def parameter(call: Call, name: str) -> Any:
    if name.startswith("self."):
        return getattr(call.step.__self__, name.removeprefix("self."))
    return call.args[position(call, name)]


def position(call: Call, name: str) -> int:
    return list(inspect.signature(call.step).parameters).index(name)


def moved(call: Call, values: Named) -> Call:
    """The call with other values of some parameters."""
    call = copied(call)
    args = list(call.args)
    for name, value in values.items():
        if name.startswith("self."):
            setattr(call.step.__self__, name.removeprefix("self."), value)
        else:
            args[position(call, name)] = value
    return Call(call.step, tuple(args), call.keywords)


def mapped(f: Callable[..., Any], *values: Any) -> Any:
    """f of the arrays that stand at the same place of equal structures."""
    first = values[0]
    if isinstance(first, dict):
        return {key: mapped(f, *(value[key] for value in values)) for key in sorted(first)}
    if is_dataclass(first):
        return type(first)(*(mapped(f, *(getattr(value, x.name) for value in values)) for x in fields(first)))
    if isinstance(first, list | tuple):
        return type(first)(mapped(f, *parts) for parts in zip(*values, strict=True))
    return f(*values)


def flat(value: Any) -> np.ndarray:
    """All numbers of a structure, in order."""
    parts: list[np.ndarray] = []
    mapped(lambda array: parts.append(np.ravel(np.asarray(array, float))), value)
    return np.concatenate(parts)


def shapes(value: Any) -> Any:
    return mapped(np.shape, value)


def wrong(call: Call, rng: np.random.Generator, step: float, tolerance: float) -> list[str]:
    """The parameters whose gradient differs from the slope of the loss along a random direction, or has another shape.

    The slope is the difference quotient of order four.
    """
    return [
        name for name, gradient in evaluate(call)[1].items() if not agrees(call, name, gradient, rng, step, tolerance)
    ]


def agrees(call: Call, name: str, gradient: Any, rng: np.random.Generator, step: float, tolerance: float) -> bool:
    value = parameter(call, name)
    try:
        if shapes(gradient) != shapes(value):
            return False
    except (ValueError, KeyError, AttributeError, TypeError):  # other structures
        return False
    direction = mapped(lambda array: rng.normal(size=np.shape(array)), value)

    def loss(h: float) -> float:
        return evaluate(moved(call, {name: mapped(lambda x, d: x + h * d, value, direction)}))[0]

    near, far = ((loss(h) - loss(-h)) / (2 * h) for h in (step, 2 * step))
    slope = (4 * near - far) / 3
    along = flat(gradient) @ flat(direction)
    scale = np.linalg.norm(flat(gradient)) * np.linalg.norm(flat(direction)) + abs(slope)
    return bool(abs(along - slope) <= tolerance * scale + 1e-14 * abs(loss(0.0)) / step)


def trained(call: Call, steps: int = 300, rate: float = 0.05) -> Named:
    """Parameters near a minimum of the loss: Adam along the call's own gradients."""
    values = parameters(call)
    mean = power = mapped(np.zeros_like, mapped(lambda array: np.asarray(array, float), values))
    for k in range(1, steps + 1):
        loss, gradients = evaluate(moved(call, values))
        if loss < 1e-4:
            break
        mean = mapped(lambda m, g: 0.9 * m + 0.1 * g, mean, gradients)
        power = mapped(lambda v, g: 0.99 * v + 0.01 * g * g, power, gradients)
        size = rate * np.sqrt(1 - 0.99**k) / (1 - 0.9**k)
        step = mapped(lambda m, v: m / (np.sqrt(v) + 1e-8), mean, power)
        values = mapped(lambda w, s, size=size: w - size * s, values, step)
    return values
