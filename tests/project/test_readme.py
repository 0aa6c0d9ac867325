"""The README is a program: its code runs, and its commands are the ones that CI runs."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
CODE = [block for language, block in BLOCKS if language == "python"]
COMMANDS = [line for language, block in BLOCKS if language == "sh" for line in block.splitlines() if line]


@pytest.mark.parametrize("code", CODE)
def test_the_code_runs_and_prints_what_it_says(code, capsys, tmp_path):
    """A comment after a print, and comments in the lines below it, say what it prints."""
    file = tmp_path / "backprop.py"
    file.write_text(code, encoding="utf-8")
    exec(compile(code, file, "exec"), {})
    said = re.findall(r"^print\(.*\) *((?:\s#.*)+)$", code, re.MULTILINE)
    assert capsys.readouterr().out.split() == re.sub(r"^\s*#", "", "\n".join(said), flags=re.MULTILINE).split()


def test_the_two_commands_come_first_and_set_everything_up():
    main_job, tests = COMMANDS[:2]
    setup = "python3 -m venv .venv && .venv/bin/pip install -q "
    assert main_job == f"{setup}. && .venv/bin/python examples/grades.py"
    assert tests == f'{setup}".[test]" && .venv/bin/python -m pytest'


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_name_what_exists(command):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {extra for group in re.findall(r"\.\[(.*?)\]", command) for extra in group.split(",")} <= set(extras)
    for path in re.findall(r"[\w/]+\.py\b", command):
        assert (ROOT / path).exists()


def test_the_map_of_the_house_is_true():
    """Every file and folder that the map names is there."""
    (house,) = (block for language, block in BLOCKS if language == "text")
    for path in re.findall(r"^\S+", house, re.MULTILINE):
        assert (ROOT / path).exists(), path
