"""Tests of the tests: each row of the table is broken in turn, in every way that its text allows, and has to be caught.

A mistake is planted by editing the text of a derivative: another sign, a factor, a dropped term or exponent, a call
left out, arguments of a call exchanged, a keyword dropped, a transpose, x for y, a comparison turned round, a wrong
number, a wrong value at a kink, a float64 among float32. Beyond the text: a wrong value of the function, a derivative
where there is none, and un-broadcasting left out in the engine.
"""

import ast
import copy

import numpy as np
import pytest
from hypothesis import settings

import autodiff as ad
from autodiff import derivative
from autodiff.expressions import METADATA, SYMBOLS
from autodiff.primitive import TABLE
from autodiff.record import RECORDERS
from autodiff.rules import shape

from .rules.arguments import calls, examples
from .rules.gradcheck import check_row

FUNCTIONS = [function for function, row in TABLE.items() if not row.foreign]
BROADCASTING = [f for f in FUNCTIONS if sum(map(bool, TABLE[f].derivatives)) > 1] + [np.broadcast_to, np.copysign]
COUNT = min(settings().max_examples * 4 // 5, 400)

# Edits that change nothing, and why.
FLOAT64_ALREADY = "the result is float64 in any case, and the engine casts to the dtype of x"
EMPTY = "counts to 0 only where the result, too, is empty (or where NumPy warns of the mean of nothing)"
AT_ZERO = "0 / 1 is 0 / 2"
NO_FLOATS = "its arguments are not floating: nobody asks for a derivative"

EQUIVALENT = {
    np.float_power: {
        "x: np.float64(1) * (y * x ** less_one(y))": FLOAT64_ALREADY,
        "y: np.float64(1) * (out * log_or_zero(x))": FLOAT64_ALREADY,
    },
    shape.cast: {"x: np.float64(1) * (g)": FLOAT64_ALREADY},
    np.mean: {
        "x: spread(g / count(x.shape, axis), x.shape, axis, keepdims)": EMPTY,
        "x: spread(g / max(1, count(x.shape, axis)), x.shape, axis, keepdims)": "max is symmetric",
    },
    np.hypot: {"x: x / np.where(out == 0, 2, out)": AT_ZERO, "y: y / np.where(out == 0, 2, out)": AT_ZERO},
    np.arcsinh: {"x: 1 / np.hypot(1, x)": "hypot is symmetric"},
    np.ravel: {"x: g.T.reshape(x.shape, order=order)": "g has one dimension"},
    np.swapaxes: {"x: np.swapaxes(g, axis2, axis1)": "swapaxes is symmetric"},
    np.stack: {"x: np.moveaxis(g, axis, 0)": "an array is a list of its rows"},
    np.bitwise_and: {"derivative": NO_FLOATS},
    np.bitwise_or: {"derivative": NO_FLOATS},
    np.bitwise_xor: {"derivative": NO_FLOATS},
    np.invert: {"derivative": NO_FLOATS},
}


# --- mistakes ---------------------------------------------------------------------------------------------------------


def mistakes(function):
    """Pairs of what is wrong and the wrong row."""
    row = TABLE[function]
    yield (
        "value",
        changed(row, function=near(function), method=False, forward=None, formula=row.formula._replace(operator=None)),
    )
    if not any(row.derivatives):
        yield "derivative", changed(row, kind="special", derivatives=("np.ones(x.shape)",))
    for position, text in enumerate(row.derivatives):
        if text is not None:
            for wrong in dict.fromkeys(wrong for wrong in wrong_texts(row, position) if wrong != text):
                derivatives = (*row.derivatives[:position], wrong, *row.derivatives[position + 1 :])
                yield f"{row.formula.arrays[position]}: {wrong}", changed(row, derivatives=derivatives)


def changed(row, **attributes):
    row = copy.copy(row)
    vars(row).update(attributes)
    return row


def near(function):
    """The function, its value wrong by as little as possible."""

    def wrong(*arguments, **keywords):
        value = np.asarray(function(*arguments, **keywords))
        return ~value if value.dtype.kind in "iub" else np.nextafter(value, np.inf)

    return wrong


def wrong_texts(row, position):
    """The derivative's text with one mistake."""
    text = row.derivatives[position]
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


def wrong_parts(part, row, holder):
    """What to write in the place of a part of an expression."""
    match part:
        case ast.BinOp(left=left, right=right):
            yield from (left, right)
        case ast.UnaryOp(operand=operand):
            yield operand
        case ast.Call(func=called, args=arguments, keywords=keywords):
            yield called.value if is_method(called) else arguments[0]
            for i in range(len(keywords)):
                yield ast.Call(called, arguments, [*keywords[:i], *keywords[i + 1 :]])
            for i in range(len(arguments) - 1):
                yield ast.Call(called, [*arguments[:i], arguments[i + 1], arguments[i], *arguments[i + 2 :]], keywords)
        case ast.Compare(left=left, ops=[operator], comparators=right):
            opposite = {
                ast.Gt: ast.Lt, ast.Lt: ast.Gt, ast.GtE: ast.LtE, ast.LtE: ast.GtE, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq
            }[type(operator)]  # fmt: skip
            yield ast.Compare(left, [opposite()], right)
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
    rows, recorders = dict(TABLE), dict(RECORDERS)

    def put_in_place(function, row):
        TABLE[function] = row
        RECORDERS.pop(function, None)

    yield put_in_place
    for kept, at_first in ((TABLE, rows), (RECORDERS, recorders)):
        kept.clear()
        kept.update(at_first)


def name_of(function):
    return TABLE[function].name


def passes(function, drawn):
    try:
        check_row(function, drawn)
    except Exception:  # a derivative that cannot even be computed is caught, too
        return False
    return True


@pytest.mark.parametrize("function", FUNCTIONS, ids=name_of)
def test_each_mistake_is_caught(function, plant):
    drawn = examples(function, COUNT)
    check_row(function, drawn)
    unseen = set()
    for name, row in mistakes(function):
        plant(function, row)
        if passes(function, drawn):
            unseen.add(name)
    assert unseen == set(EQUIVALENT.get(function, {}))


@pytest.mark.parametrize("function", BROADCASTING, ids=name_of)
def test_missing_unbroadcasting_is_caught(function, monkeypatch):
    monkeypatch.setattr(derivative, "unbroadcast", lambda gradient, shape: gradient)
    assert not passes(function, examples(function, COUNT))


def test_a_row_whose_arguments_nobody_knows_fails(plant):
    plant(np.median, changed(TABLE[np.sum], function=np.median))
    with pytest.raises(NotImplementedError, match="add an entry to ARGUMENTS"):
        calls(np.median)
