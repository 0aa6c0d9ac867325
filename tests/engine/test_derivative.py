"""Reverse mode: every node once, broadcasting and dtype undone, values computed again to the bit; and `gradients`."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
from autodiff.derivative import unbroadcast

from .measures import assert_same, differences, owned

X = np.array([[0.5, -1.25, 0.8], [0.3, -0.55, 1.1]])


# --- each node once ---------------------------------------------------------------------------------------------------


def counting():
    """An addition that counts its forward calls and its derivatives."""
    calls = {"forward": 0, "x": 0, "y": 0}

    def forward(x, y):
        calls["forward"] += 1
        return x + y

    def of_x(g):
        calls["x"] += 1
        return g

    def of_y(g):
        calls["y"] += 1
        return g

    return ad.primitive(forward, of_x, of_y), calls


def test_a_diamond_doubled_forty_times_visits_forty_nodes():
    add, calls = counting()
    w = ad.Tensor(1.0)
    y = w
    for _ in range(40):
        y = add(y, y)
    assert calls == {"forward": 40, "x": 0, "y": 0}
    y.backward()
    assert calls == {"forward": 40, "x": 40, "y": 40}
    assert w.grad == 2.0**40
    w.zero_grad()
    y.backward()  # what was released is computed again once, if at all
    assert calls["forward"] <= 80
    assert calls["x"] == calls["y"] == 80
    assert w.grad == 2.0**40


def test_a_diamond_of_numpys_addition():
    """2**40 paths would take years."""
    w = ad.Tensor([1.0, 2.0])
    y = w
    for _ in range(40):
        y = y + y
    np.sum(y).backward()
    (g,) = ad.gradients(np.sum(y), [w], record=True)
    assert_same(w.grad, np.full(2, 2.0**40))
    assert_same(g, np.full(2, 2.0**40))


def test_a_diamond_of_views_and_writes():
    w = ad.Tensor([1.0, 2.0])
    z = w * 1
    for _ in range(20):
        z[:] = z[::-1] + z
    np.sum(z).backward()
    assert_same(w.grad, np.full(2, 2.0**20))


terms = st.lists(st.tuples(st.integers(0, 30), st.integers(-3, 3)), min_size=1, max_size=4)


@settings(max_examples=60)
@given(st.lists(terms, min_size=1, max_size=12))
def test_random_linear_graphs_have_the_sum_over_all_paths(layers):
    """Node k is a sum of earlier nodes times small integers: gradients with respect to all of them are exact."""
    w, v = ad.Tensor(1.0), ad.Tensor(2.0)
    nodes = [w * 1.0, v * 1.0]
    rows = [{}, {}]
    for layer in layers:
        chosen = [(i % len(nodes), float(c)) for i, c in layer]
        total = 0.0
        for i, c in chosen:
            total = total + nodes[i] * c
        nodes.append(total)
        rows.append(chosen)
    expected = [0.0] * len(nodes)
    expected[-1] = 1.0
    for k in range(len(nodes) - 1, 1, -1):
        for i, c in rows[k]:
            expected[i] += expected[k] * c
    for record in (False, True):
        found = ad.gradients(nodes[-1], nodes, record=record)
        assert [float(g) for g in found] == expected
        each = [ad.gradients(nodes[-1], [node], record=record)[0] for node in nodes]
        assert [float(g) for g in each] == expected
    nodes[-1].backward()
    reached = [0.0 if leaf.grad is None else float(leaf.grad) for leaf in (w, v)]
    assert reached == expected[:2]


# --- broadcasting and dtype -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gradient", "shape"),
    [((4, 3), (1, 3)), ((4, 3), (4, 1)), ((4, 3), (3,)), ((4, 3), ()), ((4, 3), (1, 1)), ((2, 4, 3), (4, 1)), ((), ()),
     ((0, 3), (1, 3)), ((2, 0), (2, 1)), ((3,), (4, 3)), ((), (2, 3)), ((1, 3), (4, 1)), ((4, 1), (4, 3))],
)  # fmt: skip
def test_unbroadcast_gives_the_shape(gradient, shape):
    got = unbroadcast(np.ones(gradient), shape)
    assert got.shape == shape
    full = np.broadcast_shapes(gradient, shape)
    assert got.sum() == pytest.approx(np.prod(full))


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 1), (1, 3), (2, 3), (4, 1, 1), (1, 1, 1, 1)])
def test_operands_that_broadcast_against_each_other(shape):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape)
    w, v = ad.Tensor(x), ad.Tensor(X)
    np.sum(np.tanh(w * v) + w / (2 + v**2)).backward()
    assert owned(w.grad)
    assert w.grad.shape == shape
    numeric = differences(lambda x: np.sum(np.tanh(x * X) + x / (2 + X**2)), x)
    np.testing.assert_allclose(w.grad, numeric, rtol=1e-7, atol=1e-9)
    assert v.grad.shape == X.shape


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble])
def test_dtypes_of_the_inside(dtype):
    """A float32 backward pass stays float32: seen in the gradients of interior values, not only of leaves."""
    w = ad.Tensor(X, dtype=dtype)
    steps = [np.tanh(w)]
    for step in (
        lambda z: z * 2, lambda z: z / 3.0, lambda z: z**2, lambda z: np.exp(-z), lambda z: 1 / (1 + z),
        lambda z: z - z.mean(), lambda z: np.where(z > 0, z, 0.5), lambda z: np.maximum(z, 0),
        lambda z: z @ X.T.astype(dtype), lambda z: z.sum(axis=0), ad.sigmoid, ad.softmax, lambda z: np.clip(z, 0, 1),
        lambda z: np.sqrt(z + 1), np.mean,
    ):  # fmt: skip
        steps.append(step(steps[-1]))
    assert {step.dtype for step in steps} == {np.dtype(dtype)}
    for record in (False, True):
        found = ad.gradients(steps[-1], [w, *steps], record=record)
        assert {g.dtype for g in found} == {np.dtype(dtype)}


def test_mixed_dtypes_come_back_as_they_went():
    w, v = ad.Tensor([1.5], dtype=np.float32), ad.Tensor([2.5])
    z = w * v
    assert z.dtype == np.float64
    np.sum(z).backward()
    assert_same(w.grad, np.array([2.5], np.float32))
    assert_same(v.grad, np.array([1.5]))


def test_a_real_leaf_inside_a_complex_program_has_a_real_gradient():
    """The direction of steepest ascent; or an error, as long as complex numbers have no rules."""
    w = ad.Tensor(X)
    try:
        np.sum(np.abs(w * (1 + 2j)) ** 2).backward()
    except ad.errors.GradientError:
        return
    assert w.grad.dtype == np.float64
    np.testing.assert_allclose(w.grad, 10 * X, rtol=1e-12)


def test_a_gradient_that_is_passed_in_takes_the_outputs_dtype():
    w = ad.Tensor([1.0, 2.0], dtype=np.float32)
    for gradient in ([1, 2], np.array([1, 2]), np.array([1.0, 2.0]), ad.constant([1.0, 2.0])):
        w.zero_grad()
        (w * 1).backward(gradient)
        assert_same(w.grad, np.array([1, 2], np.float32))


@pytest.mark.parametrize("join", [np.concatenate, np.stack], ids=["concatenate", "stack"])
def test_joined_with_what_needs_no_gradient(join):
    w, frozen = ad.Tensor([1.0, 2.0]), ad.Tensor([1.0, 2.0], requires_grad=False)
    constant, scale = ad.constant([3.0, 4.0]), np.arange(1.0, 13.0)
    parts = [np.ones(2), w, constant, [5, 6], w * 2, frozen]
    joined = join(parts)
    for _ in range(2):
        w.zero_grad()
        np.sum(joined * scale.reshape(joined.shape)).backward()
        assert_same(w.grad, scale[2:4] + 2 * scale[8:10])
    assert constant.grad is None
    assert frozen.grad is None
    assert ad.constant(1.0).grad is None


# --- values that were released ----------------------------------------------------------------------------------------

MEMORY = np.random.default_rng(7).standard_normal((48, 48))
STRIDED = {
    "in order": MEMORY[:12, :12],
    "columns": MEMORY[:12, :12].T,
    "steps": MEMORY[::4, ::4],
    "reversed": MEMORY[11::-1, 11::-1],
    "steps of columns": MEMORY[::-4, 3:39:3].T,
    "broadcast": np.broadcast_to(MEMORY[0, :12], (12, 12)),
    "windows": np.lib.stride_tricks.sliding_window_view(MEMORY[0, :23], 12),
    "Fortran": np.asfortranarray(MEMORY[:12, :12]),
}


@pytest.mark.parametrize("operand", STRIDED.values(), ids=STRIDED)
@pytest.mark.parametrize("kind", [np.asarray, ad.constant, ad.Tensor], ids=["array", "constant", "Tensor"])
def test_a_second_backward_is_the_first_to_the_bit(operand, kind):
    """NumPy adds a strided array in another order: the copy that the graph keeps must be strided, too."""
    x = kind(operand)
    w = ad.Tensor(MEMORY[:12, :12])
    h = np.tanh(x @ w / 4) + np.sum(x * w, axis=0)
    h = np.exp(h / 9).T @ x + np.mean(x) * np.std(h, axis=1) + np.dot(h, x.T)[::-1]
    h = np.concatenate([h, x])[1:13] * np.max(x, axis=0) + np.cumsum(x, axis=1)
    loss = np.sum(ad.softmax(h, axis=0) * ad.logsumexp(x.T if kind is not ad.Tensor else w.T, axis=0)) + np.var(h)
    loss.backward()
    leaves = [leaf for leaf in (w, x) if isinstance(leaf, ad.Tensor) and leaf.requires_grad]
    first = [leaf.grad for leaf in leaves]
    for _ in range(2):
        for leaf in leaves:
            leaf.zero_grad()
        loss.backward()
        for leaf, gradient in zip(leaves, first, strict=True):
            assert_same(leaf.grad, gradient)
    for gradient, expected in zip(ad.gradients(loss, leaves), first, strict=True):
        assert_same(gradient, expected)


@pytest.mark.parametrize("first", [0, 1], ids=["left first", "right first"])
def test_two_losses_on_one_trunk(first):
    w = ad.Tensor(X)
    trunk = np.tanh(w) * np.exp(w)
    losses = [np.sum(trunk**2), np.sum(np.sin(trunk) * w)]
    expected = [ad.gradients(loss, [w])[0] for loss in losses]
    losses[first].backward()
    assert_same(w.grad, expected[first])
    losses[1 - first].backward()
    assert_same(w.grad, expected[first] + expected[1 - first])
    w.zero_grad()
    (losses[0] + losses[1]).backward()
    np.testing.assert_allclose(w.grad, expected[0] + expected[1], rtol=1e-14)
    np.sum(trunk * 2).backward()  # a graph may grow on a released trunk


def test_a_second_call_adds_again():
    w = ad.Tensor(3.0)
    y = w * w
    for times in (1, 2, 3):
        y.backward()
        assert w.grad == 6.0 * times


# --- gradients --------------------------------------------------------------------------------------------------------


def test_gradients_with_respect_to_interior_tensors():
    w = ad.Tensor(X)
    z = w * 3
    a = np.tanh(z)
    loss = np.sum(a**2)
    found = ad.gradients(loss, [w, z, a, loss])
    da = 2 * np.tanh(X * 3)
    dz = da * (1 - np.tanh(X * 3) ** 2)
    for g, expected in zip(found, [dz * 3, dz, da, np.array(1.0)], strict=True):
        assert type(g) is np.ndarray
        np.testing.assert_allclose(g, expected, rtol=1e-14)
    assert w.grad is None


def test_gradients_touch_no_grad_and_release_nothing():
    w = ad.Tensor(X)
    w.grad = X
    loss = np.sum(np.tanh(w))
    ad.gradients(loss, [w])
    assert_same(w.grad, X)
    add, calls = counting()
    y = np.sum(add(w, w))
    ad.gradients(y, [w])
    ad.gradients(y, [w])
    assert calls["forward"] == 1


def test_gradients_of_what_is_not_used_are_zeros():
    w, v, c = ad.Tensor(X), ad.Tensor([1.0, 2.0], dtype=np.float32), ad.constant(X)
    z = w * 2
    after = np.sum(np.tanh(z) + c)
    beside = z[0] * 3
    later = ad.Tensor(1.0)
    for record in (False, True):
        found = ad.gradients(after, [v, beside, later, v * 2], record=record)
        for g, tensor in zip(found, [v, beside, later, v], strict=True):
            assert_same(g, np.zeros(tensor.shape, tensor.dtype))
            assert isinstance(g, ad.Tensor) == record
    (g,) = ad.gradients(after, [v])
    assert owned(g)


def test_gradients_of_nothing():
    assert ad.gradients(np.sum(ad.Tensor(X)), []) == []


def test_gradients_take_any_iterable_of_tensors():
    w, v = ad.Tensor(X), ad.Tensor(X)
    loss = np.sum(w * v**2)
    expected = ad.gradients(loss, [w, v])
    for wrt in ((w, v), iter([w, v]), (leaf for leaf in (w, v)), {"w": w, "v": v}.values()):
        found = ad.gradients(loss, wrt)
        assert len(found) == 2
        for g, right in zip(found, expected, strict=True):
            assert_same(g, right)


def test_gradients_with_respect_to_an_earlier_and_a_later_value():
    w = ad.Tensor(2.0)
    a = w * w
    b = a * w
    c = a * b
    for order in ([w, a, b], [b, a, w], [a], [b], [w]):
        expected = {w: 5 * 2.0**4, a: 8.0 + 4.0 * 2.0, b: 4.0}
        assert [float(g) for g in ad.gradients(c, order)] == [expected[t] for t in order]


def test_gradients_with_a_gradient_from_above():
    w = ad.Tensor(X)
    y = w**2
    (g,) = ad.gradients(y, [w], gradient=X)
    assert_same(g, X * (2 * X))
    (g,) = ad.gradients(y, [y], gradient=X)
    assert_same(g, X)
    assert not np.shares_memory(g, X)


def test_gradients_with_respect_to_a_written_tensor_are_of_its_latest_state():
    """What the loss saw is the value after the write."""
    w = ad.Tensor([1.0, 2.0])
    z = w * 2
    z[0] = 5.0
    (g,) = ad.gradients(np.sum(z**3), [z])
    assert_same(g, 3 * np.array([25.0, 16.0]))


def test_gradients_with_respect_to_what_was_written_since_are_not_silently_zero():
    """The loss used the value before the write: its gradient, or an error, but not 0."""
    w = ad.Tensor([1.0, 2.0])
    z = w * 2
    loss = np.sum(z**3)
    z[0] = 5.0
    try:
        (g,) = ad.gradients(loss, [z])
    except ad.errors.GradientError:
        return
    assert_same(g, 3 * np.array([4.0, 16.0]))


def test_gradients_with_respect_to_an_untouched_view_of_what_was_written_since():
    w = ad.Tensor([1.0, 2.0])
    z = w * 2
    v = z[1:]
    loss = np.sum(v**3)
    z[0] = 5.0
    try:
        (g,) = ad.gradients(loss, [v])
    except ad.errors.GradientError:
        return
    assert_same(g, np.array([48.0]))


def written_whole(w):
    z = w * 2
    return np.sum(z[1:] ** 3), z, lambda: z.__setitem__(0, 5.0)


def written_beside_a_view(w):
    z = w * 2
    v = z[1:]
    return np.sum(v**3), v, lambda: z.__setitem__(0, 5.0)


def updated_leaf_of_a_view(w):
    v = w[1:]
    return np.sum(v**3), v, lambda: ad.no_grad()(lambda: w.__isub__(1.0))()


@pytest.mark.parametrize("program", [written_whole, written_beside_a_view, updated_leaf_of_a_view])
def test_written_looked_at_and_used_in_a_later_total(program):
    """As above, but the output is younger than the write: the old value is in its graph all the same."""
    loss, wrt, write = program(ad.Tensor([1.0, 2.0]))
    (expected,) = ad.gradients(loss, [wrt])
    write()
    str(wrt)
    total = loss + 1
    try:
        (g,) = ad.gradients(total, [wrt])
    except ad.errors.GradientError:
        return
    assert_same(g, expected)


# --- gradients that are graphs ----------------------------------------------------------------------------------------


def test_recorded_gradients_can_be_differentiated():
    w = ad.Tensor(X)
    loss = np.sum(np.sin(w) * w**2)
    (g,) = ad.gradients(loss, [w], record=True)
    (plain,) = ad.gradients(loss, [w])
    assert isinstance(g, ad.Tensor)
    assert g.requires_grad
    assert_same(g, plain)
    (h,) = ad.gradients(np.sum(g), [w])
    np.testing.assert_allclose(h, (2 - X**2) * np.sin(X) + 4 * X * np.cos(X), rtol=1e-12)
    np.sum(g).backward()
    assert_same(w.grad, h)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_derivatives_of_any_order(order):
    w = ad.Tensor(0.7)
    y = np.exp(2 * w) * np.tanh(w * 0.0 + 10)
    for _ in range(order):
        (y,) = ad.gradients(y, [w], record=True)
    assert y.item() == pytest.approx(2**order * np.exp(1.4), rel=1e-8)


def test_a_recorded_gradient_after_backward_released_the_values():
    w = ad.Tensor(X)
    loss = np.sum(np.tanh(w) ** 2)
    loss.backward()
    (g,) = ad.gradients(loss, [w], record=True)
    assert_same(g, w.grad)
    (h,) = ad.gradients(np.sum(g), [w])
    by_hand = np.sum(2 * np.tanh(X) * (1 - np.tanh(X) ** 2))
    np.testing.assert_allclose(np.sum(g).item(), by_hand, rtol=1e-13)
    np.testing.assert_allclose(h, differences(lambda x: np.sum(2 * np.tanh(x) * (1 - np.tanh(x) ** 2)), X), rtol=1e-6)


def test_a_recorded_gradient_with_respect_to_an_interior_tensor():
    w = ad.Tensor([1.0, 2.0])
    z = w**2
    loss = np.sum(z**3)
    (g,) = ad.gradients(loss, [z], record=True)
    assert_same(g, 3 * np.array([1.0, 16.0]))
    (h,) = ad.gradients(np.sum(g), [w])
    np.testing.assert_allclose(h, 12 * np.array([1.0, 2.0]) ** 3, rtol=1e-14)


def test_a_recorded_gradient_is_linear_in_the_gradient_from_above():
    """Differentiated with respect to that, it is forward mode: the double-vjp of every textbook."""
    w, v = ad.Tensor([1.0, 2.0]), ad.Tensor([0.5, 0.25])
    (g,) = ad.gradients(w**3, [w], gradient=v, record=True)
    assert g.requires_grad
    (forward,) = ad.gradients(g, [v], gradient=np.array([1.0, 10.0]))
    assert_same(forward, 3 * np.array([1.0, 4.0]) * np.array([1.0, 10.0]))


def test_a_gradient_penalty_trains():
    """A loss that contains a gradient, as everybody writes it."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((5, 3))

    def penalised(w):
        x = ad.Tensor(A)
        (g,) = ad.gradients(np.sum(np.tanh(x @ w)), [x], record=True)
        return np.sum((g * g).sum(axis=1))

    start = rng.standard_normal((3, 2))
    w = ad.Tensor(start)
    penalised(w).backward()
    numeric = differences(lambda w: np.sum(((1 - np.tanh(A @ w) ** 2) @ w.T) ** 2), start)
    np.testing.assert_allclose(w.grad, numeric, rtol=1e-6, atol=1e-8)


def test_recording_keeps_what_is_constant_constant():
    w = ad.Tensor([1.0, 2.0])
    (g,) = ad.gradients(np.sum(w * 3), [w], record=True)
    assert_same(g, np.array([3.0, 3.0]))
    (h,) = ad.gradients(np.sum(g * w), [w])
    assert_same(h, np.array([3.0, 3.0]))


def test_recorded_gradients_of_each_shape():
    for shape in ((), (1,), (2, 3), (0, 3)):
        w = ad.Tensor(np.ones(shape))
        (g,) = ad.gradients(np.sum(w * w * w), [w], record=True)
        (h,) = ad.gradients(np.sum(g), [w])
        assert_same(g, np.full(shape, 3.0))
        assert_same(h, np.full(shape, 6.0))
