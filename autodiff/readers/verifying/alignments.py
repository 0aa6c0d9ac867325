"""The runs of one loop, dealt out to those of another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

ROTATED = 9  # values that one line makes for a sample


def alignments(items: Sequence[Any], n: int) -> Iterator[tuple[Any, ...]]:
    """Ways to deal out the values of one loop to the n runs of another: in its order or backwards, one or two left out.

    Loops may stand in an outer loop, over samples, say: then block by block.
    """
    if not n or len(items) < n:
        return
    for blocks in (d for d in range(1, n + 1) if n % d == 0 == len(items) % d):
        size, wanted = len(items) // blocks, n // blocks
        extra = size - wanted
        if extra > 2 and (blocks == 1 or wanted > 1):
            continue
        for start in range(size) if wanted == 1 else sorted({0, extra}):
            parts = [items[b * size + start : b * size + start + wanted] for b in range(blocks)]
            orders = [parts, [part[::-1] for part in parts], [part[::-1] for part in parts[::-1]]]
            if size == wanted:  # two loops, the one inside the other, the other way round
                if size < ROTATED:  # layer by layer backwards, forwards within each
                    orders += [[[*part[k:], *part[:k]] for part in parts] for k in range(1, size)]
                rows = (d for d in range(2, size) if size % d == 0)
                orders += [
                    [tuple(part[j] for i in range(d) for j in range(i, size, d)) for part in parts] for d in rows
                ]
            for order in orders:
                yield tuple(item for part in order for item in part)
                if n == 1:
                    break
