"""Arrays to verify a derivation with, drawn by hypothesis."""

from __future__ import annotations

import math
from collections import namedtuple
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

PRIMES = (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)  # no product of some is another, and none is a factor 2
SPARE = 2  # a letter's size is one of so many more than there are letters
KINDS = ("normal", "positive", "one-hot")


class _Array(NamedTuple):
    """What one array is to be: its sizes, what its entries are, and of how many classes, where they are labels."""

    sizes: tuple[str, ...]
    kind: str
    classes: str


def problem(*, dtype: Any = float, **arrays: Any) -> Any:
    """A hypothesis strategy that draws arrays for a derivation, of sizes that cannot be confused.

    Each array is written as its sizes: `X="N D"`. A letter is the same size everywhere; different letters are different
    primes, so that a transposed matrix, a sum over the wrong axis and a factor 2, N or K show. Sizes may also be fixed
    (`W="D 4"`, or `N=1` beside the arrays) or be given to choose from (`N=range(2, 6)`). After its sizes an array may
    say what it holds: `y="N in K"` are integer labels below K, `y="N K one-hot"` the same in rows of 0 and 1,
    `p="N K positive"` numbers above 0. An array without sizes, `""`, is one number.

    Entries are of either sign, none near 0 and none near another: away from the kinks of abs, relu and max. They come
    from a seed, and do not shrink towards 0: what shrinks are the sizes, to the smallest network that shows a mistake.

    A problem is a named tuple in the order of the arrays, which unpacks into the arguments of a function:

        @given(problem(X="N D", y="N K", W1="D H", W2="H K"))
        def test_backprop(p):
            verify(step, *p, wrt=("W1", "W2")).check()

    >>> from autodiff.testing import problem
    >>> from hypothesis import find
    >>> p = find(problem(X="N D", y="N in K", W="D K", b="K"), lambda p: True)
    >>> p.X.shape, p.W.shape, p.b.shape, p.y.dtype.kind
    ((3, 5), (5, 7), (7,), 'i')
    """
    try:
        from hypothesis import strategies
    except ImportError as error:
        raise ImportError("problem draws with hypothesis: pip install hypothesis") from error
    specified = {name: _parsed(name, text) for name, text in arrays.items() if isinstance(text, str)}
    if not specified:
        raise ValueError('problem: name the arrays and their sizes, as in problem(X="N D", W="D K")')
    choices = _choices(specified, {name: given for name, given in arrays.items() if not isinstance(given, str)})
    kind: Any = namedtuple("Problem", [*specified])  # pyright: ignore[reportUntypedNamedTuple]

    def drawn(draw: Any) -> Any:
        sizes: dict[str, int] = {}
        for letter, candidates in choices.items():
            free = [size for size in candidates if size not in sizes.values()]
            sizes[letter] = draw(strategies.sampled_from(free or candidates))
        rng = np.random.default_rng(draw(strategies.integers(0, 2**32 - 1)))
        return kind(**{name: _made(array, sizes, rng, dtype) for name, array in specified.items()})

    return strategies.composite(drawn)()


def generic(shape: Sequence[int], rng: np.random.Generator, low: float = 0.2, high: float = 1.5) -> Any:
    """Numbers in no order, of sizes from `low` to `high` that are about equally far apart, and of either sign."""
    count = math.prod(shape)
    places = (np.arange(count) + rng.uniform(0.25, 0.75, count)) / max(count, 1)
    return (rng.permutation(low + (high - low) * places) * rng.choice([-1.0, 1.0], count)).reshape(shape)


def _parsed(name: str, text: str) -> _Array:
    words = text.split()
    kind, classes = "normal", ""
    if "in" in words:
        words, rest = words[: words.index("in")], words[words.index("in") + 1 :]
        if len(rest) != 1:
            raise ValueError(f"problem: {name}={text!r}: after `in` comes the number of classes, as in 'N in K'")
        kind, classes = "labels", rest[0]
    elif words and words[-1] in KINDS:
        kind = words.pop()
    for word in filter(None, (*words, classes)):
        if not word.isidentifier() and not word.isdecimal():
            known = "'positive', 'one-hot' or 'in K'"
            raise ValueError(f"problem: {name}={text!r}: {word!r} is no size; after the sizes may come {known}")
    if kind == "one-hot" and not words:
        raise ValueError(f"problem: {name}={text!r}: the last size of a one-hot array is the number of classes")
    return _Array(tuple(words), kind, classes)


def _choices(specified: Mapping[str, _Array], given: Mapping[str, Any]) -> dict[str, Sequence[int]]:
    """What the size of each letter is drawn from: first those that have the least choice."""
    words = [word for array in specified.values() for word in (*array.sizes, array.classes) if word]
    letters = dict.fromkeys(word for word in words if not word.isdecimal())
    if unused := [name for name in given if name not in letters]:
        raise ValueError(f'problem: {", ".join(unused)}: no array has this size (an array is a string, X="N D")')
    primes = [size for size in PRIMES if str(size) not in words][: max(len(letters) + SPARE, 4)]
    if len(letters) > len(primes):
        raise ValueError(f"problem: {len(letters)} different sizes are too many: fix some, as in N=4")
    choices: dict[str, Sequence[int]] = {
        letter: [size] if isinstance(size := given.get(letter, primes), int) else [*size] for letter in letters
    }
    return dict(sorted(choices.items(), key=lambda choice: len(choice[1])))


def _made(array: _Array, sizes: Mapping[str, int], rng: np.random.Generator, dtype: Any) -> Any:
    shape = [sizes[word] if word in sizes else int(word) for word in array.sizes]
    if array.classes:
        return rng.integers(sizes.get(array.classes) or int(array.classes), size=shape)
    if array.kind == "one-hot":
        return np.eye(shape[-1], dtype=dtype)[rng.integers(shape[-1], size=shape[:-1])]
    numbers = generic(shape, rng).astype(dtype)
    return np.abs(numbers) if array.kind == "positive" else numbers
