"""Every command of README and docs is one that today's parsers take, and names files that there are."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from functools import cache
from importlib.metadata import entry_points
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from doc_commands import OTHERS, Command, commands_in, commands_of
from freqtrade.commands import Arguments

from pairbot_ext.cli import build_parser

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = commands_of(ROOT)
STANDS_FOR = {"$rule": ("naive", "robust")}
"""Variables of loops, each with the values it takes."""
THEIRS = {
    "live.json": "the reader's own, described in going-live.md",
    "user_data/live-sim.json": "the tutorial says what goes in",
    "user_data/demo/data": "written by `pairbot demo`",
    "user_data/demo/backtest": "written by `pairbot demo`",
    "user_data/prove/report.json": "written by `pairbot prove`",
    "user_data/data/binance": "written by `pairbot download`",
    "user_data/backtest_results": "written by `freqtrade backtesting`",
    "tradesv3.sqlite": "a bot's database",
    "tradesv3.dryrun.sqlite": "a bot's database",
    "backtest-result-2026-02-01_12-00-00.zip": "written by `freqtrade backtesting`",
    "user_data/pairbot.json": "written by `pairbot init`",
    "legging.json": "written by `pairbot replay --legging`",
    "b.json": "another result like a.json",
}
"""Files that are neither in the checkout nor written by a command of the pages."""
WRITING = frozenset(
    [
        *(
            "--out",
            "--pairs-out",
            "--overlay-out",
            "--html",
            "--output",
            "--png",
            "--csv",
            "--write",
            "--store",
        ),
        *("--logfile", "--screenshot", "--state", "--backtest-directory", "--markdown", "--legging"),
    ]
)
_FILE = re.compile(r"[\w./$-]+\.(?:json|zip|sqlite|md|yaml|yml|toml|service|timer|lock|html|png)")
_FOLDER = re.compile(r"(?:docs|tests|deploy|strategies|benchmarks|user_data)/[\w./$-]+")

every = pytest.mark.parametrize("command", COMMANDS, ids=str)


def of(program: str) -> pytest.MarkDecorator:
    """The commands of one program, each a case."""
    return pytest.mark.parametrize("command", [c for c in COMMANDS if c.program == program], ids=str)


def arguments(command: Command) -> list[str]:
    """Without ellipses, loop variables replaced."""
    words = [word for word in command.words[1:] if word not in {"...", "…"}]
    for name, values in STANDS_FOR.items():
        words = [word.replace(name, values[0]) for word in words]
    return words


def test_commands_are_found() -> None:
    assert len(COMMANDS) > 90
    assert {command.program for command in COMMANDS} >= {"pairbot", "freqtrade", "make", "python", "docker"}


def test_what_a_block_says_is_read_as_a_shell_reads_it() -> None:
    page = (
        "```\npairbot scan --out a.json \\\n    --end X   # why\n"
        "A=1 sudo make demo && (cd x; freqtrade trade) &\n```\n"
        "```\npairbot: 3 pairs\n```\n```json\nmake\n```\n"
        "```\n$ cat > f.json <<'EOF'\n{}\nEOF\n$ pairbot status > s.txt\npairbot status of yesterday\n```\n"
    )
    found = [(command.words, command.writes) for command in commands_in(page, Path("x.md"))]
    assert found == [
        (("pairbot", "scan", "--out", "a.json", "--end", "X"), None),
        (("make", "demo"), None),
        (("cd", "x"), None),
        (("freqtrade", "trade"), None),
        (("cat", "EOF"), "f.json"),
        (("pairbot", "status"), "s.txt"),
    ]
    with pytest.raises(ValueError, match="no command that is known here"):
        list(commands_in("```\nmake demo\nunheard-of --of\n```\n", Path("x.md")))


@of("pairbot")
def test_pairbot_takes_it(command: Command) -> None:
    words = arguments(command)
    if "--version" in words:
        return
    parsed = build_parser(words[0]).parse_args(words)
    if words[0] == "offline":
        Arguments(parsed.freqtrade_args[1:]).get_parsed_arg()


@of("freqtrade")
def test_freqtrade_takes_it(command: Command) -> None:
    Arguments(arguments(command)).get_parsed_arg()


def test_make_has_its_targets() -> None:
    targets = sorted({command.words[-1] for command in COMMANDS if command.program == "make"})
    done = subprocess.run(["make", "-n", *targets], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@of("python")
def test_python_has_the_module_with_its_options(command: Command) -> None:
    words = arguments(command)
    assert words[0] == "-m", command
    spec = importlib.util.find_spec(words[1])
    assert spec is not None
    assert spec.origin is not None
    if Path(spec.origin).is_relative_to(ROOT):
        sources = "\n".join(path.read_text("utf-8") for path in Path(spec.origin).parent.glob("*.py"))
        sources += (ROOT / "pairbot_ext/tasks/options.py").read_text("utf-8")
        assert [word for word in words if word.startswith("--") and f'"{word}"' not in sources] == []


@every
def test_other_programs_are_known_or_installed_with_the_package(command: Command) -> None:
    if command.words[0].startswith(".venv/bin/"):
        assert command.program in {script.name for script in entry_points(group="console_scripts")}
    else:
        assert command.program in OTHERS | {"pairbot", "freqtrade", "make", "python"}


@of("docker")
def test_docker_composes_what_there_is(command: Command) -> None:
    assert command.words[1] in {"compose", "build"}, command
    if command.words[1] == "compose":
        words = arguments(command)
        file = words[words.index("-f") + 1] if words[1] == "-f" else "compose.yaml"
        services = yaml.safe_load((ROOT / file).read_text("utf-8"))["services"].values()
        profiles = {profile for service in services for profile in service.get("profiles", [])}
        assert {value for option, value in pairwise(words) if option == "--profile"} <= profiles


@cache
def written() -> frozenset[str]:
    """Files and folders that the pages' commands write."""
    found = {command.writes for command in COMMANDS if command.writes}
    for command in COMMANDS:
        words = [part for word in command.words for part in word.split("=", 1)]
        found |= {value for option, value in pairwise(words) if option in WRITING}
        if command.words[:2] == ("pairbot", "backup"):
            found.add(command.words[2])
    for name, values in STANDS_FOR.items():
        found |= {file.replace(name, value) for file in found for value in values}
    return frozenset(found | {f"{file}.overlay.json" for file in found})


@every
def test_its_files_are_there_or_were_written_before(command: Command) -> None:
    words = [part.removeprefix("sqlite:///") for word in command.words[1:] for part in word.split("=", 1)]
    named = [word.removeprefix("/opt/pairbot/") for word in words]
    named = [word for word in named if _FILE.fullmatch(word) or _FOLDER.fullmatch(word)]
    assert [word for word in named if not is_there(word)] == []


def is_there(name: str) -> bool:
    """In the checkout, written by a command of the pages, the reader's own, or the machine's."""
    made = written()
    made_below = ("/", "user_data/walkthrough/", "user_data/demo/", *(f"{folder}/" for folder in made))
    known = name in made | THEIRS.keys() or name.startswith(made_below)
    return known or (ROOT / name).exists() or (ROOT / "deploy/systemd" / name).exists()
