"""Graph: what lies behind a value, its order, its evaluation at other leaves, and how it is freed."""

import contextlib
import gc
import sys
import weakref

import numpy as np
import pytest

import autodiff as ad
from autodiff.graph import Graph

from .measures import assert_same, node_of

X = np.array([[0.5, -1.25, 0.8], [0.3, -0.55, 1.1]])


def graph(*tensors):
    """The graph behind some Tensors, views brought up to date."""
    return Graph([node_of(tensor) for tensor in tensors])


@pytest.fixture
def no_collector():
    """Without the garbage collector, so that what dies, dies by reference counting."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


# --- order ------------------------------------------------------------------------------------------------------------


def network(w, v):
    h = np.tanh(w @ v.T) * 2
    h[h < 0] = 0
    top = h[:1]
    top += np.max(w)
    return np.sum(h**2) + np.sum(np.where(w > 0.5, w, v))


def test_inputs_stand_before_the_nodes_that_use_them():
    w, v = ad.Tensor(X, name="w"), ad.Tensor(X[::-1], name="v")
    found = graph(network(w, v))
    position = {node: i for i, node in enumerate(found.nodes)}
    assert len(position) == len(found) == len(found.nodes)
    for node in found.nodes:
        assert all(position[x] < position[node] for x in node.inputs if x in position)
    assert found.nodes[-1] is found.outputs[0]
    found.validate()


def test_leaves_come_in_the_order_in_which_they_were_recorded():
    w, v, c = ad.Tensor(X, name="w"), ad.Tensor(X, name="v"), ad.constant(X, name="c")
    loss = np.sum(c * v + w * 2.0 + X)
    leaves = graph(loss).leaves
    assert all(leaf.is_leaf for leaf in leaves)
    assert [leaf.name for leaf in leaves if leaf.name] == ["w", "v", "c"]
    assert [leaf.index for leaf in leaves] == sorted(leaf.index for leaf in leaves)
    assert [leaf.needs for leaf in leaves if leaf.name] == [True, True, False]


def test_a_node_says_how_it_was_made():
    w = ad.Tensor(X, name="w")
    z = np.sum(w * 2, axis=0)
    node = node_of(z)
    assert (node.primitive.function, node.keywords["axis"], node.shape, node.dtype) == (np.sum, 0, (3,), np.float64)
    product = node.inputs[0]
    assert product.primitive.function is np.multiply
    assert product.inputs[1] == 2  # a Python scalar stays one: weak
    assert product.inputs[0].name == "w"
    assert "multiply" in repr(product)


def test_a_graph_of_several_outputs_has_each_node_once():
    w = ad.Tensor(X)
    trunk = np.tanh(w)
    left, right = np.sum(trunk), np.sum(trunk**2)
    both = graph(left, right)
    assert len(both.outputs) == 2
    assert len(both) == len({*graph(left).nodes, *graph(right).nodes})


def test_a_graph_of_a_leaf_is_the_leaf():
    w = ad.Tensor(X)
    assert graph(w).nodes == graph(w).leaves == graph(w).outputs


def test_what_carries_no_gradient_is_recorded_too():
    """A mask that depends on data must not be baked into what a reader emits."""
    w = ad.Tensor(X)
    names = {node.primitive.function for node in graph(np.sum(np.where(w > 0, w, 0.0))).nodes if node.primitive}
    assert np.greater in names


def test_validate_finds_a_node_that_uses_a_later_one():
    w = ad.Tensor(X)
    z = np.tanh(w)
    y = np.sum(z)
    found = graph(y)
    found.nodes = found.nodes[::-1]
    with pytest.raises(AssertionError, match="recorded after"):
        found.validate()


def test_doubling_forty_times_makes_forty_nodes():
    y = ad.Tensor(1.0)
    for _ in range(40):
        y = y + y
    assert len(graph(y)) == 41


# --- evaluation -------------------------------------------------------------------------------------------------------


def test_evaluate_gives_the_same_bits():
    w, v = ad.Tensor(X.T), ad.Tensor(X[::-1].T)
    loss = network(w, v)
    found = graph(loss)
    values = found.evaluate()
    assert set(values) == set(found.nodes)
    assert_same(values[found.outputs[0]], loss)


@pytest.mark.parametrize("at", [X * 2, -X, X + 1, np.zeros((2, 3)), np.asfortranarray(X)])
def test_evaluate_at_other_leaves_is_the_program_run_there(at):
    """Comparisons, masks, argmax and data-dependent writes included: nothing of the first run is baked in."""
    w, v = ad.Tensor(X), ad.Tensor(X[::-1])

    def program(w, v):
        loss = network(w, v)
        order = np.argmax(w, axis=0)
        return loss + np.sum(v[order] * w[w.argmin(axis=0)]) + np.sum(w[w > v]) + np.sum(np.clip(w, v, 1))

    with contextlib.suppress(IndexError):
        found = graph(program(w, v))
        values = found.evaluate({node_of(w).variable: at})
        assert_same(values[found.outputs[0]], program(at, X[::-1]))


def test_evaluate_takes_the_leaves_of_the_time_of_recording():
    w = ad.Tensor(X)
    found = graph(np.sum(np.exp(w)))
    with ad.no_grad():
        w -= 5
    w.data[:] = 7
    assert_same(found.evaluate()[found.outputs[0]], np.sum(np.exp(X)))


def test_restore_brings_back_what_backward_released():
    w, v = ad.Tensor(X), ad.Tensor(X[::-1])
    loss = network(w, v)
    found = graph(loss)
    before = {node: node.saved for node in found.nodes}
    loss.backward()
    released = [node for node in found.nodes if node.saved is None]
    assert released
    found.restore()
    for node in released:
        for again, value in zip(node.saved, before[node], strict=True):
            if isinstance(value, np.ndarray):
                assert_same(again, value)


def test_restore_of_a_graph_that_released_nothing_changes_nothing():
    w = ad.Tensor(X)
    found = graph(np.sum(np.tanh(w)))
    before = [node.saved for node in found.nodes]
    found.restore()
    assert all(node.saved is saved for node, saved in zip(found.nodes, before, strict=True))


# --- freed by reference counting --------------------------------------------------------------------------------------


def test_backward_releases_what_it_saved():
    """While the graph lives on: with it a loss that somebody keeps in a list would keep all activations."""
    w = ad.Tensor(X)
    hidden = np.tanh(w)
    loss = np.sum(np.sin(hidden) * np.exp(hidden))
    arrays = [weakref.ref(value) for node in graph(loss).nodes for value in node.saved if isinstance(value, np.ndarray)]
    del hidden
    leaf = node_of(w).value
    assert sum(ref() is not None for ref in arrays) > 2
    loss.backward()
    assert [ref() for ref in arrays if ref() is not None and ref() is not leaf] == []
    assert loss.requires_grad


def views_and_writes(w):
    z = w * 2
    v = z[1:].T
    v[0] = w[0, 0]
    z += v.sum()
    z[z < 0] = 0
    return np.sum(z[:, ::-1])


def exposed(w):
    w.data[...] *= 2
    return np.sum(w[1:] * w[:1])


def released(w):
    loss = np.sum(np.tanh(w))
    loss.backward()
    loss.backward()
    return loss


def second_order(w):
    (g,) = ad.gradients(np.sum(np.tanh(w * 1.0) ** 3), [w], record=True)
    return np.sum(g * g)


def own_functions(w):
    cube = ad.primitive(lambda x: x**3, "3 * x**2", kind="elementwise")
    return np.sum(ad.softmax(cube(w)) * ad.sigmoid(w)) + np.sum(ad.logsumexp(w, axis=0))


def of_arrays(w):
    y, pull = ad.vjp(lambda x: np.tanh(x) @ X.T, X)
    return np.sum(w * pull(y)[0] * ad.grad(lambda x: np.sum(x**2))(X))


def after_an_error(w):
    z = w * 2
    with contextlib.suppress(ValueError):
        z @ np.ones((7, 7))
    with contextlib.suppress(TypeError):
        z.backward()
    with contextlib.suppress(TypeError):
        np.asarray(z)
    return np.sum(z)


def joined(w):
    return np.sum(np.concatenate([w, w * 2, X]) ** 2) + np.sum(np.stack([w[0], w[1] * w[0]])[:, [0, 0, 2]])


LIVES = [views_and_writes, exposed, released, second_order, own_functions, of_arrays, after_an_error, joined]


@pytest.mark.parametrize("program", LIVES)
def test_a_graph_is_freed_without_the_garbage_collector(program, no_collector):
    w = ad.Tensor(X)
    loss = program(w)
    nodes = [weakref.ref(node) for node in graph(loss).nodes if not node.is_leaf]
    tensors = [weakref.ref(loss)]
    variable = weakref.ref(node_of(w).variable)
    assert len(nodes) > 1
    del loss
    assert [ref() for ref in nodes + tensors if ref() is not None] == []
    del w
    assert variable() is None


def test_a_view_keeps_no_more_than_its_root(no_collector):
    w = ad.Tensor(X)
    z = w * 2
    root = weakref.ref(z)
    v = z[1:]
    del z
    assert root() is not None
    del v
    assert root() is None


def test_training_keeps_no_step_but_the_last(no_collector):
    w = ad.Tensor(X)
    nodes = []
    for _ in range(5):
        loss = np.sum(np.tanh(w) ** 2)
        loss.backward()
        nodes.append(weakref.ref(node_of(loss)))
        with ad.no_grad():
            w -= 0.1 * w.grad
        w.zero_grad()
    assert [ref() is not None for ref in nodes] == [False] * 4 + [True]


# --- scale ------------------------------------------------------------------------------------------------------------

MILLION = 1_000_000


def test_a_chain_of_a_million_scalar_operations(no_collector):
    """Recorded, differentiated and freed: without recursion, without the garbage collector, and the memory is back."""
    w = ad.Tensor(1.0)

    def chain(length):
        y, some = w, []
        for i in range(length):
            y = y * 1.000001
            if i % (length // 100) == 0:
                some.append(weakref.ref(node_of(y)))
        assert all(ref() is not None for ref in some)
        y.backward()
        gradient = w.grad.item()
        w.zero_grad()
        del y
        return gradient, [ref() for ref in some]

    chain(10_000)  # what is generated once, and what Python keeps for reuse, are no part of the account
    before = sys.getallocatedblocks()
    gradient, alive = chain(MILLION)
    assert sys.getallocatedblocks() - before < 1_000
    assert alive == [None] * 100
    assert gradient == pytest.approx(1.000001**MILLION, rel=1e-9)


def test_a_long_chain_is_computed_again_and_differentiated_twice(no_collector):
    length = 20_000
    w = ad.Tensor(0.5)
    y = w
    for _ in range(length):
        y = np.sin(y) + w
    y.backward()
    first, w.grad = w.grad, None
    y.backward()  # from the leaves again
    assert_same(w.grad, first)
    (g,) = ad.gradients(y, [w], record=True)
    assert_same(g, first)
    (h,) = ad.gradients(g, [w])
    assert np.isfinite(h)
    node = weakref.ref(node_of(g))
    del y, g
    assert node() is None


def test_long_chains_of_writes_and_of_views(no_collector):
    length = 3_000
    w = ad.Tensor(np.ones(3))
    z = w * 1
    for i in range(length):
        z[i % 3] += w[0]
    v = z
    for _ in range(length):
        v = v[:]
    z *= 2
    assert_same(v, np.full(3, 2.0 * (1 + length / 3)))
    np.sum(v).backward()
    assert_same(w.grad, np.array([2 + 2.0 * length, 2.0, 2.0]))
    root = weakref.ref(z)
    del z, v
    assert root() is None


def test_a_wide_sum_of_many_terms():
    w = ad.Tensor(np.ones(3))
    total = sum(w * float(k) for k in range(3_000))
    np.sum(total).backward()
    assert_same(w.grad, np.full(3, float(sum(range(3_000)))))
