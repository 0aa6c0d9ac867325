"""The sections of the report. Each prints its table and scores its goals."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np

from tests.benchmarks import goals, measurements
from tests.benchmarks.contestants import CONTESTANTS
from tests.benchmarks.worker import PINNED
from tests.benchmarks.workloads import WIDE, Workload


class Scores(list[bool]):
    """Whether each goal is met, and the other checks that must hold."""

    def judge(self, value: float, goal: float) -> str:
        met = value <= goal
        self.append(met)
        return f"{value:.3g} <= {goal:.3g} met" if met else f"{value:.3g} > {goal:.3g} not met"


def print_machine() -> None:
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    libraries = dict.fromkeys(
        entry.package for entry in CONTESTANTS.values() if entry.installed and entry.install != "."
    )
    load = f", load {os.getloadavg()[0]:.1f} before" if hasattr(os, "getloadavg") else ""
    print(f"{_processor()}, {os.cpu_count()} cores{load}, {platform.platform()}")
    print(f"Python {platform.python_version()}, {', '.join(f'{name} {version(name)}' for name in libraries)}", end=", ")
    print(f"NumPy's BLAS {blas['name']} {blas['version']}")
    print(f"One process for each contestant, one thread, alternating; {' and '.join(PINNED)} unset there.")
    print(
        "Each frees a large array first: malloc then keeps memory between steps instead of returning it to the system."
    )


def steps(scores: Scores, contestants: list[str], workloads: list[Workload], rounds: int, clock: str) -> None:
    print(f"\nTraining: microseconds a step, {clock} time (medians of {rounds} rounds), and how far weights end apart")
    print(f"{'':8}" + "".join(f"{name:>12}" for name in contestants))
    races = {}
    for workload in workloads:
        medians, apart = measurements.race(contestants, workload, rounds, clock)
        races[workload.name] = medians
        print(f"{workload.name:8}" + "".join(f"{1e6 * median:12.1f}" for median in medians.values()), end="   ")
        different = [name for name, distance in apart.items() if not distance <= workload.tolerance]
        print(f"DIFFERENT: {', '.join(different)}" if different else f"{max(apart.values()):.0e}", flush=True)
        scores.append(not different)

    print("\nRatios of medians and goals (* where hand-derived NumPy does not meet the goal on this machine either)")
    for rival, limits in goals.EAGER.items():
        if rival in contestants:
            print(f"{'':10}  over {rival}\n{'':12}" + "".join(f"{workload:23}" for workload in races))
        for name in (*goals.SLACK, "by-hand"):
            if {name, rival} <= set(contestants):
                cells = (_ratio(scores, medians, name, rival, limits[workload]) for workload, medians in races.items())
                print(f"{name:12}" + "".join(f"{cell:23}" for cell in cells))
    for (name, rival), limits in goals.COMPILED.items():
        if {name, rival} <= set(contestants):
            print(f"{name} over {rival}")
            pairs = [(w, medians[name] / medians[rival], limits[w]) for w, medians in races.items() if w in limits]
            print("            " + "".join(f"{w}: {scores.judge(ratio, goal):23}" for w, ratio, goal in pairs))


def _ratio(scores: Scores, medians: dict[str, float], name: str, rival: str, goal: float) -> str:
    ratio, floor = (medians.get(each, 0) / medians[rival] for each in (name, "by-hand"))
    if name not in goals.SLACK:
        return f"{ratio:.3g}"
    goal *= goals.SLACK[name]
    return scores.judge(ratio, goal) + "*" * (min(ratio, floor) > goal)


def real(scores: Scores, contestants: list[str], rounds: int, clock: str) -> None:
    print("\nmnist-real: 784-256-10, biases, relu, softmax cross-entropy, Adam, shuffled minibatches of 128")
    names = [name for name in contestants if name.startswith("real")]
    medians, apart = measurements.race_real(names, rounds, clock)
    for name, median in medians.items():
        print(f"{name:14}{1e6 * median:10.1f} microseconds a step, weights {apart[name]:.0e} apart")
    for (name, rival), limit in goals.REAL.items():
        if {name, rival} <= medians.keys():
            print(f"{name} over {rival}: {scores.judge(medians[name] / medians[rival], limit)}")


def memory(scores: Scores, contestants: list[str]) -> None:
    layers, width = len(WIDE.sizes) - 1, WIDE.sizes[0]
    print(f"\nMemory: peak growth over three steps, {layers} layers of {width}, {WIDE.dtype}, batch {WIDE.batch}")
    if not Path("/proc/self/clear_refs").exists():
        print("skipped: only Linux tells a peak within a process")
        return
    peaks = {}
    for name in (*goals.MEMORY_RIVALS.values(), *goals.MEMORY_RIVALS, "numpy", "numba", "by-hand"):
        if name in contestants and name not in peaks:
            peaks[name] = measurements.peak_growth(name)
            print(f"{name:12}{peaks[name] / 1e6:8.1f} MB", flush=True)
    for name, rival in goals.MEMORY_RIVALS.items():
        if {name, rival} <= peaks.keys():
            print(f"{name:12}{scores.judge(peaks[name] / peaks[rival], goals.MEMORY)} (over {rival})")


def chain(scores: Scores, contestants: list[str]) -> None:
    names = [name for name in ("nn", "pytorch") if name in contestants]
    print(f"\nChain: {measurements.CHAIN:,} scalar operations, recorded and differentiated")
    times = measurements.chain_times(names)
    for name, seconds in times.items():
        print(f"{name:12}{1e3 * seconds:8.1f} ms")
    if len(times) == 2:
        print(f"time        {scores.judge(times['nn'] / times['pytorch'], goals.CHAIN_TIME)} (over pytorch)")
    if "nn" in times:
        peak, left = measurements.chain_bytes("nn")
        print(f"memory      {scores.judge(peak, goals.CHAIN_BYTES)} (bytes an operation)")
        print(f"left        {scores.judge(left, goals.CHAIN_LEFT)} (bytes an operation, without the garbage collector)")


def startup(scores: Scores) -> None:
    print("\nImport: `import autodiff` and the first backward pass, in fresh processes, after `import numpy`")
    if not CONTESTANTS["seed-style"].installed:
        print("skipped: no autodiff")
        return
    print(f"milliseconds {scores.judge(1e3 * measurements.import_time(), goals.IMPORT_MS)}")


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()
