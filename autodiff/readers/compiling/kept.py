"""Where compiled programs are kept on disk, and how: whatever is found there, it is never a wrong program.

Each program is a module, named by its text; numba keeps machine code beside it, for each kind of processor. A file that
is not the one that was written, to the bit, is thrown away. Where nothing can be kept, programs live in memory.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

VARIABLE = "AUTODIFF_CACHE_DIR"  # where compiled programs are kept; by default the user's cache


def directory() -> Path:
    """Where compiled programs are kept: for each kind of machine and version of what compiles a folder."""
    import llvmlite  # type: ignore[import-untyped]
    import numba

    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "autodiff"
    root = Path(os.environ.get(VARIABLE) or default)
    python = f"py{sys.version_info[0]}{sys.version_info[1]}"
    return root / f"{platform.machine()}-{python}-{numba.__version__}-{llvmlite.__version__}"


def needed() -> ModuleType:
    """The module of products, which is there where numba and SciPy are."""
    try:
        from . import matrices
    except ImportError as error:
        if error.name in ("numba", "llvmlite"):
            raise ImportError('backend="numba" needs numba and SciPy: pip install "autodiff[fast]"') from error
        raise
    return matrices


@functools.cache
def load(text: str) -> ModuleType:
    """The module of a program, from where it is kept; in memory only where that cannot be."""
    needed()
    parts = [text, *(Path(__file__).with_name(name).read_text() for name in ("native.py", "matrices.py"))]
    digest = hashlib.sha256("".join(parts).encode()).hexdigest()[:24]
    try:
        folder = directory()
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"step_{digest}.py"
        _write(file, text, _link)
        for kept in _kept(file):
            if _seals(file).get(kept.name) != _digest(kept):
                kept.unlink(missing_ok=True)
        return _imported(file)
    except (OSError, RuntimeError):  # no folder, or none to write to, as numba says it
        return in_memory(text)


def in_memory(text: str) -> ModuleType:
    """The module of a program that is not kept."""
    module = ModuleType("autodiff_step")
    exec(compile(text.replace("**OPTIONS", '**OPTIONS | {"cache": False}'), "<autodiff>", "exec"), vars(module))
    return module


def seal(module: ModuleType) -> None:
    """Note what was kept of a module's machine code, so that it is known again."""
    file = _file(module)
    if file is not None and file.exists():
        with contextlib.suppress(OSError):
            _write(file.with_suffix(".json"), json.dumps({kept.name: _digest(kept) for kept in _kept(file)}))


def forget(module: ModuleType) -> None:
    """Remove what was kept of a module's machine code."""
    file = _file(module)
    if file is not None:
        with contextlib.suppress(OSError):
            for kept in _kept(file):
                kept.unlink(missing_ok=True)


def _file(module: ModuleType) -> Path | None:
    name = getattr(module, "__file__", None)
    return Path(name) if name else None


def _kept(file: Path) -> Iterator[Path]:
    """The files in which numba keeps the machine code of a module."""
    return (file.parent / "__pycache__").glob(f"{file.stem}*.nb*")


def _seals(file: Path) -> dict[str, str]:
    try:
        return json.loads(file.with_suffix(".json").read_text())
    except (OSError, ValueError):
        return {}


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:  # another process has removed it
        return ""


def _write(file: Path, text: str, move: Callable[[str, Path], None] = os.replace) -> None:
    """Write a file: complete, or not at all."""
    with contextlib.suppress(OSError, ValueError):
        if file.read_text() == text:
            return
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=file.stem, suffix=".tmp")
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
        move(temporary, file)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def _link(temporary: str, file: Path) -> None:
    """Give a file its name, unless another process does so first: what is kept refers to the file's time."""
    try:
        os.link(temporary, file)
    except OSError:
        if not file.exists() or file.read_text() != Path(temporary).read_text():
            os.replace(temporary, file)


def _imported(file: Path) -> ModuleType:
    """The module in a file; others find it by its name, as numba does."""
    name = f"autodiff_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
