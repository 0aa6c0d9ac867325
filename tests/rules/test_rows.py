"""Every row of the table: NumPy's values, the gradients of central differences, second order, float32, kinks.

The rows are the table's own: one that is added is tested, or fails, where `arguments.py` does not know its arguments.
"""

import inspect
import operator
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
from autodiff.expressions import OPERATORS
from autodiff.primitive import ALIASES, COMPOSED, TABLE
from autodiff.rules import engine

from .arguments import calls, examples
from .arguments.common import LAYOUTS
from .gradcheck import assert_same, check_call, check_kinks, cotangent, pulled, read_only

FUNCTIONS = [
    function for function, row in TABLE.items() if not row.foreign and function not in (engine.part, engine.detached)
]


def name_of(function):
    return (TABLE.get(function) or COMPOSED[function]).name


each_row = pytest.mark.parametrize("function", FUNCTIONS, ids=name_of)
each_function = pytest.mark.parametrize("function", dict.fromkeys([*FUNCTIONS, *COMPOSED]), ids=name_of)


@each_function
def test_row(function):
    calls = examples(function)[::3]
    assert any(call.reached for call in calls)
    for call in calls:
        check_call(call)


@pytest.mark.exhaustive
@each_function
@settings(max_examples=settings().max_examples // 10)
@given(data=st.data())
def test_row_at_random(function, data):
    check_call(data.draw(calls(function)))


@each_function
def test_kinks(function):
    check_kinks(function)


newest = pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.4.0", reason="rows have NumPy 2.4's signatures")


@newest
@each_row
def test_each_keyword_is_drawn(function):
    formula = TABLE[function].formula
    drawn = {keyword for call in examples(function) for keyword in call.keywords}
    assert drawn >= formula.keywords.keys() - {"out"}  # which Tensor handles, for all rows alike


@newest
@pytest.mark.parametrize("function", [f for f in FUNCTIONS if TABLE[f].formula.keywords], ids=name_of)
def test_keywords_stand_in_numpys_order_with_numpys_defaults(function):
    formula = TABLE[function].formula
    try:
        parameters = list(inspect.signature(function).parameters.values())[len(formula.arrays) :]
    except ValueError:  # written in C, and NumPy does not tell
        return
    for parameter, (name, default) in zip(parameters, formula.keywords.items(), strict=False):
        assert parameter.name == name
        if parameter.default is parameter.empty:
            assert default is ..., f"{name} has to be given"
        elif default is not ... and parameter.default is not np._NoValue:
            assert default == parameter.default


each_composition = pytest.mark.parametrize(
    "function", [function for function, row in COMPOSED.items() if row.kind == "composed"], ids=name_of
)


def parameters_of(function):
    """By name, without those that are handled for all rows alike; none where NumPy does not tell."""
    try:
        return {name: p for name, p in inspect.signature(function).parameters.items() if name not in ("out", "like")}
    except ValueError:  # written in C
        return {}


# They say where the result lies or what class it has, are for arrays with fields, or go on to a user's function.
OF_NO_NUMBERS = {"subok", "device", "copy", "order", "overwrite_input", "ndmax", "sorted", "kwargs", "kw"}


@newest
@each_composition
def test_each_argument_is_drawn(function):
    drawn = set()
    for call in examples(function) if parameters_of(function) else ():
        drawn |= inspect.signature(function).bind(*call.arguments, **call.keywords).arguments.keys()
    assert drawn >= parameters_of(function).keys() - OF_NO_NUMBERS


@newest
@each_composition
def test_an_expression_has_numpys_signature(function):
    ours, theirs = parameters_of(COMPOSED[function].composition), parameters_of(function)
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in ours.values()):
        theirs = {name: parameter for name, parameter in theirs.items() if name in ours}
    elif theirs:
        assert list(ours) == list(theirs)
    for name, parameter in theirs.items():
        assert parameter.default in (np._NoValue, ours[name].default)


@each_row
def test_every_way_to_call_it_records_the_same(function):
    row = TABLE[function]
    for call in examples(function)[::3]:
        for out in ways(row, call):
            assert not isinstance(out, ad.Tensor) or out._node.primitive is row
            assert_same(out, call.evaluate(), call)


def ways(row, call):
    """By the function, its keywords by name or, in NumPy's order, without; by the operator; by the method."""
    tensors = call.tensors(call.floating)
    if not tensors or not call.keywords.keys() <= row.formula.keywords.keys():
        return
    arguments, keywords = call.filled(tensors)
    symbol, bound = row.formula.operator, isinstance(arguments[0], ad.Tensor)
    leading = [name for name in row.formula.keywords if name != "copy"][: len(keywords)]  # which goes by name only
    yield call.function(*arguments, **keywords)
    positional = [*map(keywords.get, leading)]
    by_place = replace(call, arguments=(*call.arguments, *positional), keywords={})
    if keywords.keys() == set(leading) and by_place.accepted:
        yield call.function(*arguments, *positional)
    if symbol and (bound or symbol[0] not in "<=>!"):  # Python turns 2 < t into t > 2
        yield OPERATORS[symbol](*arguments)
    if row.method and bound:
        name = row.method if isinstance(row.method, str) else row.name
        yield getattr(arguments[0], name)(*arguments[1:], **keywords)


def reshape(x, order):
    return np.reshape(x, (3, 2), order=order)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("order", "AK")
@pytest.mark.parametrize("function", [np.ravel, reshape])
def test_an_order_that_depends_on_memory_is_right_or_refused(function, order, layout):
    x = read_only(LAYOUTS[layout](np.arange(6.0).reshape(2, 3)))
    try:
        expected = function(x, order=order)
        t = ad.Tensor(x)
        out = function(t, order=order)
    except (ValueError, ad.errors.GradientError):
        return
    assert_same(out.numpy(), expected, "value")
    (gradient,) = pulled([out], [t], [expected])
    np.testing.assert_array_equal(gradient, x)


@pytest.mark.parametrize("power", [operator.pow, np.power, np.float_power])
@pytest.mark.parametrize(
    ("x", "y", "first", "second"),
    [(-2, 3, 12, -12), (-2, 2, -4, 2), (0, 2, 0, 2), (0, 1, 1, 0), (0, 0, 0, 0), (-2, -1, -0.25, -0.25)],
)
def test_powers_of_negative_numbers_and_of_zero(power, x, y, first, second):
    t = ad.Tensor(float(x))
    for exponent in (y, float(y), np.array(float(y))):
        gradient = ad.gradients(power(t, exponent), [t], record=True)[0]
        assert gradient.item() == first
        assert pulled([gradient], [t], [np.array(1.0)])[0] == second


def test_the_derivative_of_a_power_of_zero_in_its_exponent_is_zero():
    y = ad.Tensor([1.0, 2.0])
    (gradient,) = ad.gradients(np.power(np.zeros(2), y), [y], gradient=cotangent((2,)))
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize(("x", "expected"), [([2, 0, 3], [0, 6, 0]), ([0, 0, 3], [0, 0, 0]), ([2, 5, 3], [15, 6, 10])])
def test_a_product_with_zeros(x, expected):
    t = ad.Tensor(x)
    np.testing.assert_array_equal(ad.gradients(np.prod(t), [t])[0], expected)


@pytest.mark.parametrize(("extremum", "row"), [(np.max, [3.0, 1, 3, 3]), (np.min, [1.0, 2, 1, 1])])
def test_three_that_tie_share_equally(extremum, row):
    t = ad.Tensor([row, row])
    (gradient,) = ad.gradients(np.sum(extremum(t, axis=1)), [t])
    np.testing.assert_array_equal(gradient, np.equal([row, row], row[0]) / 3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activations_are_stable_where_exp_is_not(dtype):
    """Right in the limit, gradients too, and without a warning (which would be an error here)."""
    x = ad.Tensor(np.array([-1e4, 0, 1e4], dtype))
    one, two = dtype(1), dtype(2)
    close = partial(np.testing.assert_allclose, rtol=4 * np.finfo(dtype).eps)
    limits = {
        ad.sigmoid: ([0, one / two, 1], [0, one / 4, 0]),
        ad.softplus: ([0, np.log(two), 1e4], [0, one / two, 1]),
        ad.relu: ([0, 0, 1e4], [0, 0, 1]),
        ad.logsumexp: (1e4, [0, 0, 1]),
        ad.softmax: ([0, 0, 1], [0, 0, 0]),
        ad.log_softmax: ([-2e4, -1e4, 0], [1, 1, -2]),
    }
    for function, (value, slope) in limits.items():
        out = function(x)
        close(out.numpy(), np.array(value, dtype), err_msg=function.__name__)
        (gradient,) = ad.gradients(np.sum(out), [x])
        assert gradient.dtype == dtype
        close(gradient, slope, err_msg=function.__name__)


@pytest.mark.parametrize(
    ("alias", "function"),
    [pair for pair in ALIASES.items() if pair[1] in TABLE],
    ids=lambda function: function.__name__,
)
def test_an_alias_is_the_function(alias, function):
    x = ad.Tensor([[1.25, -2.5], [0.75, 3.0]])
    keywords = {"axis": 0} if function in (np.max, np.min) else {"decimals": 1}
    assert alias(x, **keywords).numpy().tobytes() == function(x.numpy(), **keywords).tobytes()
    assert alias(x)._node.primitive is TABLE[function]
