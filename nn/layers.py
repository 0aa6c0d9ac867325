"""The modules: `Linear`, the activations, `Sequential`, and `MLP`, which puts them together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, overload

import numpy as np
from numpy.typing import DTypeLike

from autodiff import Tensor
from nn import functional
from nn._check import known, real, shape, whole
from nn.init import Seed, fan_in_uniform, generator
from nn.module import Module, Parameter, adopt

__library__ = True  # its variables are no names that a user knows


class Linear(Module):
    """y = x @ weight + bias: x (..., n_in), weight (n_in, n_out), bias (n_out,) or None, y (..., n_out).

    Begins with `init.fan_in_uniform` values. Errors: sizes below 1, a dtype that is not floating; a `ShapeError` when x
    does not fit. Source: `torch.nn.Linear`, whose weight is the transpose of this one.

    >>> import numpy as np
    >>> layer = Linear(2, 4, rng=0)
    >>> layer(np.ones((3, 2))).shape
    (3, 4)
    """

    def __init__(self, n_in: int, n_out: int, bias: bool = True, dtype: DTypeLike = float, rng: Seed = None) -> None:
        n_in, n_out, rng = whole("n_in", n_in, 1), whole("n_out", n_out, 1), generator(rng)
        self.weight: Parameter = Parameter(fan_in_uniform((n_in, n_out), n_in, dtype, rng))
        self.bias: Parameter | None = Parameter(fan_in_uniform((n_out,), n_in, dtype, rng)) if bias else None

    def forward(self, x: Any) -> Tensor:
        if self.bias is None:
            return x @ self.weight
        return x @ self.weight + self.bias


class Identity(Module):
    """x itself, of any shape. Source: `torch.nn.Identity`.

    >>> Identity()(3)
    3
    """

    def forward(self, x: Any) -> Any:
        return x


class ReLU(Module):
    """max(x, 0), elementwise; its derivative at 0 is 0. Source: `torch.nn.ReLU`.

    >>> import autodiff as ad
    >>> ReLU()(ad.Tensor([-1.0, 2.0])).numpy().tolist()
    [0.0, 2.0]
    """

    def forward(self, x: Any) -> Any:
        return functional.relu(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x)), elementwise. Source: `torch.nn.Sigmoid`.

    >>> import autodiff as ad
    >>> Sigmoid()(ad.Tensor([-1e4, 0.0, 1e4])).numpy().tolist()
    [0.0, 0.5, 1.0]
    """

    def forward(self, x: Any) -> Any:
        return functional.sigmoid(x)


class Softplus(Module):
    """log(1 + exp(x)), elementwise: a smooth ReLU. Source: `torch.nn.Softplus`.

    >>> import autodiff as ad
    >>> Softplus()(ad.Tensor([-1e4, 1e4])).numpy().tolist()
    [0.0, 10000.0]
    """

    def forward(self, x: Any) -> Any:
        return functional.softplus(x)


class Tanh(Module):
    """The hyperbolic tangent, elementwise. Source: `torch.nn.Tanh`.

    >>> import autodiff as ad
    >>> Tanh()(ad.Tensor([-1e4, 0.0])).numpy().tolist()
    [-1.0, 0.0]
    """

    def forward(self, x: Any) -> Any:
        return functional.tanh(x)


class Softmax(Module):
    """exp(x) / sum(exp(x)) along an axis: positive numbers that sum to 1. Source: `torch.nn.Softmax`.

    >>> import autodiff as ad
    >>> Softmax()(ad.Tensor([1e4, 1e4])).numpy().tolist()
    [0.5, 0.5]
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        return functional.softmax(x, axis=self.axis)

    def extra_repr(self) -> str:
        return f"axis={self.axis}"


class LogSoftmax(Softmax):
    """The logarithm of `Softmax`, x - log(sum(exp(x))) along an axis. Source: `torch.nn.LogSoftmax`.

    >>> import autodiff as ad
    >>> LogSoftmax()(ad.Tensor([0.0, 1e4])).numpy().tolist()
    [-10000.0, 0.0]
    """

    def forward(self, x: Any) -> Any:
        return functional.log_softmax(x, axis=self.axis)


class Dropout(Module):
    """In training, x with each element 0 with probability p, else x / (1 - p); in `eval()` mode x itself.

    Each call draws anew from `rng`. Errors: p outside [0, 1). Source: `torch.nn.Dropout`; Srivastava et al. (2014).

    >>> import numpy as np
    >>> Dropout(0.5, rng=0)(np.ones(6)).tolist()
    [2.0, 0.0, 0.0, 0.0, 2.0, 2.0]
    """

    def __init__(self, p: float = 0.5, rng: Seed = None) -> None:
        self.p: float = real("p", p, 0, 1)
        self.rng: np.random.Generator = generator(rng)

    def forward(self, x: Any) -> Any:
        if not self.training or not self.p:
            return x
        kept = self.rng.random(shape(x)) >= self.p
        return np.where(kept, x, 0) * (1 / (1 - self.p))

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Sequential(Module):
    """Modules one after another: x goes through each in turn. Has a length, indices, slices and an order.

    Errors: `TypeError` for a layer that is no Module. Source: `torch.nn.Sequential`.

    >>> model = Sequential(Linear(2, 4, rng=0), Tanh(), Linear(4, 1, bias=False, rng=1))
    >>> model
    Sequential                             16 parameters
      0: Linear  weight (2, 4), bias (4,)  12
      1: Tanh
      2: Linear  weight (4, 1)              4
    >>> len(model), model[-1].weight.name
    (3, '2.weight')
    """

    def __init__(self, *layers: Module) -> None:
        for position, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise TypeError(f"layer {position} is {layer!r}, not a Module: Sequential(Linear(2, 4), ReLU(), ...)")
            adopt(f"{position}", layer)
        self.layers = layers

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer.forward(x)  # what calling it does, with one Python call less
        return x

    def named_children(self) -> Iterator[tuple[str, Module]]:
        yield from ((f"{position}", layer) for position, layer in enumerate(self.layers))
        yield from super().named_children()

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Module]:
        return iter(self.layers)

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Module | Sequential:
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]


ACTIVATIONS: dict[str, type[Module]] = {
    "identity": Identity,
    "log_softmax": LogSoftmax,
    "relu": ReLU,
    "sigmoid": Sigmoid,
    "softmax": Softmax,
    "softplus": Softplus,
    "tanh": Tanh,
}


class MLP(Sequential):
    """A multilayer perceptron: `Linear` layers of these sizes, an activation between them and one after the last.

    x (..., sizes[0]) gives (..., sizes[-1]). `activation` and `output` are names of `nn.layers.ACTIVATIONS` or classes
    of Module; `rng` seeds all layers. The parameters are called W1, b1, W2, ... as a derivation writes them.
    Errors: fewer than two sizes, sizes below 1, an unknown activation.
    Source: Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors" (1986).

    >>> model = MLP([2, 4, 1], output="sigmoid", bias=False, rng=0)
    >>> model
    MLP                          12 parameters
      0: Linear   weight (2, 4)   8
      1: Sigmoid
      2: Linear   weight (4, 1)   4
      3: Sigmoid
    >>> [parameter.name for parameter in model.parameters()]
    ['W1', 'W2']
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str | type[Module] = "sigmoid",
        output: str | type[Module] = "identity",
        bias: bool = True,
        dtype: DTypeLike = float,
        rng: Seed = None,
    ) -> None:
        if not isinstance(sizes, Iterable):
            raise TypeError(f"sizes must be a list such as [2, 4, 1], not {sizes!r}")
        sizes = [whole("each of sizes", size, 1) for size in sizes]
        if len(sizes) < 2:
            raise ValueError(f"sizes must name at least an input and an output size, as in [2, 4, 1], not {sizes}")
        hidden, last, rng = _activation(activation), _activation(output), generator(rng)
        layers: list[Module] = []
        for number, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
            linear = Linear(n_in, n_out, bias, dtype, rng)
            linear.weight.name = f"W{number}"
            if linear.bias is not None:
                linear.bias.name = f"b{number}"
            follows = hidden if number < len(sizes) - 1 else last
            layers += [linear] if follows is Identity else [linear, follows()]
        super().__init__(*layers)


def _activation(activation: str | type[Module]) -> type[Module]:
    if isinstance(activation, type) and issubclass(activation, Module):
        return activation
    return known("activation", activation, ACTIVATIONS)
