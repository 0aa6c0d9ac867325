"""Every row of the table can be drawn, before and after a backward pass; a new one exists in pictures by itself."""

import warnings
from xml.etree import ElementTree

import numpy as np
import pytest

import autodiff as ad
from autodiff.errors import GradientError
from autodiff.primitive import dropped, taken

from ..rules.arguments import BATCH, examples
from ..rules.gradcheck import leaves
from ..rules.test_rows import COMPOSED, FUNCTIONS, name_of

DRAWN = [function for function in dict.fromkeys([*FUNCTIONS, *COMPOSED]) if function not in (taken, dropped)]


def losses(function):
    """Of a few calls, the result as one real number, where it carries gradient."""
    for call in examples(function, BATCH)[::5][:3]:
        tensors = call.tensors(call.differentiable) if call.differentiable else {}
        try:
            results = [x for x in leaves(call.evaluate(call.others(call.differentiable) | tensors)) if is_computed(x)]
        except GradientError:  # where NumPy takes a plain array only
            continue
        yield results, sum((np.sum(np.real(np.conj(x) * x)) for x in results if x.requires_grad), start=0.0)


def is_computed(x):
    return isinstance(x, ad.Tensor) and x.dtype.kind != "O"


@pytest.mark.parametrize("function", DRAWN[::12], ids=name_of)
def test_rows_are_drawn(function):
    check(function)


@pytest.mark.exhaustive
@pytest.mark.parametrize("function", DRAWN, ids=name_of)
def test_every_row_is_drawn(function):
    check(function)


def check(function):
    """Draw calls of a function before and after a backward pass."""
    with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
        for results, loss in losses(function):
            if results:
                assert str(ad.draw(*results))
            if isinstance(loss, ad.Tensor):
                loss.backward()
                drawing = ad.draw(loss)
                text = str(drawing)
                assert "|grad|" in text
                assert text.count("\n") >= len(drawing._picture.cards)
                for arrow in drawing._picture.arrows:
                    source = arrow.source.name
                    assert not arrow.rule or arrow.rule.startswith(f"∂L/∂{source} "), arrow.rule
                well_formed(drawing.source)


def well_formed(dot):
    """Every HTML-like label is XML."""
    for label in dot.split("label=<")[1:]:
        ElementTree.fromstring(f"<a>{label[: closing(label)]}</a>")


def closing(label):
    """Where the bracket that was opened before a text closes."""
    depth = 1
    for place, character in enumerate(label):
        depth += (character == "<") - (character == ">")
        if not depth:
            return place
    raise AssertionError(label)
