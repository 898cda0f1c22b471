"""
Directives that write parts of the reference from the code, so that none goes stale.

Each writes reStructuredText where it stands, as a person would. They know docutils
and no Sphinx: the tests read the pages with the same directives.
"""

import ast
import logging
import re
from collections.abc import Iterable, Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any
from unittest.mock import patch

from django.core.management import load_command_class
from django.core.management.base import BaseCommand
from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList

import django_piggy_verify
from django_piggy_verify import checks, events
from django_piggy_verify.conf import DEFAULT_RATE_LIMITS, Conf
from django_piggy_verify.events import Event

PACKAGE = Path(django_piggy_verify.__file__).parent
TEMPLATES = PACKAGE / "templates" / "piggy_verify"
COMMANDS = PACKAGE / "management" / "commands"


class FromTheCode(Directive):
    """Puts the lines that `written` answers in its own place."""

    def written(self) -> Iterable[str]:
        """Answer the lines."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Have the lines parsed as part of the page."""
        lines = StringList(list(self.written()), source=f"<{self.name}>")
        self.state_machine.insert_input(lines, source=f"<{self.name}>")
        return []


class Settings(FromTheCode):
    """Every setting: its name, its default, and what `Conf` says of it."""

    def written(self) -> Iterator[str]:
        """Answer one description for each setting."""
        for name, each in settings().items():
            default = "none" if (value := default_of(name)) is None else f"``{value}``"
            if name == "rate_limits":
                default = "see :doc:`limits`"
            body = [
                f"Default: {default}.",
                "",
                *cleandoc(each.__doc__ or "").split("\n"),
            ]
            yield from described("setting", f"PIGGY_VERIFY_{name.upper()}", body)


class Limits(FromTheCode):
    """
    Every limit with its default. What it counts stands in the directive.

    ``name: meaning``, a line each; it has to name the limits that there are.
    """

    has_content = True

    def written(self) -> Iterator[str]:
        """Answer one description for each limit."""
        pairs = (line.partition(": ") for line in self.content if line)
        meanings = {name: meaning for name, _, meaning in pairs}
        if list(meanings) != list(DEFAULT_RATE_LIMITS):
            raise self.error(f"the limits are {', '.join(DEFAULT_RATE_LIMITS)}")
        for name, rate in DEFAULT_RATE_LIMITS.items():
            body = [f"Default: ``{rate}``. Counts {meanings[name]}"]
            yield from described("limit", name, body)


class Checks(FromTheCode):
    """Every system check: its id, its message, and the docstring of its function."""

    def written(self) -> Iterator[str]:
        """Answer one description for each id, in the order of the ids."""
        messages = check_messages()
        for number, (text, is_for_deploy) in sorted(check_texts().items()):
            said = [f"*{messages[number]}*", ""] if number in messages else []
            body = [*said, *f"{text[0].upper()}{text[1:]}".split("\n")]
            if is_for_deploy:
                body += ["", "From ``manage.py check --deploy`` only."]
            yield from described("check", f"piggy_verify.{number}", body)


class Commands(FromTheCode):
    """Every management command: its help, and the options that are its own."""

    def written(self) -> Iterator[str]:
        """Answer one description for each command."""
        for name in commands():
            command = load_command_class("django_piggy_verify", name)
            body = [command.help, "", *cleandoc(command.__doc__ or "").split("\n"), ""]
            for words, text in own_arguments(command, name):
                body += [f"``{words}``", f"   {text}"]
            yield from described("command", name, body)


class Events(FromTheCode):
    """Every event of the log: its name, its level, and its message with the fields."""

    def written(self) -> Iterator[str]:
        """Answer one description for each event."""
        for each in log_events():
            text = re.sub(r"%\((\w+)\)[.\d]*\w", r"{\1}", each.text)
            body = [f"{logging.getLevelName(each.level)}: ``{text}``"]
            yield from described("event", each.name, body)


class Templates(FromTheCode):
    """Every template with its blocks, in the order of the file."""

    def written(self) -> Iterator[str]:
        """Answer a table."""
        yield from (".. list-table::", "   :header-rows: 1", "")
        rows = {"Template": "Blocks"}
        rows |= {name: " ".join(found) or "none" for name, found in blocks().items()}
        for name, found in rows.items():
            is_head = name == "Template"
            yield f"   * - {name if is_head else f'``{name}``'}"
            yield f"     - {found}"
        yield ""


DIRECTIVES: dict[str, type[FromTheCode]] = {
    "every-setting": Settings,
    "every-limit": Limits,
    "every-check": Checks,
    "every-command": Commands,
    "every-event": Events,
    "every-template": Templates,
}

OBJECTS: dict[str, str] = {
    "setting": "setting",
    "limit": "limit",
    "check": "system check",
    "command": "management command",
    "event": "event of the log",
}
"""What can be referred to, beside what Sphinx knows: role and name."""


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx of the directives, and of what they describe."""
    for role, name in OBJECTS.items():
        app.add_object_type(role, role, objname=name, indextemplate=f"pair: %s; {name}")
    for name, each in DIRECTIVES.items():
        app.add_directive(name, each)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def described(kind: str, name: str, body: Iterable[str]) -> Iterator[str]:
    """Answer the lines that describe one object."""
    yield from (f".. {kind}:: {name}", "")
    yield from (f"   {line}".rstrip() for line in body)
    yield ""


def settings() -> dict[str, property]:
    """Answer the properties of `Conf`, in their order."""
    return {name: p for name, p in vars(Conf).items() if isinstance(p, property)}


def default_of(name: str) -> object:
    """Answer what a setting is where a project sets nothing."""
    with patch("django_piggy_verify.conf.settings", object()):
        value = getattr(Conf(), name)
    return None if value in (None, ()) else value


def check_texts() -> dict[str, tuple[str, bool]]:
    """Answer what each check says of itself, and whether it is for deployments."""
    found = {}
    for check in (*checks.ALWAYS, *checks.ON_DEPLOY):
        ids, _, text = cleandoc(check.__doc__ or "").partition(": ")
        for number in re.findall(r"[EW]\d{3}", ids):
            found[number] = (text, check in checks.ON_DEPLOY)
    return found


def check_messages() -> dict[str, str]:
    """Answer what each check says, as far as it is written where the check is."""
    found = {}
    for node in ast.walk(ast.parse(Path(checks.__file__).read_text())):
        match node:
            case ast.Call(args=[message], keywords=[*_, ast.keyword("id", each)]):
                number = ast.unparse(each).strip("f'")[-4:]
                if not isinstance(message, ast.Name):
                    found[number] = _plain(message)
    return found


def _plain(message: ast.expr) -> str:
    """Answer a text, with three dots for what is filled in."""
    parts = message.values if isinstance(message, ast.JoinedStr) else [message]
    texts = [each.value if isinstance(each, ast.Constant) else "..." for each in parts]
    return "".join(map(str, texts))


def commands() -> list[str]:
    """Answer the names of the management commands."""
    return sorted(path.stem for path in COMMANDS.glob("[!_]*.py"))


def own_arguments(command: BaseCommand, name: str) -> Iterator[tuple[str, str]]:
    """Answer the arguments that not every command has: how written, and the help."""
    django = BaseCommand().create_parser("manage.py", name)._actions
    known = {string for action in django for string in action.option_strings}
    for action in command.create_parser("manage.py", name)._actions:
        if known.isdisjoint(action.option_strings):
            words = ", ".join(action.option_strings) or action.dest.upper()
            takes_value = action.option_strings and action.nargs != 0
            value = f" {action.metavar or action.dest.upper()}" if takes_value else ""
            yield f"{words}{value}", str(action.help)


def log_events() -> list[Event]:
    """Answer the events that are logged, in their order."""
    return [each for each in vars(events).values() if isinstance(each, Event)]


def blocks() -> dict[str, list[str]]:
    """Answer the blocks of each template, in their order."""
    return {
        path.name: re.findall(r"{% block (\w+) %}", path.read_text())
        for path in sorted(TEMPLATES.glob("*.html"))
    }
