"""The command line of autodiff: `python -m autodiff verify FILE::FUNCTION`, `python -m autodiff show-config`."""

from __future__ import annotations

import argparse
import importlib.util
import inspect
import io
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from . import show_config, verify
from .errors import AutodiffError

STATUS = {"right": 0, "wrong": 1, "cannot tell": 2}
FAILED = 3  # it did not come to a verdict
VERIFY = """\
Verify a gradient that was derived by hand, in a file:

    python -m autodiff verify grades.py::backprop
    python -m autodiff verify grades.py::Network.cost_function_prime \\
        --loss loss --gradients self.W1=w1_grad self.W2=w2_grad

The file is run, as an import of it would. The function gets as arguments the variables of the file that are named like
its parameters; a parameter with a default keeps that. A method is called on the object of its class that a variable of
the file holds, else on a new one, made in the same way. The function returns (loss, gradients); where it does not,
--loss and --gradients name the variables in it that hold them."""
EXIT = "exit status: 0 right, 1 wrong, 2 cannot tell, 3 no verdict, because of an error"


class Refused(Exception):
    """What the command line asks for cannot be done."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are not taken for the verdict `cannot tell`, which is status 2."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(FAILED, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says, and return the exit status."""
    options = parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without ✓ is no reason to fail
    try:
        return options.run(options)
    except (Refused, AutodiffError) as error:
        message = str(error)
    except (Exception, SystemExit):  # of the user's file: without this they would pass for a verdict
        message = traceback.format_exc()
    print(f"autodiff: {message.strip()}", file=sys.stderr)
    return FAILED


def parser() -> argparse.ArgumentParser:
    """The arguments of the command line."""
    whole = Parser(prog="python -m autodiff", description="Automatic differentiation whose language is NumPy itself.")
    whole.set_defaults(run=lambda _: print_help(whole))
    commands = whole.add_subparsers(metavar="COMMAND")
    raw = argparse.RawDescriptionHelpFormatter
    one = commands.add_parser(
        "verify", help="verify a gradient derived by hand", description=VERIFY, epilog=EXIT, formatter_class=raw
    )
    one.add_argument("target", metavar="FILE::FUNCTION", help="or FILE::CLASS.METHOD")
    one.add_argument("--by-hand", metavar="FUNCTION", help="the function of the file that returns the gradients")
    one.add_argument("--wrt", nargs="+", metavar="NAME", help="the arguments that the gradients belong to")
    one.add_argument("--loss", metavar="NAME", help="the variable that holds the loss")
    one.add_argument("--gradients", nargs="+", metavar="NAME=GRADIENT", help="the variables that hold the gradients")
    one.add_argument("--points", type=int, default=3, help="how many random points are tried (default: 3)")
    one.add_argument("--seed", type=int, default=0, help="of the random points (default: 0)")
    one.set_defaults(run=run_verify)
    config = commands.add_parser("show-config", help="what autodiff runs on here, and what slows it down")
    config.set_defaults(run=run_show_config)
    return whole


def print_help(whole: argparse.ArgumentParser) -> int:
    """What there is to say without a command."""
    whole.print_help()
    return 0


def run_show_config(options: argparse.Namespace) -> int:
    """`show_config`."""
    print(show_config())
    return 0


def run_verify(options: argparse.Namespace) -> int:
    """`verify`, of a function in a file."""
    file, separator, name = options.target.rpartition("::")
    if not separator or not name:
        raise Refused(f"{options.target}: say which function of the file: {options.target or 'FILE'}::FUNCTION")
    module = loaded(Path(file))
    step = found(module, name)
    by_hand = found(module, options.by_hand) if options.by_hand else None
    report = verify(
        step, *arguments_of(step, name, vars(module)), by_hand=by_hand, wrt=options.wrt, loss=options.loss,
        gradients=pairs(options.gradients), points=options.points, seed=options.seed,
    )  # fmt: skip
    report.show()
    return STATUS[report.verdict]


def loaded(file: Path) -> ModuleType:
    """The file as a module; what it imports from its own folder is found."""
    spec = importlib.util.spec_from_file_location(f"{file.stem} of the command line", file)
    if not file.is_file() or spec is None or spec.loader is None:
        raise Refused(f"{file}: {'is no Python file' if file.is_file() else 'no such file'}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # where dataclasses and inspect look for it
    sys.path.insert(0, str(file.parent.resolve()))
    spec.loader.exec_module(module)
    return module


def found(module: ModuleType, name: str) -> Callable[..., Any]:
    """The function of this name, or the method of an object."""
    owner, _, method = name.rpartition(".")
    thing: Any = getattr(module, owner or name, None)
    if isinstance(thing, type) and owner:
        objects = [value for value in vars(module).values() if type(value) is thing]
        thing = objects[0] if objects else thing(*arguments_of(thing, owner, vars(module)))
    if owner and thing is not None:
        thing = getattr(thing, method, None)
    if not callable(thing):
        functions = [key for key, value in vars(module).items() if inspect.isfunction(value)]
        raise Refused(f"{module.__file__} has no function {name}; it has {', '.join(functions) or 'none'}")
    return thing


def arguments_of(function: Callable[..., Any], name: str, variables: Mapping[str, Any]) -> list[Any]:
    """The variables of the file that are named like the parameters without default."""
    needed = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.default is parameter.empty and parameter.kind in (0, 1)  # positional
    ]
    if missing := [parameter for parameter in needed if parameter not in variables]:
        raise Refused(
            f"{name} takes {', '.join(missing)}: give the file variables of these names, at its top level, "
            f"such as {missing[0]} = np.random.default_rng(0).standard_normal((2, 4))"
        )
    return [variables[parameter] for parameter in needed]


def pairs(texts: Sequence[str] | None) -> dict[str, str] | None:
    """`w1=w1_grad` as a dict."""
    if texts is None:
        return None
    if wrong := [text for text in texts if "=" not in text]:
        raise Refused(f"--gradients: {wrong[0]} should be NAME=GRADIENT, as in W1=w1_grad")
    return dict(text.split("=", 1) for text in texts)


if __name__ == "__main__":
    sys.exit(main())
