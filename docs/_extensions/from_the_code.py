"""
Directives that generate parts of the reference from the code.

So these parts are never out of date. Each directive puts generated reStructuredText in
its own place. The directives need docutils only and not Sphinx, because the tests read
the pages with the same directives.
"""

import ast
import logging
import re
from collections.abc import Iterable, Iterator
from inspect import cleandoc
from itertools import chain
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
CHECKS = PACKAGE / "checks"
PROVIDERS = PACKAGE / "providers"


class FromTheCode(Directive):
    """Replaces itself with the lines that `written` returns."""

    def written(self) -> Iterable[str]:
        """Return the lines."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Parse the lines as part of the page."""
        lines = StringList(list(self.written()), source=f"<{self.name}>")
        self.state_machine.insert_input(lines, source=f"<{self.name}>")
        return []


class Settings(FromTheCode):
    """All settings: the name, the default, and the docstring in `Conf`."""

    def written(self) -> Iterator[str]:
        """Return a description of each setting."""
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
    All limits with their defaults.

    The content of the directive says what each limit counts: one line
    ``name: meaning`` for each limit. The lines must name all limits in their order.
    """

    has_content = True

    def written(self) -> Iterator[str]:
        """Return a description of each limit."""
        pairs = (line.partition(": ") for line in self.content if line)
        meanings = {name: meaning for name, _, meaning in pairs}
        if list(meanings) != list(DEFAULT_RATE_LIMITS):
            raise self.error(f"the limits are {', '.join(DEFAULT_RATE_LIMITS)}")
        for name, rate in DEFAULT_RATE_LIMITS.items():
            body = [f"Default: ``{rate}``. Counts {meanings[name]}"]
            yield from described("limit", name, body)


class Checks(FromTheCode):
    """All system checks: the id, the message, and the docstring of the function."""

    def written(self) -> Iterator[str]:
        """Return a description of each check, sorted by id."""
        messages = check_messages()
        for number, (text, is_for_deploy) in sorted(check_texts().items()):
            said = [f"*{messages[number]}*", ""] if number in messages else []
            body = [*said, *f"{text[0].upper()}{text[1:]}".split("\n")]
            if is_for_deploy:
                body += ["", "Runs with ``manage.py check --deploy`` only."]
            yield from described("check", f"piggy_verify.{number}", body)


class Commands(FromTheCode):
    """All management commands: the help text and the command's own options."""

    def written(self) -> Iterator[str]:
        """Return a description of each command."""
        for name in commands():
            command = load_command_class("django_piggy_verify", name)
            body = [command.help, "", *cleandoc(command.__doc__ or "").split("\n"), ""]
            for words, text in own_arguments(command, name):
                body += [f"``{words}``", f"   {text}"]
            yield from described("command", name, body)


class Events(FromTheCode):
    """All events of the log: the name, the level, and the message with its fields."""

    def written(self) -> Iterator[str]:
        """Return a description of each event."""
        for each in log_events():
            text = re.sub(r"%\((\w+)\)[.\d]*\w", r"{\1}", each.text)
            body = [f"{logging.getLevelName(each.level)}: ``{text}``"]
            yield from described("event", each.name, body)


class Templates(FromTheCode):
    """All templates with their blocks, in the order of the file."""

    def written(self) -> Iterator[str]:
        """Return a table."""
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
"""Our own kinds of cross-reference: the role, and its name in the index."""


def setup(app: Any) -> dict[str, bool]:
    """Register the directives and the kinds of cross-reference."""
    for role, name in OBJECTS.items():
        app.add_object_type(role, role, objname=name, indextemplate=f"pair: %s; {name}")
    for name, each in DIRECTIVES.items():
        app.add_directive(name, each)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def described(kind: str, name: str, body: Iterable[str]) -> Iterator[str]:
    """Return the lines that describe one object."""
    yield from (f".. {kind}:: {name}", "")
    yield from (f"   {line}".rstrip() for line in body)
    yield ""


def settings() -> dict[str, property]:
    """Return the properties of `Conf` in their order."""
    return {name: p for name, p in vars(Conf).items() if isinstance(p, property)}


def default_of(name: str) -> object:
    """Return the value of a setting in a project that does not set it."""
    with patch("django_piggy_verify.conf.settings", object()):
        value = getattr(Conf(), name)
    return None if value in (None, ()) else value


def check_texts() -> dict[str, tuple[str, bool]]:
    """Return the docstring of each check, and whether it needs ``--deploy``."""
    found = {}
    for check in (*checks.ALWAYS, *checks.ON_DEPLOY):
        ids, _, text = cleandoc(check.__doc__ or "").partition(": ")
        for number in re.findall(r"[EW]\d{3}", ids):
            found[number] = (text, check in checks.ON_DEPLOY)
    return found


def check_messages() -> dict[str, str]:
    """
    Return the message of each check, as the code has it.

    Some messages are those of a provider, which are made as `Problem`.
    """
    found = {}
    for node in chain(_nodes(CHECKS), _nodes(PROVIDERS)):
        match node:
            case (
                ast.Call(
                    args=[(ast.Constant() | ast.JoinedStr()) as message],
                    keywords=[*_, ast.keyword("id", each)],
                )
                | ast.Call(
                    func=ast.Name("Problem"),
                    keywords=[
                        ast.keyword("text", message),
                        *_,
                        ast.keyword("id", each),
                    ],
                )
            ):
                number = ast.unparse(each).strip("f'")[-4:]
                found[number] = _plain(message)
    return found


def _nodes(folder: Path) -> Iterator[ast.AST]:
    """Return the syntax nodes of the modules in a folder."""
    for path in folder.glob("*.py"):
        yield from ast.walk(ast.parse(path.read_text()))


def _plain(message: ast.expr) -> str:
    """Return a text, with three dots for each inserted value."""
    parts = message.values if isinstance(message, ast.JoinedStr) else [message]
    texts = [each.value if isinstance(each, ast.Constant) else "..." for each in parts]
    return "".join(map(str, texts))


def commands() -> list[str]:
    """Return the names of the management commands."""
    return sorted(path.stem for path in COMMANDS.glob("[!_]*.py"))


def own_arguments(command: BaseCommand, name: str) -> Iterator[tuple[str, str]]:
    """Return the command's own arguments: how to write them, and their help."""
    django = BaseCommand().create_parser("manage.py", name)._actions
    known = {string for action in django for string in action.option_strings}
    for action in command.create_parser("manage.py", name)._actions:
        if known.isdisjoint(action.option_strings):
            words = ", ".join(action.option_strings) or action.dest.upper()
            takes_value = action.option_strings and action.nargs != 0
            value = f" {action.metavar or action.dest.upper()}" if takes_value else ""
            yield f"{words}{value}", str(action.help)


def log_events() -> list[Event]:
    """Return the events of the log in their order."""
    return [each for each in vars(events).values() if isinstance(each, Event)]


def blocks() -> dict[str, list[str]]:
    """Return the blocks of each template in their order."""
    return {
        path.name: re.findall(r"{% block (\w+) %}", path.read_text())
        for path in sorted(TEMPLATES.glob("*.html"))
    }
