"""Linear, the activations, Sequential and MLP."""

import numpy as np
import pytest

import autodiff as ad
import nn
from nn.layers import ACTIVATIONS

FUNCTIONS = {name: getattr(nn, name) for name in ACTIVATIONS}
each_activation = pytest.mark.parametrize("name", ACTIVATIONS)
LARGE = np.array([[-1e4, -30.0, -1.0, 0.0], [1.0, 30.0, 1e4, 0.5]])


def as_written(name, x):
    """The textbook's formula, for arguments that it can bear."""
    exp = np.exp(x)
    return {
        "identity": x,
        "relu": x * (x > 0),
        "sigmoid": 1 / (1 + np.exp(-x)),
        "softplus": np.log(1 + exp),
        "tanh": (exp - 1 / exp) / (exp + 1 / exp),
        "softmax": exp / exp.sum(axis=-1, keepdims=True),
        "log_softmax": np.log(exp / exp.sum(axis=-1, keepdims=True)),
    }[name]


# --- Linear -----------------------------------------------------------------------------------------------------------


def test_linear_is_x_weight_plus_bias():
    layer = nn.Linear(3, 2, rng=0)
    x = np.arange(12.0).reshape(4, 3)
    assert layer.weight.shape == (3, 2)
    assert layer.bias.shape == (2,)
    np.testing.assert_array_equal(layer(x).numpy(), x @ layer.weight.numpy() + layer.bias.numpy())


@pytest.mark.parametrize("shape", [(3,), (1, 3), (0, 3), (2, 5, 3)])
def test_linear_keeps_the_leading_axes(shape):
    assert nn.Linear(3, 2)(np.ones(shape)).shape == (*shape[:-1], 2)


def test_linear_without_bias_has_none():
    layer = nn.Linear(3, 2, bias=False, rng=0)
    assert layer.bias is None
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    np.testing.assert_array_equal(layer(np.eye(3)).numpy(), layer.weight.numpy())


def test_linear_takes_lists_integers_and_constants():
    layer = nn.Linear(2, 1, rng=0)
    rows = [[3, 5], [5, 1]]
    expected = layer(np.array(rows, dtype=float)).numpy()
    for x in (rows, np.array(rows), ad.constant(rows)):
        np.testing.assert_array_equal(layer(x).numpy(), expected)


def test_the_gradients_of_linear_are_those_derived_by_hand():
    layer = nn.Linear(3, 2, rng=0)
    x, g = np.arange(12.0).reshape(4, 3), np.arange(8.0).reshape(4, 2)
    layer(x).backward(g)
    np.testing.assert_array_equal(layer.weight.grad, x.T @ g)
    np.testing.assert_array_equal(layer.bias.grad, g.sum(axis=0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_holds_from_parameters_to_gradients(dtype):
    model = nn.MLP([3, 4, 2], activation="tanh", output="softmax", dtype=dtype, rng=0)
    out = model(np.ones((5, 3), dtype))
    assert out.dtype == dtype
    out.sum().backward()
    assert {p.dtype for p in model.parameters()} == {p.grad.dtype for p in model.parameters()} == {np.dtype(dtype)}


# --- seeds ------------------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bits():
    def bits(rng):
        return [p.numpy().tobytes() for p in nn.MLP([3, 4, 2], rng=rng).parameters()]

    assert bits(0) == bits(0) == bits(np.int64(0)) == bits(np.random.default_rng(0))
    assert bits(0) != bits(1)
    assert bits(None) != bits(None)


def test_one_generator_serves_many_layers():
    rng = np.random.default_rng(0)
    a, b = nn.Linear(3, 3, rng=rng), nn.Linear(3, 3, rng=rng)
    assert not np.any(a.weight.numpy() == b.weight.numpy())
    first, _, second = nn.MLP([3, 3, 3], rng=0)
    assert not np.any(first.weight.numpy() == second.weight.numpy())


def test_the_global_generator_is_left_alone():
    before = np.random.get_state()[1].copy()
    nn.MLP([3, 4, 2])
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_float32_begins_at_the_rounded_values_of_float64():
    one, other = nn.Linear(5, 4, rng=3), nn.Linear(5, 4, dtype=np.float32, rng=3)
    np.testing.assert_array_equal(one.weight.numpy().astype(np.float32), other.weight.numpy())


def test_the_first_values_fill_their_range():
    layer = nn.Linear(100, 200, rng=0)
    for values in (layer.weight.numpy(), layer.bias.numpy()):
        assert 0.095 < np.max(values) < 0.1
        assert -0.1 < np.min(values) < -0.095
    assert abs(np.std(layer.weight.numpy()) - 0.1 / np.sqrt(3)) < 1e-3


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_in": 0}, ValueError, "n_in must be at least 1, not 0"),
        ({"n_out": -1}, ValueError, "n_out must be at least 1, not -1"),
        ({"n_in": 2.0}, TypeError, "n_in must be a whole number, not 2.0"),
        ({"dtype": int}, TypeError, "dtype must be a floating type .* not int64"),
        ({"dtype": complex}, TypeError, "dtype must be a floating type"),
        ({"rng": "0"}, TypeError, "rng must be None, an int seed or a numpy.random.Generator, not str"),
        ({"rng": -1}, ValueError, "rng must be at least 0, not -1"),
        ({"rng": np.random.RandomState(0)}, TypeError, "not RandomState"),
    ],
)
def test_linear_refuses_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        nn.Linear(**{"n_in": 2, "n_out": 3} | arguments)


# --- activations ------------------------------------------------------------------------------------------------------


@each_activation
def test_an_activation_is_its_formula_as_module_and_as_function(name):
    x = np.linspace(-3, 3, 12).reshape(3, 4)
    expected = as_written(name, x)
    for f in (FUNCTIONS[name], ACTIVATIONS[name]()):
        np.testing.assert_allclose(f(x), expected, rtol=1e-14, atol=1e-15)
        np.testing.assert_allclose(f(ad.Tensor(x)).numpy(), expected, rtol=1e-14, atol=1e-15)


@each_activation
def test_the_gradient_of_an_activation_is_its_difference_quotient(name):
    x, direction = np.linspace(-2.9, 3, 12).reshape(3, 4), np.cos(np.arange(12.0)).reshape(3, 4)
    t, step = ad.Tensor(x), 1e-6
    ACTIVATIONS[name]()(t).backward(direction)
    for index in np.ndindex(x.shape):
        shift = np.zeros_like(x)
        shift[index] = step
        difference = (as_written(name, x + shift) - as_written(name, x - shift)) / (2 * step)
        np.testing.assert_allclose(t.grad[index], np.sum(difference * direction), rtol=1e-7, atol=1e-8)


@each_activation
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_activation_bears_arguments_of_any_size(name, dtype):
    t = ad.Tensor(LARGE.astype(dtype))
    out = ACTIVATIONS[name]()(t)
    out.sum().backward()
    assert out.dtype == t.grad.dtype == dtype
    assert np.all(np.isfinite(out.numpy()))
    assert np.all(np.isfinite(t.grad))


def test_softmax_takes_an_axis():
    x = np.linspace(-3, 3, 24).reshape(2, 3, 4)
    for axis in (0, 1, 2, -1):
        p = nn.Softmax(axis=axis)(ad.Tensor(x)).numpy()
        np.testing.assert_allclose(p.sum(axis=axis), 1, rtol=1e-15)
        np.testing.assert_allclose(nn.LogSoftmax(axis)(ad.Tensor(x)).numpy(), np.log(p), rtol=1e-14)
    assert repr(nn.Softmax(axis=0)) == "Softmax(axis=0)"
    assert repr(nn.LogSoftmax()) == "LogSoftmax(axis=-1)"


# --- Sequential -------------------------------------------------------------------------------------------------------


def test_sequential_is_one_after_another():
    a, b = nn.Linear(2, 3, rng=0), nn.Linear(3, 1, rng=1)
    x = np.ones((4, 2))
    np.testing.assert_array_equal(nn.Sequential(a, nn.Tanh(), b)(x).numpy(), b(np.tanh(a(x))).numpy())
    assert nn.Sequential()(x) is x


def test_sequential_has_length_indices_slices_and_order():
    layers = [nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)]
    model = nn.Sequential(*layers)
    assert len(model) == 3
    assert list(model) == layers
    assert model[0] is layers[0]
    assert model[-1] is layers[-1]
    assert isinstance(model[:2], nn.Sequential)
    assert list(model[:2]) == layers[:2]
    assert model[2].weight.name == "2.weight"


def test_a_subclass_of_sequential_may_have_parts_of_its_own():
    class Net(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Linear(2, 2))
            self.head = nn.Linear(2, 1)

        def forward(self, x):
            return self.head(super().forward(x))

    assert list(Net().state_dict()) == ["0.weight", "0.bias", "head.weight", "head.bias"]
    assert Net()(np.ones((3, 2))).shape == (3, 1)


@pytest.mark.parametrize("layer", [nn.relu, nn.ReLU, [nn.ReLU()], None], ids=["function", "class", "list", "None"])
def test_sequential_refuses_what_is_no_module(layer):
    with pytest.raises(TypeError, match=r"layer 1 is .*, not a Module: Sequential\(Linear\(2, 4\), ReLU\(\)"):
        nn.Sequential(nn.Tanh(), layer)


# --- MLP --------------------------------------------------------------------------------------------------------------


def test_mlp_is_its_formula():
    model = nn.MLP([2, 4, 3, 1], activation="tanh", output="sigmoid", rng=0)
    W1, b1, W2, b2, W3, b3 = (p.numpy() for p in model.parameters())
    x = np.array([[3.0, 5.0], [5.0, 1.0]])
    z = np.tanh(np.tanh(x @ W1 + b1) @ W2 + b2) @ W3 + b3
    np.testing.assert_allclose(model(x).numpy(), 1 / (1 + np.exp(-z)), rtol=1e-15)


def test_mlp_names_its_parameters_as_a_derivation_does():
    model = nn.MLP([2, 4, 1], rng=0)
    assert [p.name for p in model.parameters()] == ["W1", "b1", "W2", "b2"]
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert [p.name for p in nn.MLP([2, 4, 1], bias=False).parameters()] == ["W1", "W2"]


def test_mlp_takes_names_and_classes():
    def kinds(**options):
        return [type(layer) for layer in nn.MLP([2, 3, 4, 1], **options)]

    assert kinds() == [nn.Linear, nn.Sigmoid, nn.Linear, nn.Sigmoid, nn.Linear]
    assert kinds(activation=nn.ReLU, output="softmax") == [nn.Linear, nn.ReLU] * 2 + [nn.Linear, nn.Softmax]
    assert kinds(activation="identity") == [nn.Linear] * 3


@each_activation
def test_mlp_knows_every_activation(name):
    layers = list(nn.MLP([2, 3, 1], activation=name, output=name))
    assert [type(layer) for layer in layers if not isinstance(layer, nn.Linear)] == (
        [] if name == "identity" else [ACTIVATIONS[name]] * 2
    )


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"sizes": [3]}, ValueError, r"at least an input and an output size, as in \[2, 4, 1\], not \[3\]"),
        ({"sizes": []}, ValueError, "at least an input and an output size"),
        ({"sizes": 3}, TypeError, r"sizes must be a list such as \[2, 4, 1\], not 3"),
        ({"sizes": [2, 0, 1]}, ValueError, "each of sizes must be at least 1, not 0"),
        ({"sizes": [2, 1.5]}, TypeError, "each of sizes must be a whole number, not 1.5"),
        ({"activation": "rely"}, ValueError, "unknown activation 'rely': known are 'identity', 'log_softmax', 'relu'"),
        ({"output": np.tanh}, ValueError, "unknown activation .*known are 'identity'"),
        ({"activation": ["relu"]}, ValueError, r"unknown activation \['relu'\]"),
        ({"rng": "seed"}, TypeError, "rng must be"),
    ],
)
def test_mlp_refuses_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        nn.MLP(**{"sizes": [2, 4, 1]} | arguments)
