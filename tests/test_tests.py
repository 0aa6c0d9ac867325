"""Tests of the tests: each row of the table is broken in turn, in every way that its text allows, and has to be caught.

A mistake is planted by editing the text of a derivative, or the expression that a function is composed of: another
sign, a factor, a dropped term or exponent, a call left out, arguments of a call exchanged, a keyword dropped, a
transpose, x for y, a comparison turned round, a wrong number, a wrong value at a kink, a float64 among float32. Beyond
the text: a wrong value of the function, a derivative where there is none, and un-broadcasting left out in the engine.

Everyday runs plant a few mistakes in each row, always the same; `--exhaustive` plants all.
"""

import ast
import copy
import operator
import random

import numpy as np
import pytest
from hypothesis import settings

import autodiff as ad
from autodiff import derivative
from autodiff.expressions import METADATA, SYMBOLS
from autodiff.primitive import COMPOSED, TABLE, Composed
from autodiff.record import RECORDERS, recorder
from autodiff.rules import engine, shape

from .rules.arguments import calls, examples
from .rules.gradcheck import check_row, mapped

EXHAUSTIVE = settings().max_examples > 1000
FEW = None if EXHAUSTIVE else 6  # mistakes in a row

ROWS = [row for row in TABLE.values() if not row.foreign and row.function not in (engine.part, engine.detached)]
ROWS += [row for row in COMPOSED.values() if isinstance(row.derivatives[0], str)]
BROADCASTING = [row.function for row in TABLE.values() if sum(map(bool, row.derivatives)) > 1 and not row.foreign]
BROADCASTING += [np.broadcast_to, np.copysign]

# Edits that change nothing, and why.
FLOAT64_ALREADY = "the result is float64 in any case, and the engine casts to the dtype of x"
EMPTY = "counts to 0 only where the result, too, is empty (or where NumPy warns of the mean of nothing)"
AT_ENDS = "differs at the ends of the domain and beyond, where test_exactness looks"
FOR_NAN = "differs for nan only"
ADDED = "what is added has no gradient"
TRUTH = "True and False are 1 and 0, and the other way round"
SYMMETRIC = "a convolution is symmetric"
UNKNOWN = "any negative size is the unknown one"
NO_FLOATS = "its arguments are not floating: nobody asks for a derivative"

INTEGER = (np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert)
INTEGER += (np.bitwise_count, np.gcd, np.lcm, np.left_shift, np.right_shift)

EQUIVALENT = {
    np.float_power: {
        "x: np.float64(1) * (power_in_base(x, y, out))": FLOAT64_ALREADY,
        "y: np.float64(1) * (power_in_exponent(x, y, out))": FLOAT64_ALREADY,
    },
    np.fmod: {"y: -((x - out) / y)": "an integer but for rounding"},
    np.cbrt: {
        "x: np.where(x == 0, 1, abs(out)) / abs(x) / 3": AT_ENDS,
        "x: np.where(np.isinf(x), 1, abs(out)) / abs(x) / 3": AT_ENDS,
        "x: np.where((x == 1) | np.isinf(x), 1, abs(out)) / abs(x) / 3": AT_ENDS,
        "x: np.where((x == 0) | np.isinf(x), 2, abs(out)) / abs(x) / 3": "2 / 0 is 1 / 0",
    },
    np.log: {"x: 1 / x": AT_ENDS},
    np.log2: {"x: 1 / LN2 / x": AT_ENDS},
    np.log10: {"x: 1 / LN10 / x": AT_ENDS},
    np.log1p: {"x: 1 / (1 + x)": AT_ENDS},
    np.arctanh: {"x: 1 / ((1 - x) * (1 + x))": AT_ENDS},
    np.clip: {
        "x: dropped(differs(x, out), g)": FOR_NAN,
        "y: taken(differs(x, out) & differs(out, z), g)": FOR_NAN,
        "z: taken(differs(x, out) & np.logical_not(differs(out, z)), g)": FOR_NAN,
        "z: taken(differs(out, x) & np.logical_not(differs(z, out)), g)": FOR_NAN,
    },
    shape.cast: {"x: np.float64(1) * (g)": FLOAT64_ALREADY},
    np.mean: {
        "x: spread(g / count(x.shape, axis), x.shape, axis, keepdims)": EMPTY,
        "x: spread(g / max(1, count(x.shape, axis)), x.shape, axis, keepdims)": "max is symmetric",
    },
    np.arctan2: {
        "x: sine(y, x) / np.hypot(y, x)": "hypot is symmetric",
        "y: -sine(x, y) / np.hypot(y, x)": "hypot is symmetric",
    },
    np.arcsinh: {"x: 1 / (np.cosh(out) if x.dtype.kind == 'c' else np.hypot(1, x))": "hypot is symmetric"},
    np.ravel: {"x: reshape(g.T, x.shape, order)": "g has one dimension"},
    np.swapaxes: {"x: np.swapaxes(g, axis2, axis1)": "swapaxes is symmetric"},
    np.stack: {"x: np.moveaxis(g, axis, 0)": "an array is a list of its rows"},
    np.convolve: dict.fromkeys(
        (
            "x: convolve_pull(g.T, x.shape, y)",
            "x: convolve_pull(g, x.shape, y.T)",
            "y: convolve_pull(g.T, y.shape, x)",
            "y: convolve_pull(g, y.shape, x.T)",
        ),
        "all have one dimension",
    ),
    np.correlate: {
        "np.convolve(np.conj(v)[::-1], a, mode) if len(a) >= len(v) else "
        "np.convolve(a[::-1], np.conj(v), mode)[::-1]": SYMMETRIC,
        "np.convolve(a, np.conj(v)[::-1], mode) if len(a) >= len(v) else "
        "np.convolve(np.conj(v), a[::-1], mode)[::-1]": SYMMETRIC,
    },
    np.polymul: {"np.convolve(trimmed(a2), trimmed(a1))": SYMMETRIC},
    np.polyadd: {"np.polyadd._implementation(joined(a2), joined(a1))": "a sum is symmetric"},
    np.polyint: {
        "integral(p, m, 1.0 if k is None else np.ravel(joined(k)))": ADDED,
        "integral(p, m, 0.0 if k is None else joined(k))": "one number is broadcast, too",
    },
    np.sum: {
        "np.sum(np.where(where, a, 1), axis, dtype, keepdims=keepdims) + (0 if initial is None else initial)": ADDED,
        "np.sum(np.where(where, a, 0), axis, dtype, keepdims=keepdims) + (1 if initial is None else initial)": ADDED,
    },
    np.nansum: {
        "np.sum(np.where(present(a, where), a, 1), axis, dtype, keepdims=keepdims) + "
        "(0 if initial is None else initial)": ADDED,
        "np.sum(np.where(present(a, where), a, 0), axis, dtype, keepdims=keepdims) + "
        "(1 if initial is None else initial)": ADDED,
    },
    np.nancumsum: {"np.cumsum(np.where(np.isnan(a), 1, a), axis, dtype)": ADDED},
    np.tril: {
        "np.where(np.tri(*m.shape[-2:], k=k), m, 0)": TRUTH,
        "np.where(np.tri(*m.shape[-2:], k=k, dtype=bool), m, 1)": ADDED,
    },
    np.triu: {
        "np.where(np.tri(*m.shape[-2:], k=k - 1), 0, m)": TRUTH,
        "np.where(np.tri(*m.shape[-2:], k=k - 1, dtype=bool), 1, m)": ADDED,
    },
    np.bincount: {
        "scatter(array(weights), [x], shape=np.shape(np.bincount(x, None, minlength)), index=(ARRAY,))": "x is an index"
    },
    np.histogramdd: {
        "[np.float64(1) * (part) for part in points_between(sample, bins, range, density, weights)]": FLOAT64_ALREADY
    },
    np.where: {"y: taken(x, g)": TRUTH, "z: dropped(x, g)": TRUTH},
    np.cov: {"covariance(m, y, rowvar, 1 - bias if ddof is None else ddof, fweights, aweights, dtype)": TRUTH},
    np.matrix_transpose: {"np.swapaxes(x, -2, -1)": "swapaxes is symmetric"},
    np.ix_: {
        "tuple((np.reshape(x, (1,) * i + (-2,) + (1,) * (len(args) - i - 1)) for i, x in enumerate(args)))": UNKNOWN
    },
    np.linspace: {
        "(np.moveaxis(between(joined(start), joined(stop), num, endpoint), 0, axis), "
        "step(joined(start), joined(stop), num - endpoint))[slice(3) if retstep else 0]": "there are two",
    },
    **{function: {"derivative": NO_FLOATS} for function in INTEGER},
}


# --- mistakes ---------------------------------------------------------------------------------------------------------


def mistakes(row):
    """Pairs of what is wrong and the wrong row."""
    if isinstance(row, Composed):
        for wrong in wrong_texts(row, 0):
            yield wrong, changed(row, derivatives=(wrong,))
        return
    yield (
        "value",
        changed(row, function=near(row.call), method=False, forward=None, formula=row.formula._replace(operator=None)),
    )
    if not any(row.derivatives):
        yield "derivative", changed(row, kind="special", derivatives=("np.ones(x.shape)",))
    for position, text in enumerate(row.derivatives):
        if isinstance(text, str):
            for wrong in wrong_texts(row, position):
                derivatives = (*row.derivatives[:position], wrong, *row.derivatives[position + 1 :])
                yield f"{row.formula.arrays[position]}: {wrong}", changed(row, derivatives=derivatives)


def changed(row, **attributes):
    row = copy.copy(row)
    vars(row).update(attributes)
    vars(row).pop("composition", None)  # it is made of the derivatives
    return row


def near(function):
    """The function, its value wrong by as little as possible."""

    def wrong(*arguments, **keywords):
        return mapped(function(*arguments, **keywords), move)

    def move(x):
        value = np.asarray(x)
        if value.dtype.kind == "c":
            return np.nextafter(value.real, np.inf) + 1j * value.imag
        return ~value if value.dtype.kind in "iub" else np.nextafter(value, np.inf)

    return wrong


def wrong_texts(row, position):
    """The texts that differ from the right one by one mistake."""
    text = row.derivatives[position]
    return [wrong for wrong in dict.fromkeys(edits(row, position, text)) if wrong != text]


def edits(row, position, text):
    tree = ast.parse(text, mode="eval")
    each = "[{} for part in {}]" if row.formula.arrays[position] == row.formula.starred else "{}"
    for wrong in ("-({})", "2 * ({})", "np.float64(1) * ({})"):
        yield each.format(wrong.format("part"), text) if "part" in each else wrong.format(text)
    for holder in list(ast.walk(tree)):
        for name, value in ast.iter_fields(holder):
            for place, part in enumerate(value) if isinstance(value, list) else [(None, value)]:
                for wrong in wrong_parts(part, row, holder):
                    put(holder, name, place, wrong)
                    yield ast.unparse(tree)
                    put(holder, name, place, part)
    if row.kinks:
        yield f"np.where({at_kinks(row)}, {'7' if row.kind == 'elementwise' else '7 * g'}, {text})"
    others = [symbol for symbol in row.formula.arrays if symbol != row.formula.arrays[position]]
    if len(others) == 1:
        yield exchanged(text, row.formula.arrays[position], others[0])


def put(holder, name, place, part):
    if place is None:
        setattr(holder, name, part)
    else:
        getattr(holder, name)[place] = part


OPPOSITE = {
    ast.Gt: ast.Lt, ast.Lt: ast.Gt, ast.GtE: ast.LtE, ast.LtE: ast.GtE, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


def wrong_parts(part, row, holder):
    """What to write in the place of a part of an expression."""
    match part:
        case ast.BinOp(left=left, right=right):
            yield from (left, right)
        case ast.UnaryOp(operand=operand):
            yield operand
        case ast.Call(func=called, args=arguments, keywords=keywords):
            if arguments or is_method(called):
                yield called.value if is_method(called) else arguments[0]
            for i in range(len(keywords)):
                yield ast.Call(called, arguments, [*keywords[:i], *keywords[i + 1 :]])
            for i in range(len(arguments) - 1):
                yield ast.Call(called, [*arguments[:i], arguments[i + 1], arguments[i], *arguments[i + 2 :]], keywords)
        case ast.Compare(left=left, ops=[comparison], comparators=right):
            yield ast.Compare(left, [OPPOSITE[type(comparison)]()], right)
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            yield ast.Constant(number + 1)
        case ast.Name(id=name) if row.kind == "linear" and name in ("g", *SYMBOLS):
            if not (isinstance(holder, ast.Attribute) and holder.attr in METADATA):
                yield ast.Attribute(part, "T")


def is_method(called):
    """Whether this is `g.reshape`, and not `np.reshape`."""
    return isinstance(called, ast.Attribute) and ast.unparse(called.value) != "np"


def at_kinks(row):
    """The condition that the arguments stand at one of the row's kinks."""
    conditions = []
    for point in row.kinks:
        numbers = zip(row.formula.arrays, (np.ravel(number)[0] for number in point), strict=True)
        conditions.append("(" + " & ".join(f"({x} == {number})" for x, number in numbers) + ")")
    return " | ".join(conditions)


def exchanged(text, x, y):
    """x for y and y for x."""
    tree = ast.parse(text, mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = {x: y, y: x}.get(node.id, node.id)
    return ast.unparse(tree)


# --- and that they are caught -----------------------------------------------------------------------------------------


@pytest.fixture
def plant():
    """Puts a row into the table in the place of another, for the time of a test."""
    for name in dir(ad.Tensor):  # operators and methods are made of rows when they are first used: of sound rows
        getattr(ad.Tensor, name)
    sound = {(isinstance(row, Composed), row.function): row for row in (*TABLE.values(), *COMPOSED.values())}
    planted = set()

    def put_in_place(function, row):
        planted.add((isinstance(row, Composed), function))
        if isinstance(row, Composed):
            COMPOSED[function] = row
            return
        TABLE[function] = row
        RECORDERS.pop(function, None)
        record = recorder(function, ad.Tensor)
        if hasattr(function, "shorten"):  # one of our own keeps its recorder
            function.shorten(ad.Tensor, record)
        if function is operator.pow:  # Python asks the Tensor
            ad.Tensor.__pow__, ad.Tensor.__rpow__ = record, lambda self, other: record(other, self)

    yield put_in_place
    for key in planted:
        put_in_place(key[1], sound[key])


def name_of(row):
    return getattr(row, "name", None) or TABLE[row].name


def passes(function):
    """Whether nothing is found wrong: in the largest calls first, then in many more."""
    try:
        check_row(function, examples(function)[::-1])
        check_row(function, [] if EXHAUSTIVE else examples(function, 400))
    except Exception:  # a derivative that cannot even be computed is caught, too
        return False
    return True


def some(items):
    """All of them, or always the same few."""
    return items if FEW is None or len(items) <= FEW else random.Random(0).sample(items, FEW)


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_each_mistake_is_caught(row, plant):
    check_row(row.function, examples(row.function)[:6])
    equivalent = EQUIVALENT.get(row.function, {}).keys()
    for name, wrong in some([(name, wrong) for name, wrong in mistakes(row) if name not in equivalent]):
        plant(row.function, wrong)
        assert not passes(row.function), name


@pytest.mark.parametrize("function", EQUIVALENT, ids=lambda function: function.__name__)
def test_what_changes_nothing_is_an_edit(function):
    made = {name for row in ROWS if row.function is function for name, _ in mistakes(row)}
    assert made >= EQUIVALENT[function].keys()


@pytest.mark.exhaustive
@pytest.mark.parametrize("row", [row for row in ROWS if row.function in EQUIVALENT], ids=name_of)
def test_edits_that_change_nothing(row, plant):
    for name, same in mistakes(row):
        if name in EQUIVALENT[row.function]:
            plant(row.function, same)
            assert passes(row.function), name


@pytest.mark.parametrize("function", BROADCASTING, ids=name_of)
def test_missing_unbroadcasting_is_caught(function, monkeypatch):
    monkeypatch.setattr(derivative, "unbroadcast", lambda gradient, shape: gradient)
    assert not passes(function)


def test_a_row_whose_arguments_nobody_knows_fails():
    with pytest.raises(NotImplementedError, match="add an entry to ARGUMENTS"):
        calls(np.base_repr)
