"""Random programs of views, writes, aliases and reads, run on arrays and on Tensors side by side.

A hypothesis state machine draws a program step by step. After each step all values that are alive are equal to the
bit, and an error is of NumPy's kind. In the end the gradient of all of them equals central differences of the same
steps, run again on arrays. A second machine writes leaves inside no_grad(), while a graph holds the values of before.

    pytest tests/engine/test_programs.py                 some programs, the same each time
    pytest tests/engine/test_programs.py --exhaustive    20,000 of each machine, others each time: a quarter of an hour

A failure prints the shortest program that shows it, in Python; `@reproduce_failure`, printed with it, runs it again.
"""

import contextlib
import operator

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

import autodiff as ad

from .measures import assert_same, bits, differences

EXHAUSTIVE = settings().max_examples > 1000
POINT = np.array([[0.531741, -1.270633, 0.811917], [0.340283, -0.561359, 1.132471]])
NOWHERE = 0.1371  # no value of a program, so that no mask changes within a step of central differences

# What Tensors refuse, and NumPy does: to compute in the precision of `out`, and `out` that is larger than the result.
REFUSED = ("in another precision", "cannot grow")


class Values(list):
    """The values of a run, so far."""

    def pick(self, i):
        return self[i % len(self)]

    def array(self, i):
        """One that is not a scalar, on which NumPy's functions do nothing, or raise this or that."""
        arrays = [v for v in self if not is_scalar(v)]
        return arrays[i % max(1, len(arrays))]

    def target(self, i):
        """One for a function to write to; of an array that is read-only NumPy 2.4 does not ask everywhere."""
        v = self.array(i)
        if isinstance(v, np.ndarray) and not v.flags.writeable:
            raise ReadOnlyError
        return v


class ReadOnlyError(ValueError):
    """In the place of NumPy's."""


def roots(x, single=np.float32):
    """Matrices in the order of rows and of columns, buffers without gradient, other dtypes, 0-d and empty arrays."""
    return Values([
        x * 1.0, np.tanh(x.T), np.zeros_like(x), x[0].astype(single), np.linspace(-1, 1, 6) * x[1, 1],
        x * 0.5 + 1j * x[::-1], np.copy(x[1, 2]), x[:, :0] * 1.0, np.sin(x),
    ])  # fmt: skip


def is_scalar(v):
    """Whether it is one of NumPy's scalars, which are immutable: `+=` gives the name another."""
    return isinstance(v._read() if isinstance(v, ad.Tensor) else v, np.generic)


def bounded(v):
    """A nonlinear function of which no composition grows beyond all bounds."""
    return np.sin(v.real) + 1j * np.sin(v.imag) if v.dtype.kind == "c" else np.sin(v)


# --- what the steps are made of: v is a value, u another, s a slice, k a small number ---------------------------------

VIEWS = {
    "itself": lambda v, s, k: v,
    "slice": lambda v, s, k: v[s],
    "last axis": lambda v, s, k: v[..., s],
    "both axes": lambda v, s, k: v[s, ::-1],
    "row": lambda v, s, k: v[k],
    "element": lambda v, s, k: v[(k, *([0] * (v.ndim - 1)), ...)],
    "new axis": lambda v, s, k: v[None, ..., None] if v.ndim < 3 else v[..., 0],
    "T": lambda v, s, k: v.T,
    "mT": lambda v, s, k: v.mT,
    "transpose": lambda v, s, k: v.transpose(*range(v.ndim)[::-1]),
    "permute_dims": lambda v, s, k: np.permute_dims(v, None),
    "matrix_transpose": lambda v, s, k: np.matrix_transpose(v),
    "swapaxes": lambda v, s, k: np.swapaxes(v, 0, -1),
    "moveaxis": lambda v, s, k: np.moveaxis(v, -1, 0),
    "rollaxis": lambda v, s, k: np.rollaxis(v, k % 3),
    "reshape": lambda v, s, k: v.reshape((2, -1)) if v.size % 2 == 0 else np.reshape(v, -1),
    "reshape, columns": lambda v, s, k: v.reshape(-1, 2, order="F"),
    "ravel": lambda v, s, k: v.ravel(),
    "ravel, columns": lambda v, s, k: np.ravel(v, "F"),
    "squeeze": lambda v, s, k: v.squeeze(),
    "expand_dims": lambda v, s, k: np.expand_dims(v, k),
    "flip": lambda v, s, k: np.flip(v),
    "fliplr": lambda v, s, k: np.fliplr(v),
    "flipud": lambda v, s, k: np.flipud(v),
    "rot90": lambda v, s, k: np.rot90(v, k),
    "broadcast_to": lambda v, s, k: np.broadcast_to(v, (2, *v.shape)),
    "diagonal": lambda v, s, k: v.diagonal(k),
    "diag": lambda v, s, k: np.diag(v),
    "atleast_2d": lambda v, s, k: np.atleast_2d(v),
    "atleast_3d": lambda v, s, k: np.atleast_3d(v),
    "real": lambda v, s, k: v.real,
    "imag": lambda v, s, k: v.imag,
    "np.real": lambda v, s, k: np.real(v),
    "np.imag": lambda v, s, k: np.imag(v),
    "asarray": lambda v, s, k: np.asarray(v, like=v),
    "einsum, transpose": lambda v, s, k: np.einsum("ij->ji", v),
    "diff of order 0": lambda v, s, k: np.diff(v, n=0),
    "matrix_power of 1": lambda v, s, k: np.linalg.matrix_power(v, 1),
    "nan_to_num": lambda v, s, k: np.nan_to_num(v, copy=False),
    "real_if_close": lambda v, s, k: np.real_if_close(v),
    "linalg.diagonal": lambda v, s, k: np.linalg.diagonal(v),
    "linalg.matrix_transpose": lambda v, s, k: np.linalg.matrix_transpose(v),
}  # fmt: skip
SPLITS = {
    "rows": lambda v, s, k: list(v),
    "split": lambda v, s, k: np.split(v, [1], axis=k),
    "array_split": lambda v, s, k: np.array_split(v, 2, axis=-1),
    "hsplit": lambda v, s, k: np.hsplit(v, [k]),
    "vsplit": lambda v, s, k: np.vsplit(v, [1]),
    "atleast_1d": lambda v, s, k: np.atleast_1d(v, v),
    "broadcast_arrays": lambda v, s, k: np.broadcast_arrays(v, v),
    "meshgrid": lambda v, s, k: np.meshgrid(v, copy=False),
}
MAKES = {
    "tanh": lambda v, s, k: np.tanh(v),
    "times": lambda v, s, k: v * 0.5,
    "conj": lambda v, s, k: np.conj(v),
    "complex": lambda v, s, k: bounded(v) + 0.5j * v,
    "copy": lambda v, s, k: np.copy(v),
    "copy, rows": lambda v, s, k: v.copy(),
    "copy, columns": lambda v, s, k: v.copy(order="F"),
    "flatten": lambda v, s, k: v.flatten(),
    "double": lambda v, s, k: v.astype(complex if v.dtype.kind == "c" else float),
    "fancy": lambda v, s, k: v[[k, 0, -1]],
    "fancy columns": lambda v, s, k: v[..., np.array([0, k])],
    "mask": lambda v, s, k: v[v > NOWHERE],
    "sum": lambda v, s, k: np.sum(v, axis=0, keepdims=True),
    "total": lambda v, s, k: np.sum(v),
    "sine of the transpose": lambda v, s, k: bounded(v.T),
    "where": lambda v, s, k: np.where(v > NOWHERE, v, 0.25),
    "concatenate": lambda v, s, k: np.concatenate([v[1:], v[:1]]),
    "cumsum": lambda v, s, k: np.cumsum(v, axis=-1),
    "roll": lambda v, s, k: np.roll(v, k),
    "zeros_like": lambda v, s, k: np.zeros_like(v),
}

INDICES = {
    "slice": lambda v, s, k: s,
    "last axis": lambda v, s, k: (..., s),
    "two slices": lambda v, s, k: (slice(None, None, -1), s),
    "all": lambda v, s, k: ...,
    "nothing": lambda v, s, k: (),
    "new axis": lambda v, s, k: (None, s),
    "row": lambda v, s, k: k,
    "row of an array": lambda v, s, k: np.int64(k),
    "element": lambda v, s, k: (k,) * v.ndim,
    "list": lambda v, s, k: [k, 0, -1],
    "array": lambda v, s, k: np.array([[0, k], [-1, 0]]),
    "column and slice": lambda v, s, k: (s, [0, k]),
    "pairs": lambda v, s, k: ([0, -1], [k, 0]),
    "apart": lambda v, s, k: ([0, -1], None, [k, 0]),
    "ix_": lambda v, s, k: np.ix_(*[[0, -1]] * v.ndim),
    "mask": lambda v, s, k: pattern(v.shape, k),
    "mask of rows": lambda v, s, k: pattern(v.shape[:1], k),
    "mask of columns": lambda v, s, k: (s, pattern(v.shape[1:2], k)),
    "comparison": lambda v, s, k: v > NOWHERE,
    "truth": lambda v, s, k: k > 0,
}


def pattern(shape, k):
    """A mask."""
    return np.arange(np.prod(shape, dtype=int)).reshape(shape) % 3 != k % 3


def from_value(v, u, k):
    """Of u what broadcasts to v, and what NumPy casts to it."""
    if u.dtype.kind == "c" and v.dtype.kind != "c":
        u = u.real
    with contextlib.suppress(ValueError):
        if np.broadcast_shapes(u.shape, v.shape) == v.shape:
            return bounded(u)
    return bounded(np.sum(u))


SOURCES = {
    "value": from_value,
    "itself": lambda v, u, k: bounded(v),
    "reversed": lambda v, u, k: bounded(v[::-1]),
    "number": lambda v, u, k: k / 4,
    "array": lambda v, u, k: np.arange(1.0, 1 + v.size).reshape(v.shape) / (4 + k),
    "row": lambda v, u, k: np.linspace(-1, 1, v.shape[-1]),
    "list": lambda v, u, k: [k / 3] * v.shape[-1],
    "anything": lambda v, u, k: (
        (u.ravel() if v.ndim == 1 else u) if u.size else 0.25
    ),  # NumPy lets nothing pass, at times
    "complex": lambda v, u, k: 0.5j * k,
}


def of_reals(update):
    """Complex products are rounded in one way or another, depending on how the elements lie in memory."""
    return lambda v, u: operator.iadd(v, u) if v.dtype.kind == "c" else update(v, u)


UPDATES = {
    "+=": operator.iadd,
    "-=": operator.isub,
    "*=": of_reals(operator.imul),
    "/=": of_reals(lambda v, u: operator.itruediv(v, 2 + np.cos(u))),
    "**=": of_reals(lambda v, u: operator.ipow(v, 2)),
    "@=": of_reals(operator.imatmul),
}
OUT = {  # what is exact: where it is not, NumPy's last bit depends on how the elements of `out` lie in memory
    "np.negative": lambda v, u, s, k: np.negative(u, out=v),
    "np.add": lambda v, u, s, k: np.add(u, v, out=v),
    "np.multiply, positional": lambda v, u, s, k: np.multiply(v, 0.5, v),
    "np.subtract, reversed": lambda v, u, s, k: np.subtract(v, v[::-1], out=v),
    "np.multiply of a part": lambda v, u, s, k: np.multiply(v[s], 0.5, out=v[s]),
    "np.add, overlapping": lambda v, u, s, k: np.add(v[1:], 0.5, out=v[:-1]),
    "np.negative, where": lambda v, u, s, k: np.negative(v, out=v, where=pattern(v.shape, k)),
    "np.add, where": lambda v, u, s, k: np.add(v, u, out=v, where=v > NOWHERE),
    "np.divmod": lambda v, u, s, k: np.divmod(v, 1.37, out=(v, np.zeros_like(v))),
    "np.add, dtype": lambda v, u, s, k: np.add(u, 1, out=v, dtype=v.dtype, casting="unsafe"),
    "np.sum": lambda v, u, s, k: np.sum(u, axis=0, out=v),
    "np.sum, keepdims": lambda v, u, s, k: np.sum(u, axis=k, out=v, keepdims=True),
    "np.mean": lambda v, u, s, k: np.mean(u, axis=-1, out=v),
    "np.add.reduce": lambda v, u, s, k: np.add.reduce(u, out=v),
    "np.add.accumulate": lambda v, u, s, k: np.add.accumulate(bounded(v), out=v),
    "np.multiply.outer": lambda v, u, s, k: np.multiply.outer(bounded(u), [1.0, 2.0], out=v),
    ".sum": lambda v, u, s, k: u.sum(0, out=v),
    ".cumsum": lambda v, u, s, k: bounded(v).cumsum(-1, out=v[..., :]),
    ".max": lambda v, u, s, k: u.max(0, out=v),
    ".clip": lambda v, u, s, k: v.clip(-1, NOWHERE, out=v),
    ".take": lambda v, u, s, k: u.take([0, k], out=v),
    "np.take": lambda v, u, s, k: np.take(u, [0, 0, k], axis=0, out=v, mode="clip"),
    "np.clip": lambda v, u, s, k: np.clip(v, -1, NOWHERE, out=v),
    "np.round": lambda v, u, s, k: np.round(v, 2, out=v),
    "np.concatenate": lambda v, u, s, k: np.concatenate([bounded(v[1:]), bounded(v[:1])], out=v),
    "np.stack": lambda v, u, s, k: np.stack([u, u], out=v),
    "np.matmul": lambda v, u, s, k: np.matmul(bounded(u), bounded(v), out=v),
    "np.einsum": lambda v, u, s, k: np.einsum("i,j->ij", bounded(v[:, 0]).real, bounded(v[0]).real, out=v),
    "np.choose": lambda v, u, s, k: np.choose([0, 1, 1], [u, v], out=v),
    "np.compress": lambda v, u, s, k: np.compress([True], u, axis=-1, out=v),
    "np.nansum": lambda v, u, s, k: np.nansum(u, axis=0, out=v),
    "np.median": lambda v, u, s, k: np.median(u, axis=0, out=v),
}
FUNCTIONS = {
    "np.copyto": lambda v, u, s, k: np.copyto(v, from_value(v, u, k)),
    "np.copyto of anything": lambda v, u, s, k: np.copyto(v, u),
    "np.copyto, where": lambda v, u, s, k: np.copyto(v, from_value(v, u, k), where=pattern(v.shape[-1:], k)),
    "np.copyto, of a comparison": lambda v, u, s, k: np.copyto(v, bounded(v), where=v > NOWHERE),
    "np.copyto to a part": lambda v, u, s, k: np.copyto(v[s], k / 3),
    "np.put": lambda v, u, s, k: np.put(v, [0, -1], bounded(u)),
    "np.put, wrapped": lambda v, u, s, k: np.put(v, [0, k, 7, -9], [0.25, 0.5], mode="wrap"),
    "np.place": lambda v, u, s, k: np.place(v, pattern(v.shape, k), bounded(u)),
    "np.place, of a comparison": lambda v, u, s, k: np.place(v, v > NOWHERE, [0.25, 0.5]),
    "np.putmask": lambda v, u, s, k: np.putmask(v, pattern(v.shape, k), bounded(u)),
    "np.put_along_axis": lambda v, u, s, k: np.put_along_axis(v, np.argsort(v, axis=k), bounded(v), axis=k),
    "np.put_along_axis, one": lambda v, u, s, k: np.put_along_axis(
        v, np.argmax(v, axis=-1, keepdims=True), k / 4, axis=-1
    ),
    "np.fill_diagonal": lambda v, u, s, k: np.fill_diagonal(v, k / 3),
    "np.fill_diagonal, values": lambda v, u, s, k: np.fill_diagonal(v, bounded(u), wrap=k > 0),
    "np.add.at": lambda v, u, s, k: np.add.at(v, [0, k, 0], 0.25),
    "np.add.at of values": lambda v, u, s, k: np.add.at(v, ([0, k, 0], [0, -1, 0]), bounded(np.sum(u.real))),
    "np.subtract.at": lambda v, u, s, k: np.subtract.at(v, s, bounded(v[s])),
    "np.multiply.at": lambda v, u, s, k: np.multiply.at(v, pattern(v.shape, k), 0.5),
    "np.maximum.at": lambda v, u, s, k: np.maximum.at(v, [0, 0], NOWHERE),
    "np.negative.at": lambda v, u, s, k: np.negative.at(v, [0, k]),
    "np.nan_to_num": lambda v, u, s, k: np.nan_to_num(v, copy=False),
    ".fill": lambda v, u, s, k: v.fill(k / 3),
    ".fill of a value": lambda v, u, s, k: v.fill(np.sum(bounded(u.real))),
    ".put": lambda v, u, s, k: v.put([0, -1], bounded(u)),
    ".sort": lambda v, u, s, k: v.sort(),
    ".sort, axis": lambda v, u, s, k: v.sort(axis=k, kind="stable"),
    ".partition": lambda v, u, s, k: v.partition(k),
    ".partition, axis": lambda v, u, s, k: v.partition(1, axis=0),
    ".real =": lambda v, u, s, k: setattr(v, "real", from_value(v.real, u, k)),
    ".real += ": lambda v, u, s, k: setattr(v, "real", operator.iadd(v.real, 0.5)),
    ".imag =": lambda v, u, s, k: setattr(v, "imag", from_value(v.real, u, k)),
    ".real = anything": lambda v, u, s, k: setattr(v, "real", u if u.size else 0.25),
    "swapped rows": lambda v, u, s, k: swap(v),
}


def swap(v):
    v[0], v[-1] = v[-1].copy(), v[0].copy()


numbers = st.integers(0, 30)
small = st.integers(-3, 3)
slices = st.builds(slice, st.none() | small, st.none() | small, st.sampled_from([None, 1, 2, -1, -2]))


def one_of(table):
    return st.sampled_from(list(table))


class Machine(RuleBasedStateMachine):
    """A program. Steps are functions of `Values`, so that they can be done again, from another point."""

    arrays: Values
    tensors: Values
    failed = False

    def attempt(self, step, values):
        """The error of a step."""
        try:
            step(values)
        except Exception as error:
            return error
        return None

    def do(self, step):
        """Do a step on both sides; returns whether both did it."""
        numpys = None
        self.failed = True  # until the end is reached
        before = [bits(v) for v in self.tensors]
        ours = self.attempt(step, self.tensors)
        if ours is not None:
            assert [bits(v) for v in self.tensors] == before, f"done in part, and then refused: {ours!r}"
        if not any(words in str(ours) for words in REFUSED):
            numpys = self.attempt(step, self.arrays)
            if isinstance(numpys, ReadOnlyError):
                assert [bits(v) for v in self.tensors] == before, "a read-only array was written to"
            elif numpys is None and ours is not None:
                raise AssertionError(f"Tensors refuse what NumPy does: {ours!r}") from ours
            elif numpys is not None:
                assert ours is not None, f"NumPy refuses what Tensors do: {numpys!r}"
                assert alike(ours, numpys), f"{ours!r} instead of {numpys!r}"
        for v, expected in zip(self.tensors, self.arrays, strict=True):
            assert_same(v, expected)
            assert is_scalar(v) == is_scalar(expected), f"{v!r} instead of {expected!r}"
        self.failed = False
        return ours is numpys is None

    @rule(name=one_of(VIEWS), i=numbers, s=slices, k=small)
    def view(self, name, i, s, k):
        self.do(lambda values: values.append(VIEWS[name](values.array(i), s, k)))

    @rule(name=one_of(MAKES), i=numbers, s=slices, k=small)
    def make(self, name, i, s, k):
        self.do(lambda values: values.append(MAKES[name](values.pick(i), s, k)))

    @rule(name=one_of(SPLITS), i=numbers, s=slices, k=small)
    def split(self, name, i, s, k):
        self.do(lambda values: values.extend(SPLITS[name](values.array(i), s, k)))

    @rule(name=one_of(INDICES), source=one_of(SOURCES), i=numbers, j=numbers, s=slices, k=small)
    def write(self, name, source, i, j, s, k):
        def step(values):
            v, u = values.target(i), values.pick(j)
            index = INDICES[name](v, s, k)
            v[index] = SOURCES[source](v[index], u, k)

        self.do(step)

    @rule(name=one_of(INDICES), by=one_of(UPDATES), source=one_of(SOURCES), i=numbers, j=numbers, s=slices, k=small)
    def update_part(self, name, by, source, i, j, s, k):
        def step(values):
            v, u = values.target(i), values.pick(j)
            index = INDICES[name](v, s, k)
            v[index] = UPDATES[by](v[index], SOURCES[source](v[index], u, k))

        self.do(step)

    @rule(by=one_of(UPDATES), source=one_of(SOURCES), i=numbers, j=numbers, k=small)
    def update(self, by, source, i, j, k):
        def step(values):
            v, u = values.pick(i), values.pick(j)
            values[i % len(values)] = UPDATES[by](v, SOURCES[source](v, u, k))

        self.do(step)

    @rule(name=one_of(OUT), i=numbers, j=numbers, s=slices, k=small)
    def out(self, name, i, j, s, k):
        self.do(lambda values: OUT[name](values.target(i), values.pick(j), s, k))

    @rule(name=one_of(FUNCTIONS), i=numbers, j=numbers, s=slices, k=small)
    def call(self, name, i, j, s, k):
        self.do(lambda values: FUNCTIONS[name](values.target(i), values.pick(j), s, k))

    @precondition(lambda self: len(self.arrays) > 6)
    @rule(i=numbers)
    def forget(self, i):
        self.do(lambda values: values.pop(i % len(values)))


class Recorded(Machine):
    """Values are made of one leaf, and gradients flow as the program was written."""

    def __init__(self):
        super().__init__()
        self.steps = []
        self.leaf = ad.Tensor(POINT)
        self.arrays, self.tensors = roots(POINT), roots(self.leaf)

    def do(self, step):
        if super().do(step):
            self.steps.append(step)

    @rule()
    def differentiate(self):
        """In the middle: what is released is computed again where it is needed."""
        loss_of(self.tensors).backward()
        self.leaf.zero_grad()

    def teardown(self):
        if self.failed:
            return
        loss = loss_of(self.tensors)
        assert_same(loss, loss_of(self.arrays))
        loss.backward()
        first, self.leaf.grad = self.leaf.grad, None
        loss.backward()
        assert_same(self.leaf.grad, first)
        leaf = ad.Tensor(POINT)
        (exact,) = ad.gradients(loss_of(self.run(leaf)), [leaf])
        numeric = differences(lambda x: loss_of(self.run(x)), POINT)
        largest = max(1, np.abs(numeric).max())
        np.testing.assert_allclose(exact, numeric, rtol=1e-5, atol=1e-6 * largest)
        np.testing.assert_allclose(first, exact, rtol=1e-3, atol=1e-4 * largest)

    def run(self, x):
        """The values after all steps, in double precision."""
        values = roots(x, np.float64)
        for step in self.steps:
            step(values)
        return values


class Quiet(Machine):
    """Values are leaves, or what is made of them, inside no_grad(); a graph holds the values that they had before."""

    def __init__(self):
        super().__init__()
        self.arrays = roots(POINT)
        self.leaves = [ad.Tensor(v) for v in self.arrays]
        self.loss = sum(np.sum(v.real**2 + v.imag**2) for v in self.leaves)
        self.expected = [2 * v for v in self.arrays]
        self.tensors = Values(self.leaves)

    def attempt(self, step, values):
        with ad.no_grad():
            return super().attempt(step, values)

    @rule(i=numbers, k=small)
    def write_data(self, i, k):
        """The array of a leaf is in the user's hands, also where NumPy's own would be a scalar or read-only."""
        pairs = enumerate(zip(self.tensors, self.arrays, strict=True))
        leaves = [n for n, (v, a) in pairs if v.is_leaf and not is_scalar(a) and a.flags.writeable]
        if not leaves:
            return
        n = leaves[i % len(leaves)]
        self.do(lambda values: operator.iadd(values[n].data if isinstance(values[n], ad.Tensor) else values[n], k / 4))

    @rule()
    def differentiate(self):
        self.loss.backward()
        for leaf, expected in zip(self.leaves, self.expected, strict=True):
            np.testing.assert_array_equal(leaf.grad, expected)
            leaf.grad = None

    def teardown(self):
        if not self.failed:
            self.differentiate()


def alike(ours, numpys):
    """Whether an error is of NumPy's kind; of several things that are wrong, any may be told first."""
    return isinstance(ours, type(numpys)) or (isinstance(ours, FAULTS) and isinstance(numpys, FAULTS))


FAULTS = (TypeError, ValueError, IndexError, np.exceptions.ComplexWarning)


def loss_of(values):
    total = 0.0
    for k, value in enumerate(values):
        weights = 1 + np.arange(float(value.size)).reshape(value.shape) / (k + 2)
        total = total + np.sum(np.sin(value.real) * weights) + np.sum(np.sin(value.imag) * weights)
    return total


TestRecorded, TestQuiet = Recorded.TestCase, Quiet.TestCase
TestRecorded.settings = TestQuiet.settings = settings(
    max_examples=20_000 if EXHAUSTIVE else 150, stateful_step_count=25, suppress_health_check=list(HealthCheck)
)
