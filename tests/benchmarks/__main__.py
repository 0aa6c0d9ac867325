"""The command line: `python -m tests.benchmarks --help`."""

import argparse
import sys

from tests.benchmarks import sections
from tests.benchmarks.contestants import CONTESTANTS
from tests.benchmarks.workloads import WORKLOADS, Workload

EPILOG = "Without workloads and sections: everything. The exit status is 1 where a goal is not met or weights differ."


def main() -> bool:
    """Whether all goals are met."""
    options = arguments()
    contestants = [name for name in CONTESTANTS if name in options.contestants and CONTESTANTS[name].installed]
    sections.print_machine()
    for name in options.contestants:
        if name not in contestants:
            print(f"skipped: {CONTESTANTS[name].label}; to include it: pip install {CONTESTANTS[name].install}")

    scores, clock = sections.Scores(), "cpu" if options.cpu else "wall"
    if options.workloads:
        plain = [name for name in contestants if not name.startswith("real")]
        sections.steps(scores, plain, options.workloads, options.rounds, clock)
    if options.real:
        sections.real(scores, contestants, options.rounds, clock)
    if options.memory:
        sections.memory(scores, contestants)
    if options.chain:
        sections.chain(scores, contestants)
    if options.startup:
        sections.startup(scores)
    print(f"\n{sum(scores)} of {len(scores)} met")
    return all(scores)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", epilog=EPILOG)
    parser.add_argument("workloads", nargs="*", type=workload, help=f"time training steps: {', '.join(WORKLOADS)}")
    parser.add_argument("--rounds", type=int, default=25, help="timed rounds of each contestant (default: %(default)s)")
    parser.add_argument(
        "--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS), metavar="NAME",
        help=f"only these: {', '.join(CONTESTANTS)}",
    )  # fmt: skip
    parser.add_argument("--cpu", action="store_true", help="time steps by the processor's clock: on a busy machine")
    parser.add_argument(
        "--real", action="store_true", help="mnist-real: biases, relu, cross-entropy, Adam, minibatches"
    )
    parser.add_argument("--memory", action="store_true", help="peak memory in training a wide network")
    parser.add_argument("--chain", action="store_true", help="memory and time of a long chain of scalar operations")
    parser.add_argument("--import", action="store_true", dest="startup", help="time of import and first backward pass")
    options = parser.parse_args()
    if not (options.workloads or options.real or options.memory or options.chain or options.startup):
        options.workloads = list(WORKLOADS.values())
        options.real = options.memory = options.chain = options.startup = True
    return options


def workload(name: str) -> Workload:
    if name not in WORKLOADS:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(WORKLOADS)}")
    return WORKLOADS[name]


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
