"""A training step as one program: forward, backward and update; see `TrainStep(..., compile="numpy")`."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff import Tensor, compile, gradients
from nn.losses import CHECKED, Loss, check
from nn.module import CHANGES, Module
from nn.optim import Optimizer

__library__ = True  # its variables are no names that a user knows

Array = NDArray[Any]
CHUNK = 2000  # steps in one call of machine code, so that Ctrl-C is heard in between


class CompiledStep:
    """`step(X, y)` as `TrainStep` does it, by a program for each shape of X and y.

    It is recorded again where the model, its mode or the optimizer's settings change (`lr` may change freely). The
    parameters have new values afterwards, what others hold of the old ones stays; `.grad` is not touched.
    """

    def __init__(self, model: Module, loss: Loss, optimizer: Optimizer, backend: str) -> None:
        self.model: Module = model
        self.loss: Loss = loss
        self.optimizer: Optimizer = optimizer
        given = [parameter.name for parameter in optimizer.parameters]
        self.names: list[str] = [
            n if n and given.count(n) == 1 else f"{n or 'parameter'}_{i}" for i, n in enumerate(given)
        ]
        self.compiled: Any = compile(self.update, backend, numbers=("lr", "state"))
        self.known: dict[Any, _Prepared] = {}
        self.ready: _Prepared | None = None  # the latest one, if it has the parameters
        self.changes: int = -1

    def update(self, X: Any, y: Any, lr: float, version: Any, **state: Any) -> Any:
        """One update as a function: the loss before it, the new values of parameters, the optimizer's new state."""
        prediction = self.model(X.detach())
        loss = self.loss(prediction, y.detach())
        if not isinstance(loss, Tensor):
            raise TypeError(f"the loss is a {type(loss).__name__}, not a Tensor: it does not depend on the parameters")
        loss.name = loss.name or "loss"
        trained = [parameter for parameter in self.optimizer.parameters if parameter.requires_grad]
        found = dict(zip(map(id, trained), gradients(loss, trained, zeros=False), strict=True))
        new: list[Any] = []
        states: list[Any] = []
        for parameter, name, own in zip(self.optimizer.parameters, self.names, self.optimizer.state, strict=True):
            its = {key: _detached(state.get(f"{name}_{key}", state.get(key))) for key in own}
            gradient, value = found.get(id(parameter)), parameter.detach()
            new.append(None if gradient is None else value - self.optimizer.change(value, gradient, its, lr))
            states.append(its)
        return loss, new, states, prediction.shape

    def __call__(self, X: Array, y: Array) -> float:
        ready = self.ready
        if ready is not None and ready.loan.open and ready.rate == self.optimizer.lr and self.changes == CHANGES[0]:
            loss = ready.quick(X, y)
            if loss is not None:
                return loss
        prepared = self._prepared(X, y)
        if prepared.checks:
            check(self.loss, y, prepared.prediction)
        return prepared(X, y)

    def _prepared(self, X: Array, y: Array) -> _Prepared:
        """The program for arrays of such kinds, with the model and the optimizer as they are."""
        if self.changes != CHANGES[0]:
            self.known.clear()
            self.ready = None
        kind = (X.shape, y.shape, X.dtype, y.dtype, X.strides, y.strides)
        prepared = self.known.get(kind)
        if prepared is None or not prepared.fits():
            prepared = self.known[kind] = _Prepared(self, X, y, kind)
            self.changes = CHANGES[0]
        return prepared

    def run(self, X: Array, y: Array, epochs: int, size: int, rng: np.random.Generator, sums: bool) -> list[float]:
        """The losses of some epochs, in minibatches of `size` that `rng` shuffles; machine code has the loop inside."""
        losses: list[float] = []
        for _ in range(epochs):
            order = rng.permutation(len(X))
            whole = len(X) // size * size
            parts = [(loss, size) for loss in self._swept(X, y, order[:whole], size)]
            if whole < len(X):
                parts.append((self(X[order[whole:]], y[order[whole:]]), len(X) - whole))
            losses.append(sum((1.0 if sums else count / len(X)) * loss for loss, count in parts))
        return losses

    def repeat(self, X: Array, y: Array, epochs: int) -> list[float]:
        """The losses of some epochs, each of one step on all data."""
        losses: list[float] = []
        while len(losses) < epochs:
            prepared = self._prepared(X, y)
            if prepared.loops:
                check(self.loss, y, prepared.prediction)
                losses += prepared.repeat(X, y, min(epochs - len(losses), CHUNK))
            else:
                losses.append(self(X, y))
        return losses

    def _swept(self, X: Array, y: Array, order: Array, size: int) -> list[float]:
        losses: list[float] = []
        while len(order):
            rows = order[:size]
            first = X[rows], y[rows]
            prepared = self._prepared(*first)
            if prepared.loops:
                check(self.loss, y, (len(y), *prepared.prediction[1:]))
                return losses + prepared.sweep(X, y, order, *first)
            losses.append(self(*first))
            order = order[size:]
        return losses

    def mode(self) -> tuple[bool, ...]:
        """The switches of the model and its parameters."""
        flags = [module.training for module in self.model.modules()]
        return (*flags, *(parameter.requires_grad for parameter in self.optimizer.parameters))

    def state(self) -> dict[str, tuple[dict[str, Any], str]]:
        """Where the program's arguments that are the optimizer's state stand; equal counters are one."""
        optimizer = self.optimizer
        found: dict[str, tuple[dict[str, Any], str]] = {}
        for name, own in zip(self.names, optimizer.state, strict=True):
            for key, value in own.items():
                each = [other[key] for other in optimizer.state if key in other]
                shared = isinstance(value, (int, float)) and all(value == other for other in each)
                found.setdefault(key if shared else f"{name}_{key}", (own, key))
        return found


class _Prepared:
    """The program for one kind of X and y: where its arguments come from, and where its results go."""

    def __init__(self, step: CompiledStep, X: Array, y: Array, kind: Any) -> None:
        optimizer, self.step, self.kind = step.optimizer, step, kind
        self.optimizer = optimizer
        self.state = optimizer.state
        self.sizes = [len(own) for own in self.state]
        places = step.state()
        self.inputs = list(places.values())
        self.counters = [(own, key) for name, (own, key) in places.items() if name == key]  # one for all parameters
        given = {name: own[key] for name, (own, key) in places.items()}
        self.needs = [parameter.requires_grad for parameter in optimizer.parameters]
        step.compiled.renewal = self._renewal
        program = self.program = step.compiled.prepare(X, y, optimizer.lr, (CHANGES[1], step.mode()), **given)
        self.checks = step.loss in CHECKED
        _, new, states, self.prediction = program.trace.results
        self.targets = [(p, slot) for p, slot in zip(optimizer.parameters, new, strict=True) if slot is not None]
        entries = [
            (own, key, value)
            for own, values in zip(optimizer.state, states, strict=True)
            for key, value in values.items()
        ]
        self.outputs = [entry for entry in entries if type(entry[2]) not in (int, float)]  # slots among the results
        self.first = [entry for entry in entries if type(entry[2]) in (int, float)]
        self.calls: list[Any] = []  # the program with all but X and y, unless a call is using it,
        self.loan: Any = None  # as long as nobody looks at the parameters,
        self.rate = optimizer.lr  # and with this rate

    def _renewal(self, trace: Any) -> tuple[dict[int, int], int | None]:
        """Which arguments of the program its results are written to: the parameters, and the optimizer's own arrays.
        And how many change from step to step, if that is less than all: X and y."""
        _, new, states, _ = trace.results
        captured = {id(t): len(trace.inputs) + i for i, t in enumerate(trace.captured.values())}
        pairs = {
            captured[id(p)]: slot for p, slot in zip(self.optimizer.parameters, new, strict=True) if slot is not None
        }
        places = {(id(own), key): 3 + i for i, (own, key) in enumerate(self.inputs)}
        for own, values in zip(self.state, states, strict=True):
            for key, slot in values.items():
                place = places.get((id(own), key))
                if place is not None and type(slot) not in (int, float):
                    pairs[place] = slot
        steady = not self.inputs and len(pairs) == len(captured) == len(trace.outputs) - 1
        return pairs, 2 if steady else None

    def fits(self) -> bool:
        """Whether the optimizer's state is what the program is for."""
        optimizer = self.optimizer
        if optimizer.state is not self.state or [len(own) for own in self.state] != self.sizes:
            return False
        if any(other[key] != own[key] for own, key in self.counters for other in self.state if key in other):
            return False
        return [parameter._node.needs for parameter in optimizer.parameters] == self.needs

    def __call__(self, X: Array, y: Array) -> float:
        if self.program.borrows and not self.first:
            self._borrow(X, y)
            loss = self.quick(X, y)
            if loss is not None:
                return loss
        found = self.program.code.call(X, y, *self._own())
        self._keep(found)
        return float(found[0])

    def _borrow(self, X: Array, y: Array) -> None:
        """Give the program all but X and y."""
        call, self.loan = self.program.borrow(X, y, self.optimizer.lr)
        self.calls, self.rate, self.step.ready = [call], self.optimizer.lr, self

    def quick(self, X: Array, y: Array) -> float | None:
        """The loss, and new values in the arrays that are lent; None for an X and y of another kind."""
        if (X.shape, y.shape, X.dtype, y.dtype, X.strides, y.strides) != self.kind:
            return None
        if self.checks:
            check(self.step.loss, y, self.prediction)
        call = self.calls.pop()
        (loss,) = call(X, y)
        self.calls.append(call)
        return float(loss)

    def repeat(self, X: Array, y: Array, times: int) -> list[float]:
        """As many steps, in one call of machine code."""
        losses, found = self.program.code.repeat(times, X, y, *self._own())
        self._keep(found)
        return losses.tolist()

    def sweep(self, X: Array, y: Array, order: Array, *first: Array) -> list[float]:
        """A step on each minibatch, in one call of machine code; `first` is like each of them."""
        losses, found = self.program.code.sweep(order, X, y, *first, *self._own())
        self._keep(found)
        return losses.tolist()

    @property
    def loops(self) -> bool:
        """Whether many steps can be one call."""
        return self.program.code.loops and not self.first

    def _own(self) -> list[Any]:
        """The program's arguments beside X and y."""
        return [self.optimizer.lr, *[own[key] for own, key in self.inputs], *self.program.found_outside()]

    def _keep(self, found: Any) -> None:
        """Put the results where they belong."""
        for parameter, slot in self.targets:
            if found[slot] is not parameter._value:
                parameter._replace(found[slot])
        for own, key, slot in self.outputs:
            own[key] = found[slot]
        for own, key, value in self.first:
            own[key] = value


def _detached(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else value


def plain_arrays(X: Any, y: Any) -> tuple[Array, Array]:
    """X and y as arrays that a program takes."""
    if type(X) is np.ndarray and type(y) is np.ndarray:
        return X, y
    return tuple(x.numpy() if isinstance(x, Tensor) else np.asarray(x) for x in (X, y))  # type: ignore[return-value]
