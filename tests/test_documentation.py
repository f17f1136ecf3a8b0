"""What the README and the pages promise is true: snippets run, commands exist, links lead somewhere."""

import re
import shlex
from itertools import pairwise
from pathlib import Path

import click
import pytest
import typer
import yaml
from conftest import REPOSITORY

from skelray import cost, yaml_file
from skelray.cli import application
from skelray.data.generic.description import described
from skelray.measure import EvaluateConfig
from skelray.sweep import __main__ as sweep_command
from skelray.sweep import config

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
FENCE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)\)")


def snippets(language: str) -> list:
    found = []
    for page in PAGES:
        blocks = [text for kind, text in FENCE.findall(page.read_text()) if kind == language]
        found += [pytest.param(text, id=f"{page.stem}-{number}") for number, text in enumerate(blocks)]
    return found


def command_lines() -> list:
    lines = [(block.id, line) for block in snippets("sh") for line in block.values[0].splitlines()]
    return [pytest.param(line.split("  #")[0].strip(), id=f"{where}: {line[:40]}") for where, line in lines if line]


@pytest.mark.parametrize("text", snippets("python"))
def test_python_snippets_run(text):
    exec(compile(text, "snippet", "exec"), {"__name__": "snippet"})


@pytest.mark.parametrize("text", snippets("yaml"))
def test_yaml_snippets_are_spaces_sweeps_or_descriptions_of_data(text, tmp_path, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    file = tmp_path / "snippet.yaml"
    file.write_text(text)
    if not {"method", "spaces"} & set(yaml.safe_load(text)):
        assert described(yaml_file.read(file)).name
        return
    plan = config.load(file)
    assert set(plan.spaces) == set(yaml.safe_load(text).get("spaces", ["amr"]))


def parsed(command: click.Command, words: list[str]) -> None:
    """Raise unless the command takes these words; nothing is run."""
    context = command.make_context(command.name, words, resilient_parsing=False)
    if isinstance(command, click.Group):
        _, inner, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        parsed(inner, rest)


@pytest.mark.parametrize("line", command_lines())
def test_commands_exist_and_take_these_options(line):
    words = shlex.split(line)
    while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        words = words[1:]
    if words[:1] == ["ray"] and "--" in words:
        words = words[words.index("--") + 1 :]
    if words[:1] == ["make"]:
        assert re.search(rf"^{words[1]}:", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    elif words[:1] == ["skelray"]:
        parsed(typer.main.get_command(application()), words[1:])
    elif words[:3] == ["python", "-m", "skelray.sweep"]:
        parsed(typer.main.get_command(sweep_command.app), words[3:])
        source = words[3]
        assert "NAME" in source or source.startswith("results/") or (REPOSITORY / source).is_file()
    elif words[:3] == ["python", "-m", "skelray.cost"]:
        app = typer.Typer()
        app.command()(cost.main)
        parsed(typer.main.get_command(app), words[3:])
    elif words[:1] in (["python"], ["python3"]) and words[1] != "-m":
        assert (REPOSITORY / words[1]).is_file()
    else:
        assert words[0] in {"python3", "pip", "ray"}, f"no test knows the command {words[0]}"


def given(words: list[str], option: str) -> list[str]:
    return [value for name, value in pairwise(words) if name == option]


def lines_of(*command: str) -> list:
    return [line for line in command_lines() if shlex.split(line.values[0])[: len(command)] == list(command)]


@pytest.mark.parametrize("line", lines_of("skelray", "evaluate") + lines_of("skelray", "transfer"))
def test_protocols_and_their_settings_are_there(line):
    words = shlex.split(line)
    asked = ",".join(given(words, "--protocol") or ["linear"]).split(",")
    tree: dict = {"protocols": asked}
    for text in given(words, "--set"):
        protocol, field, value = re.split(r"[.=]", text, maxsplit=2)
        assert protocol in asked
        tree.setdefault(protocol, {})[field] = yaml.safe_load(value)
    assert list(EvaluateConfig.model_validate(tree).protocols) == asked


@pytest.mark.parametrize("line", lines_of("python", "-m", "skelray.sweep"))
def test_sweeps_take_the_settings_shown(line, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    words = shlex.split(line)
    if "NAME" not in line:
        under = given(words, "--under")
        assert config.load(words[3], under=under[0] if under else None, sets=given(words, "--set")).spaces


@pytest.mark.parametrize("line", command_lines())
def test_a_line_can_be_pasted_into_any_shell(line):
    """zsh takes a bare bracket for a pattern, and then runs nothing."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", line)
    assert not re.search(r"[\[\]*?{}<>]", bare), "put it in quotes"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_two_evaluations_of_a_page_go_to_one_folder(page):
    places = [
        (given(shlex.split(line), "--out") or ["evaluation"])[0]
        for kind, block in FENCE.findall(page.read_text())
        for line in (block.splitlines() if kind == "sh" else [])
        if line.startswith("skelray evaluate")
    ]
    assert len(set(places)) == len(places), f"the second one would be refused: {places}"


@pytest.mark.parametrize("line", command_lines())
def test_results_that_a_line_reads_are_there(line):
    """In a clone, that is; what the quick start makes is called local-, and what a line writes follows --out."""
    words = shlex.split(line)
    written = given(words, "--out") + given(words, "--results")
    for word in (word for word in words if word.startswith("results/") and word not in written):
        assert (REPOSITORY / word).exists() or word.startswith(("results/NAME", "results/local-")), word


def test_every_page_can_be_reached_from_the_readme():
    pages = {page.resolve() for page in PAGES}
    reached, todo = set[Path](), [(REPOSITORY / "README.md").resolve()]
    while todo:
        page = todo.pop()
        reached.add(page)
        linked = {(page.parent / target).resolve() for target in LINK.findall(page.read_text())}
        todo += sorted((linked & pages) - reached - set(todo))
    assert reached == pages


def test_the_readme_links_every_page_that_is_not_on_data():
    linked = LINK.findall((REPOSITORY / "README.md").read_text())
    assert {f"docs/{page.name}" for page in (REPOSITORY / "docs").glob("*.md")} <= set(linked)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path):
    for target in LINK.findall(page.read_text()):
        assert target.startswith("http") or (page.parent / target).exists(), target


def test_every_test_and_page_names_no_machine():
    """Nothing in the project knows where it was written."""
    for path in [*PAGES, *(REPOSITORY / "skelray").rglob("*.py"), *REPOSITORY.glob("s*/*.yaml")]:
        assert not re.search(r"/(work|root|home)/", path.read_text()), path
