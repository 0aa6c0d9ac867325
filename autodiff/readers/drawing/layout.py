"""Graphviz, wherever it is installed: the system's `dot`, else the `graphviz-pure` wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator

from ...errors import MissingProgramError

REMEDY = "pip install graphviz-pure, or install Graphviz (https://graphviz.org/download)"


def rendered(dot: str, kind: str) -> bytes:
    """What Graphviz makes of a DOT: "svg", "png", "pdf".

    Errors: `MissingProgramError` where no Graphviz is installed that can make it.
    """
    problems: list[str] = []
    for command in commands():
        size = ["-Gdpi=144"] if kind == "png" else []
        drawn = dot.replace("⊙", "∙") if kind == "png" and "pure" in command[0] else dot  # which its fonts have
        done = subprocess.run([*command, f"-T{kind}", *size], input=drawn.encode(), capture_output=True, check=False)
        if done.returncode == 0 and done.stdout:
            return done.stdout
        problems.append(f"{command[0]}: {done.stderr.decode(errors='replace').strip()[:300]}")
    if kind == "pdf" and all("graphviz-pure" in problem for problem in problems):
        raise MissingProgramError("a pdf needs the system's Graphviz (https://graphviz.org/download); svg needs none")
    said = f"Graphviz could not make the {kind}: {'; '.join(problems)}" if problems else "a picture needs Graphviz"
    raise MissingProgramError(f"{said}: {REMEDY}; the text view (.txt, print) and the DOT (.dot) need none")


def commands() -> Iterator[list[str]]:
    """What to try, in this order."""
    if found := shutil.which("dot"):
        yield [found, "-q"]
    places = [os.path.dirname(sys.executable), sysconfig.get_path("scripts"), os.environ.get("PATH", "")]
    if found := shutil.which("graphviz-pure", path=os.pathsep.join(places)):
        yield [found, "-q"]
