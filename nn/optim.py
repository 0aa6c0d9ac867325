"""Optimizers: how a gradient becomes a step. Each states its direction; `Optimizer.step` walks it.

    SGD   g                                  with momentum: v = momentum * v + g
    Adam  m / (sqrt(v) + eps)                m, v: running means of g and g**2, unbiased

Values equal PyTorch's to rounding. A parameter's array is replaced and never written; the optimizer's own are reused.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from autodiff import Tensor, no_grad
from nn._check import real
from nn.module import CHANGES, Module

Array = NDArray[Any]
State = dict[str, Any]


class Optimizer:
    """The base of optimizers: a subclass defines `direction`, and `limits`, the bounds of its settings.

    `parameters` is an iterable of Tensors, such as `model.parameters()`. Those without a gradient stay as they are.
    """

    limits: ClassVar[dict[str, tuple[float, float]]] = {"lr": (0, math.inf), "weight_decay": (0, math.inf)}
    lr: float
    weight_decay: float

    def __init__(self, parameters: Iterable[Tensor], lr: float, weight_decay: float = 0) -> None:
        self.parameters: tuple[Tensor, ...] = _parameters(parameters)
        self.state: list[State] = [{} for _ in self.parameters]
        self.lr = lr
        self.weight_decay = weight_decay

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, self._checked(name, value))
        CHANGES.note(name != "lr", name not in ("lr", "state"))

    def direction(self, gradient: Array, state: State) -> Array:
        """What to subtract, before the learning rate; `state` is this parameter's own, empty at first."""
        raise NotImplementedError(f"{type(self).__name__} defines no direction(self, gradient, state)")

    def fresh(self, parameter: Any) -> State:
        """The state of a parameter that was not updated yet, where that is known before its first gradient."""
        return {}

    def change(self, value: Any, gradient: Any, state: State, lr: float) -> Any:
        """What to subtract from a parameter with this value (which only weight decay asks for) and gradient."""
        if self.weight_decay:
            gradient = gradient + self.weight_decay * value
        return lr * self.direction(gradient, state)

    def step(self) -> None:
        """Update each parameter by its gradient: parameter -= lr * direction."""
        lr, weight_decay, change = self.lr, self.weight_decay, self.change
        with no_grad():
            for parameter, state in zip(self.parameters, self.state, strict=True):
                gradient = parameter.grad
                if gradient is not None:
                    parameter -= change(parameter.numpy() if weight_decay else None, gradient, state, lr)

    def zero_grad(self) -> None:
        """Forget the parameters' gradients: each becomes None."""
        for parameter in self.parameters:
            parameter.zero_grad()

    @property
    def settings(self) -> dict[str, Any]:
        """The numbers and switches that it was made with, by name."""
        return {name: value for name, value in vars(self).items() if name not in ("parameters", "state")}

    def state_dict(self) -> dict[str, Any]:
        """The settings and copies of the state of each parameter, to go on from later.

        >>> SGD([Tensor(1.0)], lr=0.1).state_dict()
        {'settings': {'lr': 0.1, 'weight_decay': 0.0, 'momentum': 0.0, 'nesterov': False}, 'state': [{}]}
        """
        return {"settings": self.settings, "state": [_copy(state) for state in self.state]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict()` of an optimizer of the same kind, for parameters of the same shapes.

        Errors: `ValueError` that names what does not fit; then nothing has changed.
        """
        if set(state) != {"settings", "state"} or set(state["settings"]) != set(self.settings):
            raise ValueError(f"no state_dict() of {type(self).__name__}, whose settings are {list(self.settings)}")
        if len(state["state"]) != len(self.parameters):
            given, own = len(state["state"]), len(self.parameters)
            raise ValueError(f"the state is of {given} parameters, and this optimizer has {own}")
        pairs = [*zip(state["state"], self.parameters, strict=True)]
        for position, (each, parameter) in enumerate(pairs):
            for name, value in each.items():
                if isinstance(value, np.ndarray) and value.shape != parameter.shape:
                    raise ValueError(f"{name} of parameter {position} is {value.shape}, not {parameter.shape}")
        settings = {name: self._checked(name, value) for name, value in state["settings"].items()}
        self.state = [_copy(each, parameter.dtype) for each, parameter in pairs]
        vars(self).update(settings)

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value}" for name, value in self.settings.items())
        count = sum(parameter.size for parameter in self.parameters)
        return f"{type(self).__name__}({settings}) of {count} parameters"

    def _checked(self, name: str, value: Any) -> Any:
        return real(name, value, *self.limits[name]) if name in self.limits else value


class SGD(Optimizer):
    """Stochastic gradient descent: parameter -= lr * g.

    With momentum v stands for g, v = momentum * v + g, begun at v = g; with `nesterov` too it is g + momentum * v.
    `weight_decay` adds weight_decay * parameter to g first.
    Errors: settings below 0, `nesterov` without momentum, no parameters, a parameter given twice.
    Source: `torch.optim.SGD`; Sutskever et al., "On the importance of initialization and momentum" (2013).

    >>> import nn
    >>> w = nn.Parameter([1.0, -2.0])
    >>> (w * w).sum().backward()
    >>> SGD([w], lr=0.25).step()
    >>> w.numpy().tolist()
    [0.5, -1.0]
    """

    limits: ClassVar[dict[str, tuple[float, float]]] = Optimizer.limits | {"momentum": (0, math.inf)}
    momentum: float

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        momentum: float = 0,
        nesterov: bool = False,
        weight_decay: float = 0,
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        self.momentum = momentum
        self.nesterov = nesterov
        if nesterov and not momentum:
            raise ValueError("nesterov looks ahead along the momentum: give a momentum above 0, such as 0.9")

    def direction(self, gradient: Array, state: State) -> Array:
        if not self.momentum:
            return gradient
        if "velocity" not in state:
            state["velocity"] = gradient.copy()
        else:
            state["velocity"] *= self.momentum
            state["velocity"] += gradient
        return gradient + self.momentum * state["velocity"] if self.nesterov else state["velocity"]


class Adam(Optimizer):
    """Steps of a steady size: the running mean of g over the root of the running mean of g**2, both unbiased.

    `weight_decay` adds weight_decay * parameter to g first. Errors: settings below 0, betas outside [0, 1), no
    parameters, a parameter given twice.
    Source: `torch.optim.Adam`; Kingma and Ba, "Adam: a method for stochastic optimization" (2015).

    >>> import nn
    >>> w = nn.Parameter([1.0, -2.0])
    >>> (w * w).sum().backward()
    >>> Adam([w], lr=0.25).step()
    >>> w.numpy().round(6).tolist()
    [0.75, -1.75]
    """

    limits: ClassVar[dict[str, tuple[float, float]]] = Optimizer.limits | {
        "beta1": (0, 1),
        "beta2": (0, 1),
        "eps": (0, math.inf),
    }
    beta1: float
    beta2: float
    eps: float

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        if not isinstance(betas, Sequence) or len(betas) != 2:
            raise TypeError(f"betas must be a pair such as (0.9, 0.999), not {betas!r}")
        self.beta1, self.beta2 = betas
        self.eps = eps

    def fresh(self, parameter: Any) -> State:
        return {"steps": 0, "mean": np.zeros_like(parameter), "square": np.zeros_like(parameter)}

    def direction(self, gradient: Array, state: State) -> Array:
        state |= {} if state else self.fresh(gradient)
        state["steps"] += 1
        state["mean"] += (1 - self.beta1) * (gradient - state["mean"])
        state["square"] *= self.beta2
        state["square"] += (1 - self.beta2) * gradient * gradient
        unbias_mean, unbias_square = 1 - self.beta1 ** state["steps"], 1 - self.beta2 ** state["steps"]
        scale = unbias_mean / unbias_square**0.5  # of the root, so that the mean is divided only once
        return state["mean"] / (np.sqrt(state["square"]) * scale + self.eps * unbias_mean)


def _parameters(parameters: Iterable[Tensor]) -> tuple[Tensor, ...]:
    """The parameters as a tuple, each known to be a leaf with gradient and given once."""
    if isinstance(parameters, Module):
        raise TypeError("an optimizer takes parameters, not a module: write model.parameters()")
    if isinstance(parameters, Tensor):
        raise TypeError("an optimizer takes several parameters: write [parameter] for a single one")
    parameters = tuple(parameters)
    first: dict[int, int] = {}
    for position, parameter in enumerate(parameters):
        if not isinstance(parameter, Tensor):
            raise TypeError(f"parameter {position} is a {type(parameter).__name__}, not a Tensor")
        _ = parameter.grad  # an interior Tensor has none, and says so here
        if (other := first.setdefault(id(parameter), position)) != position:
            raise ValueError(f"parameter {position} is parameter {other} again, and would be updated twice")
    if not any(parameter.requires_grad for parameter in parameters):
        raise ValueError(
            "no parameters to optimize: is the model without Parameter attributes, or an iterator already used up?"
        )
    return parameters


def _copy(state: Mapping[str, Any], dtype: DTypeLike | None = None) -> State:
    return {name: np.array(value, dtype) if isinstance(value, np.ndarray) else value for name, value in state.items()}
