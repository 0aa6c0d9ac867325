"""A line on the terminal, where a verdict takes longer than a second."""

from __future__ import annotations

import sys
from typing import Any

PATIENCE = 1.0  # seconds in which nothing is shown


class Progress:
    """How often the program has run, and what for; a file, a pipe or a notebook never see it.

    >>> with Progress() as progress:
    ...     progress.phase("at random points")
    ...     progress.tick()
    """

    def __init__(self) -> None:
        self._bar: Any = None
        if sys.stderr is not None and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(desc="verify", unit=" runs", file=sys.stderr, delay=PATIENCE, leave=False)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def phase(self, name: str) -> None:
        """What the next runs are for."""
        if self._bar is not None:
            self._bar.set_description_str(f"verify {name}", refresh=False)

    def tick(self) -> None:
        """The program has run once more."""
        if self._bar is not None:
            self._bar.update()
