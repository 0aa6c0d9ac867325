"""Each error a user can meet: its type is one that NumPy would raise, its words name operation and remedy."""

import math
import pickle
import warnings

import numpy as np
import pytest

import autodiff as ad
from autodiff import errors

from .measures import said


def leaf(shape=(2, 3), name="t"):
    return ad.Tensor(np.ones(shape), name=name)


# --- shapes: the operation, both shapes, the names of the operands, and the reason ------------------------------------

X = ad.constant(np.ones((3, 2)), name="X")
W1 = ad.Tensor(np.ones((4, 3)), name="W1")
B = ad.Tensor(np.ones(4), name="b")
BATCH = ad.Tensor(np.ones((2, 3, 2)), name="P")

SHAPES = {
    "@": (lambda: X @ W1, "matmul: X (3, 2) and W1 (4, 3): inner sizes 2 and 4 differ"),
    "np.matmul": (lambda: np.matmul(X, W1), "matmul: X (3, 2) and W1 (4, 3): inner sizes 2 and 4 differ"),
    "np.dot": (lambda: np.dot(X, W1), "dot: X (3, 2) and W1 (4, 3): inner sizes 2 and 4 differ"),
    ".dot": (lambda: X.dot(W1), "dot: X (3, 2) and W1 (4, 3): inner sizes 2 and 4 differ"),
    "vector @": (lambda: B @ X, "matmul: b (4,) and X (3, 2): inner sizes 4 and 3 differ"),
    "batched @": (lambda: BATCH @ X, "matmul: P (2, 3, 2) and X (3, 2): inner sizes 2 and 3 differ"),
    "batches": (lambda: ad.Tensor(np.ones((5, 2, 3)), name="Q") @ BATCH,
                "matmul: Q (5, 2, 3) and P (2, 3, 2): sizes 2 and 5 of axis -3 differ, and neither is 1"),
    "+": (lambda: W1 + B, "add: W1 (4, 3) and b (4,): sizes 3 and 4 of axis -1 differ, and neither is 1"),
    "-": (lambda: X - W1, "subtract: X (3, 2) and W1 (4, 3): sizes 2 and 3 of axis -1 differ, and neither is 1"),
    "axis -2": (lambda: W1 * X[:, :1], "sizes 3 and 4 of axis -2 differ, and neither is 1"),
    "np.maximum": (lambda: np.maximum(W1, B), "maximum: W1 (4, 3) and b (4,): sizes 3 and 4"),
    "np.where": (lambda: np.where(True, W1, B), "W1 (4, 3) and b (4,): sizes 3 and 4 of axis -1 differ"),
    "+=": (lambda: (W1 * 1).__iadd__(B), "(4, 3) and b (4,): sizes 3 and 4"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "words"), SHAPES.values(), ids=SHAPES)
def test_a_shape_error_names_operation_shapes_operands_and_reason(call, words):
    with pytest.raises(errors.ShapeError) as caught:
        call()
    assert words in str(caught.value)


def test_operands_are_named_by_the_variables_that_hold_them():
    X = np.array([[3, 5], [5, 1], [10, 2]])
    W1 = ad.Tensor(np.ones((4, 3)))
    with pytest.raises(errors.ShapeError) as caught:
        X @ W1
    assert str(caught.value) == "matmul: X (3, 2) and W1 (4, 3): inner sizes 2 and 4 differ"
    가중치 = ad.Tensor(np.ones(2))
    with pytest.raises(errors.ShapeError, match=r"add: 가중치 \(2,\) and W1 \(4, 3\)"):
        가중치 + W1


def test_a_name_that_was_given_wins():
    W = ad.Tensor(np.ones((4, 3)), name="encoder.weight")
    with pytest.raises(errors.ShapeError, match=r"encoder\.weight \(4, 3\)"):
        W @ W


def test_the_shape_of_a_part_that_does_not_fit():
    """What NumPy compares is the part, not the whole: (2,) against (3,)."""
    z = ad.Tensor(np.ones((2, 3)), name="z") * 1
    for value in (np.ones(3), ad.Tensor(np.ones(3)), ad.constant(np.ones(3))):
        with pytest.raises(ValueError, match=r"\(3,\)") as caught:
            z[:, 0] = value
        text = said(caught.value)
        assert "(2,)" in text
        assert "sizes 3 and 3" not in text


OTHERS = {
    "concatenate": (lambda: np.concatenate([W1, B]), ValueError, ["concatenate", "W1 (4, 3)", "b (4,)"]),
    "stack": (lambda: np.stack([W1, B]), ValueError, ["stack", "W1 (4, 3)", "b (4,)"]),
    "reshape": (lambda: W1.reshape(5), ValueError, ["reshape", "W1 (4, 3)", "(5,)"]),
    "broadcast_to": (lambda: np.broadcast_to(W1, (4, 4)), ValueError, ["broadcast_to", "W1 (4, 3)", "(4,4)"]),
    "transpose": (lambda: W1.transpose(0, 1, 2), ValueError, ["transpose", "W1 (4, 3)"]),
    "squeeze": (lambda: W1.squeeze(0), ValueError, ["squeeze", "W1 (4, 3)"]),
    "axis": (lambda: np.sum(W1, axis=2), np.exceptions.AxisError, ["sum", "W1 (4, 3)", "axis 2"]),
    "axis of ours": (lambda: ad.softmax(W1, axis=2), np.exceptions.AxisError, ["softmax", "W1 (4, 3)", "axis 2"]),
    "index": (lambda: W1[7], IndexError, ["W1 (4, 3)", "index 7"]),
    "too many": (lambda: W1[0, 0, 0], IndexError, ["W1 (4, 3)", "too many"]),
    "mask": (lambda: W1[np.ones(3, bool)], IndexError, ["W1 (4, 3)", "boolean index"]),
    "matmul of a scalar": (lambda: W1 @ ad.Tensor(2.0, name="s"), ValueError, ["matmul", "W1 (4, 3)", "s ()"]),
}


@pytest.mark.parametrize(("call", "kind", "words"), OTHERS.values(), ids=OTHERS)
def test_other_errors_keep_numpys_type_and_gain_the_users_names(call, kind, words):
    with pytest.raises(kind) as caught:
        call()
    for word in words:
        assert word in said(caught.value)


# --- where a gradient would be lost, or cannot be given ---------------------------------------------------------------


def test_backward_of_what_is_no_scalar():
    loss = leaf() * 2
    with pytest.raises(errors.GradientError, match=r"loss \(2, 3\).*\.sum\(\).*\.mean\(\).*gradient="):
        loss.backward()
    with pytest.raises(errors.GradientError, match=r"no scalar"):
        ad.gradients(loss, [loss])


def test_backward_of_a_vector_of_one_is_no_scalar_either():
    with pytest.raises(errors.GradientError, match=r"\(1,\)"):
        (ad.Tensor([1.0]) * 2).backward()


WITHOUT = {
    "a constant": lambda: ad.constant(1.0, name="loss"),
    "of constants": lambda: np.sum(ad.constant([1.0, 2.0])),
    "without requires_grad": lambda: ad.Tensor(1.0, requires_grad=False) * 2,
    "detached": lambda: (ad.Tensor(1.0) * 2).detach(),
    "a comparison": lambda: ad.Tensor(1.0) > 0,
    "in no_grad": lambda: ad.no_grad()(lambda: ad.Tensor(1.0) * 2)(),
}


@pytest.mark.parametrize("make", WITHOUT.values(), ids=WITHOUT)
def test_backward_of_a_tensor_without_gradient(make):
    loss = make()
    for call in (loss.backward, lambda: ad.gradients(loss, [ad.Tensor(1.0)])):
        with pytest.raises(errors.GradientError, match=r"loss \(\).*carries no gradient.*constants.*no_grad"):
            call()


@pytest.mark.parametrize("gradient", [np.ones(3), np.ones((3, 2)), 1.0, np.ones((1, 2, 3))])
def test_a_gradient_of_the_wrong_shape(gradient):
    t = leaf()
    z = t * 2
    for call in (lambda: z.backward(gradient), lambda: ad.gradients(z, [t], gradient=gradient)):
        with pytest.raises(errors.ShapeError, match=r"z \(2, 3\)") as caught:
            call()
        assert str(np.shape(gradient)) in str(caught.value)
    with pytest.raises(errors.ShapeError, match=r"t \(2, 3\)"):
        t.grad = gradient


def test_a_complex_output_needs_a_gradient():
    """Only a real loss has a direction of steepest ascent: the gradient of i w would be silently 0."""
    with pytest.raises(errors.GradientError, match="complex"):
        np.sum(leaf() * 1j).backward()


t, s = leaf(), leaf((), "t")
RULES = {
    "np.busday_count": lambda: np.busday_count(t, t),
}


@pytest.mark.parametrize("name", RULES)
def test_a_function_without_a_rule(name):
    with pytest.raises(errors.MissingRuleError) as caught:
        RULES[name]()
    for word in (f"{name} ", "no rule", "autodiff.primitive", "t.numpy()"):
        assert word in str(caught.value)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, NotImplementedError)


def test_where_of_one_argument_gives_indices():
    assert [index.tolist() for index in np.where(t > 0)] == [[0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2]]


ARRAYS = {
    "np.asarray": (lambda: np.asarray(t), ["t.numpy()", "t.detach()"]),
    "np.array": (lambda: np.array(t), ["t.numpy()", "t.detach()"]),
    "np.asarray of a list": (lambda: np.asarray([s, s]), ["np.stack"]),
    "np.array of a mixed list": (lambda: np.array([1.0, s]), ["np.stack"]),
    "np.sum of a list": (lambda: np.sum([s, s]), ["np.stack"]),
    "X.dot": (lambda: np.ones((4, 2)).dot(t), ["X @ t", "autodiff.constant(X).dot(t)"]),
    "a[...] = t": (lambda: np.zeros((2, 3)).__setitem__(..., t), ["np.zeros(n, like=t)"]),
    "a[0] = t": (lambda: np.zeros(2).__setitem__(0, s), ["np.zeros(n, like=t)"]),
    "list of Tensors as data": (lambda: ad.Tensor([s, s]), ["np.stack"]),
    "np.full": (lambda: np.full(3, s), ["np.full(n, t, like=t)"]),
    "rng": (lambda: np.random.default_rng(0).normal(t), ["t.numpy()"]),
    "np.arange": (lambda: np.arange(s), ["t.numpy()"]),
    "np.float64": (lambda: np.float64(s), ["t.numpy()"]),
    "masked": (lambda: np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0]) * t, ["t.numpy()"]),
    "np.testing": (lambda: np.testing.assert_allclose(t, 1), ["t.numpy()"]),
}


@pytest.mark.parametrize(("call", "remedies"), ARRAYS.values(), ids=ARRAYS)
def test_making_a_plain_array_of_what_carries_gradient(call, remedies):
    """NumPy asks for an array here by no protocol that would tell us what for, so the message names every way."""
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    for remedy in remedies:
        assert remedy in said(caught.value)


def test_making_a_plain_array_names_the_tensor():
    W1 = ad.Tensor(np.ones((2, 4)))
    X = np.ones((3, 2))
    with pytest.raises(TypeError, match=r"W1 \(2, 4\).*X @") as caught:
        X.dot(W1)
    assert isinstance(caught.value, errors.GradientError)


NUMBERS = {
    "float": (lambda: float(s), "float()"),
    "int": (lambda: int(s), "int()"),
    "complex": (lambda: complex(s), "complex()"),
    "math.exp": (lambda: math.exp(s), "float()"),
    "math.sqrt": (lambda: math.sqrt(s), "float()"),
    "range": (lambda: range(s), "index"),
    "list index": (lambda: [1, 2][s], "index"),
    "%": (lambda: "%.3f" % s, "float()"),  # noqa: UP031 (that is what it tests)
}


@pytest.mark.parametrize(("call", "action"), NUMBERS.values(), ids=NUMBERS)
def test_making_a_python_number_of_what_carries_gradient(call, action):
    with pytest.raises(TypeError) as caught:
        call()
    assert action in str(caught.value)
    assert "t ()" in str(caught.value)
    assert "t.item()" in str(caught.value)


def test_what_carries_no_gradient_becomes_arrays_and_numbers():
    c = ad.constant(2.5)
    assert (float(c), int(c), complex(c), math.exp(c)) == (2.5, 2, 2.5 + 0j, math.exp(2.5))
    assert [1, 2, 3][ad.constant(2)] == 3
    assert np.asarray(ad.constant([1, 2])).tolist() == [1, 2]
    assert np.ones((1, 2)).dot(ad.constant([1.0, 2.0])).tolist() == [3.0]


@pytest.mark.parametrize("convert", [float, int, math.exp])
def test_a_number_of_many_elements_is_numpys_error(convert):
    with pytest.raises(TypeError):
        convert(ad.constant([1.0, 2.0]))


def test_an_index_that_is_no_integer_is_pythons_error():
    with pytest.raises(TypeError):
        [1, 2][ad.constant(1.0)]


def test_out_of_a_plain_array():
    for call in (lambda: np.exp(t, out=np.zeros((2, 3))), lambda: np.zeros((2, 3)).__iadd__(t)):
        with pytest.raises(errors.GradientError, match=r"out= a plain array.*out= a Tensor"):
            call()


def test_a_fill_value_that_carries_gradient_is_not_dropped():
    """By np.full without like= it would be: NumPy fills by no call that we see but np.copyto."""
    for call in (lambda: np.full(3, s, like=t), lambda: np.full_like(t, s, shape=3)):
        np.testing.assert_array_equal(ad.gradients(np.sum(call()), [s])[0], 3)
    for call in (lambda: np.full(3, s), lambda: np.full_like(np.ones(3), s)):
        with pytest.raises(TypeError, match=r"np.full\(n, \w+, like=\w+\)"):
            call()


# --- data and operands that no gradient has ---------------------------------------------------------------------------

MASKED = np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0])
LOST_MASKS = {
    "operand": lambda: leaf() * MASKED,
    "operand of a function": lambda: np.where(MASKED > 0, leaf(), 0.0),
    "operand of our own": lambda: ad.primitive(lambda x, y: x * y, "g * y", None)(leaf(), MASKED),
    "operand of concatenate": lambda: np.concatenate([leaf((3,)), MASKED]),
    "value written": lambda: (leaf() * 1).__setitem__(0, MASKED),
    "data": lambda: ad.Tensor(MASKED),
    "data of a constant": lambda: ad.constant(MASKED),
    "data assigned": lambda: setattr(leaf((3,)), "data", MASKED),
}


@pytest.mark.parametrize("call", LOST_MASKS.values(), ids=LOST_MASKS)
def test_a_masked_array_would_lose_its_mask(call):
    with pytest.raises(errors.GradientError, match=r"mask.*\.filled\("):
        call()


def test_a_matrix_multiplies_as_numpys_or_not_at_all():
    """`*` of np.matrix is the matrix product."""
    t = ad.Tensor([[1.0, 1.0], [0.0, 1.0]])
    with warnings.catch_warnings(action="ignore", category=PendingDeprecationWarning):
        m = np.matrix([[1.0, 2.0], [3.0, 4.0]])
        for multiply in (lambda a: m * a, lambda a: a * m):
            expected = np.asarray(multiply(t.numpy()))
            try:
                got = multiply(t)
            except TypeError:
                continue
            np.testing.assert_array_equal(got.numpy(), expected)


@pytest.mark.parametrize("data", ["abc", None, [None], np.array(["2020"], "M8[Y]"), [object()], {"a": 1}, {1.0}])
@pytest.mark.parametrize("make", [ad.Tensor, ad.constant])
def test_data_that_is_no_number(make, data):
    with pytest.raises(TypeError, match=r"dtype.*cannot be differentiated; use numbers"):
        make(data)


def test_ragged_data_is_numpys_error():
    with pytest.raises(ValueError, match="inhomogeneous"):
        ad.Tensor([[1.0], [2.0, 3.0]])


@pytest.mark.parametrize("operand", ["a", None, object(), [None], np.array(["a"]), {}, np.array([None])])
def test_an_operand_that_is_no_number(operand):
    for call in (lambda: t + operand, lambda: operand + t, lambda: np.multiply(t, operand), lambda: t @ operand):
        with pytest.raises((TypeError, ValueError)):
            call()


def test_a_tensor_that_carries_gradient_is_no_data():
    with pytest.raises(errors.GradientError, match=r"t\.detach\(\)"):
        ad.Tensor(t)


def test_wrt_that_is_no_list_of_tensors():
    w = ad.Tensor([1.0, 2.0])
    loss = np.sum(w * w)
    for wrt in (w, 3, None):
        with pytest.raises(TypeError):
            ad.gradients(loss, wrt)
    for wrt in ([np.ones(2)], [1.0], ["w"]):
        with pytest.raises(errors.GradientError, match="wrt holds Tensors"):
            ad.gradients(loss, wrt)


# --- leaves, constants, computed values -------------------------------------------------------------------------------


def test_grad_of_an_interior_tensor_explains_gradients():
    hidden = leaf() * 2
    with pytest.raises(errors.GradientError, match=r"leaves only.*hidden \(2, 3\).*autodiff\.gradients"):
        _ = hidden.grad
    with pytest.raises(errors.GradientError, match="leaves only"):
        hidden.grad = np.ones((2, 3))


def test_requires_grad_is_set_on_leaves():
    for tensor in (leaf() * 2, ad.constant(1.0)):
        with pytest.raises(errors.GradientError, match=r"\.detach\(\)"):
            tensor.requires_grad = True


def test_data_of_the_wrong_shape():
    with pytest.raises(errors.ShapeError, match=r"t \(2, 3\).*\(3,\)"):
        leaf().data = np.ones(3)


def test_an_interior_tensor_is_not_pickled():
    with pytest.raises(errors.GradientError, match=r"\.detach\(\)"):
        pickle.dumps(leaf() * 2)


def test_the_family_of_errors():
    assert issubclass(errors.ShapeError, ValueError)
    assert issubclass(errors.GradientError, TypeError)
    assert issubclass(errors.GradientError, RuntimeError)
    assert issubclass(errors.InPlaceError, (errors.GradientError, ValueError))
    assert issubclass(errors.MissingRuleError, (errors.GradientError, NotImplementedError))
    for kind in (errors.ShapeError, errors.GradientError, errors.InPlaceError, errors.MissingRuleError):
        assert issubclass(kind, errors.AutodiffError)


def test_a_failed_call_leaves_nothing_behind():
    w = ad.Tensor([1.0, 2.0])
    z = w * 2
    for call in (lambda: z + np.ones(3), lambda: z.__setitem__(9, 1), lambda: z.__iadd__(np.ones(3)), z.backward):
        with pytest.raises((ValueError, IndexError, TypeError)):
            call()
    np.sum(z).backward()
    assert w.grad.tolist() == [2.0, 2.0]
