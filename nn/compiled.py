"""A training step as one program: forward, backward and update; see `TrainStep(..., compile="numpy")`."""

from __future__ import annotations

import functools
from collections.abc import Callable
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


class Update:
    """What programs are recorded from: one update as a function. It holds nothing else, since all
    that a function can reach is searched for generators."""

    def __init__(self, model: Module, loss: Loss, optimizer: Optimizer) -> None:
        self.model: Module = model
        self.loss: Loss = loss
        self.optimizer: Optimizer = optimizer
        given = [parameter.name for parameter in optimizer.parameters]
        self.names: list[str] = [
            n if n and given.count(n) == 1 else f"{n or 'parameter'}_{i}" for i, n in enumerate(given)
        ]

    def update(self, X: Any, y: Any, lr: float, version: Any, **state: Any) -> Any:
        """The loss before the update, the new values of parameters, the optimizer's new state."""
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


class CompiledStep:
    """`step(X, y)` as `TrainStep` does it, by a program for each shape of X and y.

    It is recorded again where the model, its mode or the optimizer's settings change (`lr` may change freely). The
    parameters have new values afterwards, what others hold of the old ones stays; `.grad` is not touched.
    """

    def __init__(self, model: Module, loss: Loss, optimizer: Optimizer, backend: str) -> None:
        self.model: Module = model
        self.loss: Loss = loss
        self.optimizer: Optimizer = optimizer
        function = Update(model, loss, optimizer)
        self.names: list[str] = function.names
        self.compiled: Any = compile(function.update, backend, numbers=("lr", "state"))
        self.known: dict[Any, _Prepared] = {}
        self.changes: int = -1
        # Between steps a program has the parameters' arrays, as long as nobody looks at them:
        self.holder: _Prepared | None = None
        self.bound: Any = None  # its program with all but X and y
        self.loan: Any = None
        self.rate: float = optimizer.lr
        self.seen: int = -1
        self.calls: list[Callable[..., Any]] = []  # the step, unless a thread is using it

    def step(self, X: Any, y: Any) -> float:
        """One update; the loss before it."""
        calls = self.calls
        if calls and self.loan.open and self.seen == CHANGES.anything:
            call = calls.pop()
            try:
                return call(X, y)
            except (TypeError, ValueError):  # X and y are of another kind than before
                pass
            finally:
                calls.append(call)
        X, y = _plain(X), _plain(y)
        prepared = self._prepared(X, y)
        if prepared.checks:
            check(self.loss, y, prepared.prediction)
        return prepared(X, y)

    def _prepared(self, X: Array, y: Array) -> _Prepared:
        """The program for arrays of such kinds, with the model and the optimizer as they are."""
        if self.changes != CHANGES.structure:
            self.known.clear()
        kind = (X.shape, y.shape, X.dtype, y.dtype, X.strides, y.strides)
        prepared = self.known.get(kind)
        if prepared is None or not prepared.fits():
            prepared = self.known[kind] = _Prepared(self, X, y)
            self.changes = CHANGES.structure
        return prepared

    def borrow(self, prepared: _Prepared, X: Array, y: Array) -> Any:
        """A program with all but X and y, for this step and the next ones."""
        known = self.holder is prepared and self.calls and self.loan.open and self.rate == self.optimizer.lr
        if not known:
            self.release()
            self.bound, self.loan = prepared.program.borrow(X, y, self.optimizer.lr)
            self.holder, self.rate, step = prepared, self.optimizer.lr, self.bound.step
            self.calls = [functools.partial(prepared.checked, step) if prepared.checks else step]
        self.seen = CHANGES.anything
        return self.bound

    def release(self) -> None:
        """Hold the parameters' arrays no longer."""
        self.holder = self.bound = self.loan = None
        self.calls = []

    def run(self, X: Array, y: Array, epochs: int, size: int, rng: np.random.Generator, sums: bool) -> list[float]:
        """The losses of some epochs, in minibatches of `size` that `rng` shuffles; machine code has the loop inside."""
        losses: list[float] = []
        for _ in range(epochs):
            order = rng.permutation(len(X))
            whole = len(X) // size * size
            parts = [(loss, size) for loss in self._swept(X, y, order[:whole], size)]
            if whole < len(X):
                parts.append((self.step(X[order[whole:]], y[order[whole:]]), len(X) - whole))
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
                losses.append(self.step(X, y))
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
            losses.append(self.step(*first))
            order = order[size:]
        return losses

    def mode(self) -> bytes:
        """The switches of the model and its parameters."""
        flags = [module.training for module in self.model.modules()]
        return bytes(map(bool, [*flags, *(parameter.requires_grad for parameter in self.optimizer.parameters)]))

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

    def __init__(self, step: CompiledStep, X: Array, y: Array) -> None:
        optimizer = step.optimizer
        self.step: CompiledStep = step
        self.optimizer: Optimizer = optimizer
        self.state: list[Any] = optimizer.state
        for parameter, own in zip(optimizer.parameters, self.state, strict=True):
            own |= {} if own or not parameter.requires_grad else optimizer.fresh(parameter.numpy())
        self.sizes: list[int] = [len(own) for own in self.state]
        places = step.state()
        self.inputs: list[Any] = list(places.values())
        self.counters: list[Any] = [
            places[name] for name in places if name == places[name][1]
        ]  # one for all parameters
        given = {name: own[key] for name, (own, key) in places.items()}
        self.needs: list[bool] = [parameter.requires_grad for parameter in optimizer.parameters]
        step.compiled.renewal = self._renewal
        mode = CHANGES.substance, step.mode()
        self.program: Any = step.compiled.prepare(X, y, optimizer.lr, mode, **given)
        self.checks: bool = step.loss in CHECKED
        _, new, states, prediction = self.program.trace.results
        self.prediction: Any = prediction
        pairs = zip(optimizer.parameters, new, strict=True)
        self.targets: list[Any] = [(parameter, slot) for parameter, slot in pairs if slot is not None]
        entries = [
            (own, key, value)
            for own, values in zip(optimizer.state, states, strict=True)
            for key, value in values.items()
        ]
        self.outputs: list[Any] = [entry for entry in entries if type(entry[2]) not in (int, float)]  # slots
        self.first: list[Any] = [entry for entry in entries if type(entry[2]) in (int, float)]

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
        if self.borrows:
            return self.step.borrow(self, X, y)(X, y)
        found = self.program.code.call(X, y, *self._own())
        self._keep(found)
        return float(found[0])

    def checked(self, step: Callable[..., Any], X: Array, y: Array) -> Any:
        """A step, where targets are checked."""
        check(self.step.loss, y, self.prediction)
        return step(X, y)

    @property
    def borrows(self) -> bool:
        """Whether only X and y change from step to step."""
        return self.program.borrows and not self.first

    def repeat(self, X: Array, y: Array, times: int) -> list[float]:
        """As many steps, in one call of machine code."""
        if self.borrows:
            return self.step.borrow(self, X, y).repeat(times, X, y).tolist()
        losses, found = self.program.code.repeat(times, X, y, *self._own())
        self._keep(found)
        return losses.tolist()

    def sweep(self, X: Array, y: Array, order: Array, *first: Array) -> list[float]:
        """A step on each minibatch, in one call of machine code; `first` is like each of them."""
        if self.borrows:
            return self.step.borrow(self, *first).sweep(order, X, y, len(first[0])).tolist()
        losses, found = self.program.code.sweep(order, X, y, *first, *self._own())
        self._keep(found)
        return losses.tolist()

    @property
    def loops(self) -> bool:
        """Whether many steps can be one call."""
        return self.program.code.loops and not self.first

    def _own(self) -> list[Any]:
        """The program's arguments beside X and y."""
        self.step.release()
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


def _plain(x: Any) -> Array:
    """X or y as an array that a program takes."""
    return x.numpy() if isinstance(x, Tensor) else np.asarray(x)
