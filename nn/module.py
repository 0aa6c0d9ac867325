"""`Module` and `Parameter`: what a network is made of, and how its parameters are found, saved and shown.

There is no registry. A module's attributes *are* its parameters and its parts, and everything here reads them when
asked: replacing or deleting one needs no bookkeeping, and reading `self.weight` costs no more than any attribute.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autodiff import Tensor

__library__ = True  # its variables are no names that a user knows


class Changes:
    """How often any module or optimizer was changed: in anything, in more than its learning rate (then a compiled step
    looks at what it has prepared), in more than its mode and state too (then it is recorded again)."""

    __slots__ = ("anything", "structure", "substance")

    anything: int
    structure: int
    substance: int

    def __init__(self) -> None:
        self.anything = self.structure = self.substance = 0

    def note(self, structure: bool, substance: bool) -> None:
        """Something was changed."""
        self.anything += 1
        self.structure += structure
        self.substance += substance


CHANGES = Changes()


class Parameter(Tensor):
    """A Tensor that is trained: as an attribute of a `Module` it is found by `parameters()`. Made like a `Tensor`.

    Without a name of its own it takes that of its place: `weight`, and `0.weight` inside a `Sequential`.
    Source: `torch.nn.Parameter`.

    >>> p = Parameter([[1.0, 2.0]])
    >>> p.shape, p.requires_grad
    ((1, 2), True)
    """

    __slots__ = ()


class Module:
    """A function with parameters: subclass it, assign parameters and modules to attributes, define `forward`.

    Attributes register themselves; as in PyTorch, what a list or a dict holds does not (use `Sequential`). A parameter
    or module that is reached twice is one. `training` is False between `eval()` and `train()`.
    Source: `torch.nn.Module`.

    >>> import numpy as np
    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope = Parameter(2.0)
    ...         self.offset = Parameter(1.0)
    ...     def forward(self, x):
    ...         return self.slope * x + self.offset
    >>> model = Line()
    >>> [name for name, parameter in model.named_parameters()]
    ['slope', 'offset']
    >>> model(np.array([0.0, 10.0])).numpy().tolist()
    [1.0, 21.0]
    """

    training: bool = True

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """The module's function, defined by each subclass; called as `module(x)`."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward(self, x)")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return self.forward(*inputs, **options)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(vars(self).get(name), Parameter) and not (value is None or isinstance(value, Parameter)):
            raise TypeError(
                f"{name} is a Parameter, and a {type(value).__name__} in its place would not be trained: "
                f"write module.{name}.data = array, or update it inside no_grad()"
            )
        adopt(name, value)
        super().__setattr__(name, value)
        CHANGES.note(True, name != "training")

    # --- what it is made of -------------------------------------------------------------------------------------------

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules among its attributes, each with its name."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """Itself, called "", and every module inside, once each, outer before inner: "0", "0.activation", ...

        >>> import nn
        >>> [name for name, module in nn.Sequential(nn.Sequential(nn.ReLU()), nn.ReLU()).named_modules()]
        ['', '0', '0.0', '1']
        """
        return ((path, module) for path, module, first in self._walk() if first)

    def modules(self) -> Iterator[Module]:
        """Itself and every module inside, once each."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Every parameter with its dotted name, once each, also where several modules share it.

        >>> import nn
        >>> [(name, p.shape) for name, p in nn.Sequential(nn.Linear(2, 3)).named_parameters()]
        [('0.weight', (2, 3)), ('0.bias', (3,))]
        """
        seen: set[int] = set()
        for path, module in self.named_modules():
            for name, parameter in module._own_parameters():
                if id(parameter) not in seen:
                    seen.add(id(parameter))
                    yield _join(path, name), parameter

    def parameters(self) -> Iterator[Parameter]:
        """Every parameter, once each: what an optimizer is given."""
        return (parameter for _, parameter in self.named_parameters())

    def _own_parameters(self) -> Iterator[tuple[str, Parameter]]:
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Parameter))

    def _walk(self) -> Iterator[tuple[str, Module, bool]]:
        """(path, module, whether this is its first place), as a reader meets them; one met again is not entered."""
        seen: set[int] = set()
        stack: list[tuple[str, Module]] = [("", self)]
        while stack:
            path, module = stack.pop()
            first = id(module) not in seen
            yield path, module, first
            if first:
                seen.add(id(module))
                stack += [(_join(path, name), child) for name, child in reversed([*module.named_children()])]

    # --- what it does -------------------------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Set `training` of itself and every module inside; returns itself."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """`train(False)`: for evaluation."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget the gradients of every parameter."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Copies of the parameters' values as plain arrays, by dotted name; a shared parameter appears once.

        >>> import nn
        >>> list(nn.Sequential(nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 1, bias=False)).state_dict())
        ['0.weight', '0.bias', '2.weight']
        """
        return {name: np.array(parameter.numpy()) for name, parameter in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, ArrayLike]) -> None:
        """Copy the values of a `state_dict()` into the parameters, which keep their dtype.

        Errors: `ValueError` that names every missing, unexpected or unfitting entry; then nothing has changed.

        >>> import nn
        >>> a, b = nn.Linear(2, 3, rng=0), nn.Linear(2, 3, rng=1)
        >>> b.load_state_dict(a.state_dict())
        >>> bool(np.all(a.weight.numpy() == b.weight.numpy()))
        True
        """
        parameters = dict(self.named_parameters())
        arrays = {name: np.asarray(value) for name, value in state.items()}
        problems = [f"{name} is missing" for name in parameters if name not in arrays]
        problems += [f"{name} is unexpected" for name in arrays if name not in parameters]
        problems += [
            f"{name} is {array.dtype} {array.shape}, not {parameters[name].dtype} {parameters[name].shape}"
            for name, array in arrays.items()
            if name in parameters and not _fits(array, parameters[name])
        ]
        if problems:
            raise ValueError(f"the state does not fit this {type(self).__name__}: {'; '.join(problems)}")
        for name, parameter in parameters.items():
            parameter.data = arrays[name].astype(parameter.dtype)

    # --- what it looks like -------------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """What `repr` shows in brackets behind the class: the settings that are no parameters."""
        return ""

    def __repr__(self) -> str:
        """The tree of modules, with the shapes of the parameters and how many numbers they hold."""
        rows: list[tuple[str, str, str]] = []
        for path, module, first in self._walk():
            indent = "  " * (path.count(".") + 1) if path else ""
            name = f"{path.rpartition('.')[2]}: " if path else ""
            extra = f"({module.extra_repr()})" if module.extra_repr() else ""
            shapes = ", ".join(f"{name} {parameter.shape}" for name, parameter in module._own_parameters())
            count = sum(parameter.size for parameter in module.parameters())
            total = f"{count}" if count and first else ""
            rows.append((f"{indent}{name}{type(module).__name__}{extra}", shapes if first else "as above", total))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [f"{a:{widths[0]}}  {b:{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows]
        if rows[0][2]:
            lines[0] += " parameters"
        return "\n".join(line.rstrip() for line in lines)


def adopt(name: str, value: object) -> None:
    """Name the parameters that have no name of their own by their place: `weight`, `0.weight`, `encoder.0.weight`."""
    if isinstance(value, Parameter) and value.name is None:
        value.name = name
    elif isinstance(value, Module):
        for path, parameter in value.named_parameters():
            if parameter.name == path:
                parameter.name = _join(name, path)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _fits(array: NDArray[Any], parameter: Parameter) -> bool:
    return array.shape == parameter.shape and np.can_cast(array.dtype, parameter.dtype, "same_kind")
