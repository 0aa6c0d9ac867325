"""Imports run one way: a module stands on what is above it in this list, and on nothing else of the house."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest

import autodiff as ad

ORDER = [
    "sites bytecode symbols",
    "errors structures",
    "expressions guards cotangents",
    "primitive",
    "rules",
    "graph",
    "derivative modes products watch",
    "operands",
    "record",
    "storage",
    "composition",
    "forward",
    "batching checkpoint methods",
    "tensor",
    "transforms custom",
    "differences moves",
    "identities",
    "simplify forms",
    "naming",
    "notation",
    "readers",
    "__init__",
    "testing __main__",
]
RANK = {layer: rank for rank, layers in enumerate(ORDER) for layer in layers.split()}

ROOT = Path(__file__).parents[2]
ENGINE = sorted((ROOT / "autodiff").rglob("*.py"))
NETWORKS = sorted((ROOT / "nn").rglob("*.py"))
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def each(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.relative_to(ROOT).as_posix())


def layer(path):
    """The entry of ORDER that a file of the engine belongs to: rules/product.py is `rules`."""
    return path.relative_to(ROOT / "autodiff").with_suffix("").parts[0]


def reader(path):
    """The reader that a file belongs to: readers/draw.py and readers/drawing/dot.py are `draw`."""
    parts = path.relative_to(ROOT / "autodiff").with_suffix("").parts
    return parts[1].removesuffix("ing") if parts[0] == "readers" else None


def syntax(path, types_too=True):
    """The nodes of a file's syntax tree, with or without what only a type checker reads."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not types_too:
            node.body = []
    return ast.walk(tree)


def imports(path, types_too=True):
    """Every import of a file, wherever it stands: `from a.b import c` is (a.b, c), and `import a` is (a, None)."""
    package = ".".join(path.relative_to(ROOT).parent.parts)
    for node in syntax(path, types_too):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), package)
            yield from ((module, alias.name) for alias in node.names)


def imported_files(path):
    """The files of this project that a file of it imports when it runs."""
    for module, name in imports(path, types_too=False):
        base = ROOT.joinpath(*module.split("."))
        submodule = [base / f"{name}.py", base / name / "__init__.py"] if name else []
        found = [file for file in (*submodule, base.with_suffix(".py"), base / "__init__.py") if file.exists()]
        yield from found[:1]


@each(ENGINE)
def test_the_engine_imports_downwards(path):
    here = layer(path)
    assert here in RANK, f"give {here} its place in ORDER"
    for file in imported_files(path):
        of_one_kind = layer(file) == here in ("rules", "testing") or reader(file) == reader(path) is not None
        assert RANK[layer(file)] < RANK[here] or of_one_kind or path.name == "__init__.py"


@each([path for path in ENGINE if RANK.get(layer(path), 0) < RANK["readers"]])
def test_the_core_stands_on_numpy_alone(path):
    assert {module.split(".")[0] for module, _ in imports(path)} <= {"autodiff", "numpy", *sys.stdlib_module_names}


@each([path for path in ENGINE if layer(path) in ("graph", "derivative")])
def test_graph_and_derivative_never_name_tensor(path):
    assert not {"Tensor", "tensor"} & {part for module, name in imports(path) for part in (*module.split("."), name)}


@pytest.mark.parametrize("paths", [ENGINE, NETWORKS], ids=["autodiff", "nn"])
def test_no_circle(paths):
    TopologicalSorter({path: set(imported_files(path)) for path in paths}).prepare()


@each(NETWORKS + EXAMPLES)
def test_users_of_the_engine_use_its_public_names(path):
    public = {*ad.__all__, "errors"}
    used = {name for module, name in imports(path) if module == "autodiff" and name}
    used |= {
        node.attr
        for node in syntax(path)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("ad", "autodiff")
    }
    assert used <= public
    assert {module for module, _ in imports(path) if module.startswith("autodiff.")} <= {"autodiff.errors"}


def test_readers_are_imported_when_they_are_first_asked_for():
    """Most programs need none, and an import should take no longer than it must."""
    code = (
        "import sys, autodiff as ad\n"
        "loaded = lambda: {name.split('.')[2] for name in sys.modules if name.startswith('autodiff.readers.')}\n"
        "assert not loaded() and set(ad.__all__) <= set(dir(ad))\n"
        "from autodiff import explain\n"
        "assert loaded() and 'verifying' not in loaded()\n"
        "assert ad.verify is ad.verify and 'verifying' in loaded() and not hasattr(ad, 'nothing')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
