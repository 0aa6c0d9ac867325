"""The command line: `python -m tests.derivations --help`."""

import argparse
import sys
from itertools import product

from .planting import cases, networks, several
from .scoring import Outcome, outcome, table

EPILOG = "The misses of the networks that are held out are printed only when they are asked for by --network."


def main() -> bool:
    """Whether every report says what is expected."""
    options = arguments()
    outcomes: list[Outcome] = []
    for case in cases():
        if options.network and case.network.name not in options.network:
            continue
        if options.cause and not set(options.cause) & set(several(case.edit.cause)):
            continue
        points = product(options.seed, (False, True) if options.trained else (False,))
        some = [outcome(case, seed, after_training) for seed, after_training in points]
        outcomes += some
        if options.network or not case.network.held_out:
            for miss in (one for one in some if not one.as_expected):
                print(miss, flush=True)
    print(table(outcomes))
    return all(one.as_expected for one in outcomes)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.derivations", description=__doc__, epilog=EPILOG)
    parser.add_argument("--network", nargs="+", choices=[network.name for network in networks()], metavar="NAME")
    parser.add_argument("--cause", nargs="+", metavar="SLUG", help="only mistakes of these causes")
    parser.add_argument("--seed", nargs="+", type=int, default=[0], help="of the random parameters (default: 0)")
    parser.add_argument("--trained", action="store_true", help="also at parameters after training")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(not main())
