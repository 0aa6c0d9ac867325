"""`show_config`: what arithmetic runs on here, which optional parts there are, and what slows it down."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import numpy as np

OPTIONAL = {
    "numba": 'machine code, compile(backend="numba"): pip install "autodiff[fast]"',
    "scipy": 'BLAS for machine code: pip install "autodiff[fast]"',
    "threadpoolctl": "BLAS and its threads, here: pip install threadpoolctl",
    "matplotlib": "plots: pip install matplotlib",
    "graphviz": "pictures of graphs: pip install graphviz",
    "safetensors": "saved models: pip install safetensors",
}
OLD_KERNELS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MKL_DEBUG_CPU_TYPE", "MKL_ENABLE_INSTRUCTIONS")


@dataclass(frozen=True)
class Config:
    """What `show_config` found: sections of names and values, and advice. Prints as text."""

    sections: dict[str, dict[str, str]]
    advice: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        width = max((len(name) for section in self.sections.values() for name in section), default=0)
        lines: list[str] = []
        for title, section in self.sections.items():
            lines += [title, *(f"    {name:{width}}  {value}" for name, value in section.items())]
        lines += ["advice", *(f"    {text}" for text in self.advice or ["none: nothing here is known to be slow"])]
        return "\n".join(lines)

    __repr__ = __str__


def show_config() -> Config:
    """Versions, BLAS with its kernels and threads, SIMD, and the optional parts; with advice where something is slow.

    >>> print(show_config())  # doctest: +ELLIPSIS
    versions
        autodiff ...
    """
    pools = [*_pools()]
    versions = {"autodiff": _version("autodiff") or "a checkout", "numpy": np.__version__}
    versions |= {"Python": platform.python_version(), "platform": platform.platform()}
    blas = {f"{pool['prefix']} of {pool['owner']}": _described(pool) for pool in pools}
    known: Any = np.show_config(mode="dicts")
    blas = blas or {"NumPy's": f"{known['Build Dependencies']['blas']['name']} (threadpoolctl tells more)"}
    simd = known.get("SIMD Extensions", {})
    hardware = {"processors": str(os.cpu_count()), "SIMD": ", ".join(simd.get("found", simd.get("baseline", [])))}
    optional = {name: version if (version := _version(name)) else f"missing: {use}" for name, use in OPTIONAL.items()}
    sections = {"versions": versions, "hardware": hardware, "BLAS": blas, "optional parts": optional}
    return Config(sections, [*_advice(pools)])


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _pools() -> Iterator[dict[str, Any]]:
    """The BLAS libraries that are loaded, each with who brought it."""
    try:
        from threadpoolctl import threadpool_info  # type: ignore[import-untyped]
    except ImportError:
        return
    for pool in threadpool_info():
        if pool.get("user_api") == "blas":
            owner = next((part for part in ("numpy", "scipy") if part in pool["filepath"]), "the system")
            yield {**pool, "owner": owner}


def _described(pool: dict[str, Any]) -> str:
    kernel = f", kernels for {pool['architecture']}" if pool.get("architecture") else ""
    return f"{pool['internal_api']} {pool['version']}{kernel}, {pool['num_threads']} threads"


def _advice(pools: list[dict[str, Any]]) -> Iterator[str]:
    for name in OLD_KERNELS:
        if name in os.environ:
            yield f"{name}={os.environ[name]} chooses the kernels of BLAS by hand, often older ones: unset {name}"
    threads = max((pool["num_threads"] for pool in pools), default=1)
    if threads > 1:
        yield (
            f"BLAS takes {threads} threads, which wait for each other in small products: for networks of a few hundred "
            "units a layer set OPENBLAS_NUM_THREADS=1 (before Python starts)"
        )
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads > processors:
        yield f"BLAS takes {threads} threads on {processors} processors: set OPENBLAS_NUM_THREADS={processors}"
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > processors:
        yield f"other programs keep the {processors} processors busy (load {os.getloadavg()[0]:.1f}): measure later"
    if not _version("numba"):
        yield 'numba is missing, which makes compiled steps faster: pip install "autodiff[fast]"'
