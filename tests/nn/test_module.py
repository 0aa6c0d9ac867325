"""Modules: how parameters and parts are found, named, saved and shown."""

import copy
import pickle

import numpy as np
import pytest

import autodiff as ad
import nn


class Block(nn.Module):
    """A parameter, a part and a setting."""

    def __init__(self, rng=0):
        self.scale = nn.Parameter(2.0)
        self.inner = nn.Linear(3, 2, rng=rng)
        self.power = 2

    def forward(self, x):
        return self.scale * self.inner(x) ** self.power


def names(module):
    return [name for name, _ in module.named_parameters()]


# --- registration -----------------------------------------------------------------------------------------------------


def test_attributes_register_themselves_without_a_call_of_init():
    assert names(Block()) == ["scale", "inner.weight", "inner.bias"]


def test_a_setting_a_tensor_and_a_list_register_nothing():
    block = Block()
    block.note, block.tensor, block.parts = "text", ad.Tensor(1.0), [nn.Linear(1, 1), nn.Parameter(1.0)]
    assert names(block) == ["scale", "inner.weight", "inner.bias"]


def test_a_replaced_part_is_the_one_that_counts():
    block = Block()
    block.inner = nn.Linear(3, 4, bias=False)
    assert names(block) == ["scale", "inner.weight"]
    assert dict(block.named_parameters())["inner.weight"].shape == (3, 4)
    del block.inner
    assert names(block) == ["scale"]


def test_a_parameter_may_become_none_or_another_parameter():
    block = Block()
    block.scale = nn.Parameter(3.0)
    assert next(block.parameters()).item() == 3.0
    block.scale = None
    assert names(block) == ["inner.weight", "inner.bias"]


@pytest.mark.parametrize("value", [np.ones(()), 3.0, ad.Tensor(1.0)], ids=["array", "number", "tensor"])
def test_what_would_not_be_trained_cannot_take_a_parameters_place(value):
    block = Block()
    with pytest.raises(TypeError, match=r"scale is a Parameter.*write module\.scale\.data = array"):
        block.scale = value
    assert isinstance(block.scale, nn.Parameter)


def test_an_update_in_place_keeps_the_parameter():
    layer = nn.Linear(2, 2, rng=0)
    before, parameter = layer.weight.numpy().copy(), layer.weight
    with ad.no_grad():
        layer.weight -= 1.0
    assert layer.weight is parameter
    np.testing.assert_array_equal(layer.weight.numpy(), before - 1)


def test_a_shared_parameter_and_a_shared_module_come_once():
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    second.weight = first.weight
    activation = nn.Tanh()
    model = nn.Sequential(first, activation, second, activation)
    assert names(model) == ["0.weight", "0.bias", "2.bias"]
    assert [name for name, _ in model.named_modules()] == ["", "0", "1", "2"]
    assert len(list(model.parameters())) == 3


def test_modules_come_outer_before_inner():
    inner = nn.Sequential(nn.ReLU(), Block())
    model = nn.Sequential(inner, nn.Tanh())
    assert [path for path, _ in model.named_modules()] == ["", "0", "0.0", "0.1", "0.1.inner", "1"]
    assert list(model.modules())[:3] == [model, inner, inner[0]]


def test_a_module_that_refers_to_its_owner_is_walked_once():
    block = Block()
    block.inner.owner = block
    assert names(block) == ["scale", "inner.weight", "inner.bias"]
    assert "owner: Block  as above" in repr(block).replace("      ", " ")


# --- names ------------------------------------------------------------------------------------------------------------


def test_parameters_are_named_by_their_place():
    block = Block()
    assert [p.name for p in block.parameters()] == ["scale", "inner.weight", "inner.bias"]
    model = nn.Sequential(nn.Tanh(), block)
    assert [p.name for p in model.parameters()] == ["1.scale", "1.inner.weight", "1.inner.bias"]


def test_a_name_of_its_own_stays():
    layer = nn.Linear(2, 2)
    layer.weight = nn.Parameter(np.ones((2, 2)), name="A")
    model = nn.Sequential(layer)
    assert layer.weight.name == "A"
    assert names(model) == ["0.weight", "0.bias"]
    assert layer.bias.name == "0.bias"


def test_errors_say_the_names():
    model = nn.MLP([4, 3], rng=0)
    with pytest.raises(ad.errors.ShapeError, match=r"X \(3, 2\) and W1 \(4, 3\): inner sizes 2 and 4 differ"):
        model(ad.constant(np.ones((3, 2)), "X"))


# --- modes and gradients ----------------------------------------------------------------------------------------------


def test_train_and_eval_reach_every_part_and_return_the_module():
    model = nn.Sequential(nn.Sequential(nn.ReLU()), Block())
    assert all(module.training for module in model.modules())
    assert model.eval() is model
    assert not any(module.training for module in model.modules())
    assert model.train() is model
    assert all(module.training for module in model.modules())


def test_zero_grad_forgets():
    block = Block()
    block(np.ones((1, 3))).sum().backward()
    assert all(p.grad is not None for p in block.parameters())
    block.zero_grad()
    assert all(p.grad is None for p in block.parameters())


def test_forward_takes_what_it_declares_and_must_exist():
    class Affine(nn.Module):
        def forward(self, x, y, *, shift=0.0):
            return x + y + shift

    assert Affine()(1.0, 2.0, shift=3.0) == 6.0
    with pytest.raises(NotImplementedError, match="Module defines no forward"):
        nn.Module()(1.0)


# --- state ------------------------------------------------------------------------------------------------------------


def test_state_dict_holds_copies():
    block = Block()
    state = block.state_dict()
    assert all(type(array) is np.ndarray for array in state.values())
    state["inner.weight"][:] = 0.0
    assert np.all(block.inner.weight.numpy() != 0)
    with ad.no_grad():
        block.inner.weight += 1.0
    assert np.all(state["inner.weight"] == 0)


def test_state_makes_the_round_trip():
    one, other = Block(rng=1), Block(rng=2)
    other.load_state_dict(one.state_dict())
    x = np.linspace(-1, 1, 12).reshape(4, 3)
    np.testing.assert_array_equal(one(x).numpy(), other(x).numpy())
    assert other.inner.weight is dict(other.named_parameters())["inner.weight"]


def test_the_loaded_arrays_are_not_shared():
    block = Block()
    state = block.state_dict()
    block.load_state_dict(state)
    state["inner.weight"][:] = 7.0
    assert np.all(block.inner.weight.numpy() != 7.0)


def test_loading_keeps_the_dtype():
    layer = nn.Linear(2, 2, dtype=np.float32)
    layer.load_state_dict({"weight": np.arange(4).reshape(2, 2), "bias": np.ones(2)})
    assert layer.weight.dtype == layer.bias.dtype == np.float32
    np.testing.assert_array_equal(layer.weight.numpy(), [[0, 1], [2, 3]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inner.bias": None}, "inner.bias is missing"),
        ({"inner.extra": np.ones(2)}, "inner.extra is unexpected"),
        ({"inner.bias": np.ones(3)}, r"inner.bias is float64 \(3,\), not float64 \(2,\)"),
        ({"inner.weight": np.ones((2, 3))}, r"inner.weight is float64 \(2, 3\), not float64 \(3, 2\)"),
        ({"inner.bias": np.ones((1, 2))}, r"inner.bias is float64 \(1, 2\)"),
        ({"inner.bias": np.ones(2, complex)}, "inner.bias is complex128"),
        ({"inner.bias": np.array(["a", "b"])}, "inner.bias is <U1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_loading_is_strict_and_all_or_nothing(change, message):
    block = Block()
    before = block.state_dict()
    state = {name: array + 1 for name, array in before.items()} | change
    state = {name: array for name, array in state.items() if array is not None}
    with pytest.raises(ValueError, match=message):
        block.load_state_dict(state)
    for name, array in block.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_loading_names_every_problem():
    with pytest.raises(ValueError, match=r"this Linear: bias is missing; b is unexpected; weight is float64 \(1,\)"):
        nn.Linear(2, 2).load_state_dict({"weight": np.ones(1), "b": np.ones(2)})


def pickled(model):
    return pickle.loads(pickle.dumps(model))


@pytest.mark.parametrize("clone", [copy.deepcopy, pickled])
def test_a_clone_is_equal_and_independent(clone):
    model = nn.MLP([3, 4, 2], rng=0)
    twin = clone(model)
    assert [p.name for p in twin.parameters()] == ["W1", "b1", "W2", "b2"]
    assert all(isinstance(p, nn.Parameter) for p in twin.parameters())
    with ad.no_grad():
        twin[0].weight += 1.0
    np.testing.assert_array_equal(twin[0].weight.numpy(), model[0].weight.numpy() + 1)


# --- repr -------------------------------------------------------------------------------------------------------------


def test_repr_is_a_tree_with_shapes_and_counts():
    model = nn.Sequential(Block(), nn.Softmax(axis=0), nn.Sequential(nn.Linear(2, 10, bias=False), nn.Tanh()))
    assert repr(model) == "\n".join(
        [
            "Sequential                                      29 parameters",
            "  0: Block            scale ()                   9",
            "    inner: Linear     weight (3, 2), bias (2,)   8",
            "  1: Softmax(axis=0)",
            "  2: Sequential                                 20",
            "    0: Linear         weight (2, 10)            20",
            "    1: Tanh",
        ]
    )


def test_repr_of_single_modules():
    assert repr(nn.ReLU()) == "ReLU"
    assert repr(nn.Linear(2, 3)) == "Linear  weight (2, 3), bias (3,)  9 parameters"


def test_repr_counts_a_shared_module_once():
    layer = nn.Linear(2, 2, bias=False)
    assert repr(nn.Sequential(layer, layer)).splitlines() == [
        "Sequential                  4 parameters",
        "  0: Linear  weight (2, 2)  4",
        "  1: Linear  as above",
    ]
