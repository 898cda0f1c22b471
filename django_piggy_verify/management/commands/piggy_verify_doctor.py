"""Say whether members can log in to this site, or users can connect contacts."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from django.core.management.base import BaseCommand

from django_piggy_verify.checks.routes import serves_logins
from django_piggy_verify.doctor import (
    api,
    app_urls,
    configuration,
    pages,
    routes,
    sessions,
    statistics,
    storage,
    visitors,
)
from django_piggy_verify.doctor.findings import (
    Examination,
    Finding,
    Outcome,
    examine,
    unknown,
)
from django_piggy_verify.doctor.statistics import Figure
from django_piggy_verify.management import recipients

AREAS: Final[Mapping[str, Sequence[Examination]]] = {
    "Settings": (
        configuration.system_checks,
        configuration.environment,
        configuration.credentials,
        configuration.openings,
        configuration.guessing,
    ),
    "Database": (
        storage.database,
        storage.autocommit,
        storage.counting,
        storage.tokens,
        storage.clock,
    ),
    "Sessions": (sessions.sessions, sessions.reach, sessions.cookies),
    "Backends": (configuration.backends,),
    "Visitors": (visitors.client_addresses, visitors.failed_sends),
    "Pages": (
        routes.pages,
        routes.ways_in_and_out,
        pages.middleware,
        pages.shown,
        app_urls.shown,
    ),
}
_Findings = Sequence[tuple[str, Finding]]


class Command(BaseCommand):
    """
    The command creates a session and a counter for itself, and deletes both.

    The exit status is 1 if there is a problem. Otherwise it is 0.
    """

    help = (
        "Says in plain words whether members can log in to this site. With a provider "
        "that cannot log in, says whether users can connect contacts. Exits with 1 if "
        "there is a problem."
    )
    # The doctor reports what the checks find. A failed check must not stop it.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options for further examinations and for the output."""
        parser.add_argument(
            "--live",
            action="store_true",
            help="also call the API, without sending anybody a code",
        )
        parser.add_argument(
            "--send",
            metavar="ADDRESS",
            help="like --live, and send a code to this address or number",
        )
        parser.add_argument(
            "--stats", action="store_true", help="also show the figures of the last day"
        )
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the examinations, print the findings and set the exit status."""
        address = options["send"]
        recipient = recipients.typed(address, is_sent=True) if address else None
        findings = list(examine(AREAS))
        if options["live"] or recipient:
            findings += _with_live_findings(findings, recipient)
        figures = statistics.figures() if options["stats"] else None
        if options["json"]:
            self._dump(findings, figures)
        else:
            self._tell(findings, figures)
        if _problems(findings):
            sys.exit(1)

    def _tell(self, findings: _Findings, figures: Sequence[Figure] | None) -> None:
        told = ""
        for area, finding in findings:
            if area != told:
                self.stdout.write(area)
                told = area
            mark = f"{finding.outcome.value:<8}"
            self.stdout.write(f"  {self._styled(finding, mark)} {finding.text}")
            if finding.hint:
                self.stdout.write(f"{'':11}{finding.hint}")
        if figures:
            self.stdout.write("The last day")
        for each in figures or ():
            number = "-" if each.value is None else each.value
            self.stdout.write(f"  {number:>8} {each.meaning}")
        self.stdout.write(_verdict(findings))

    def _styled(self, finding: Finding, text: str) -> str:
        styles = {
            Outcome.GOOD: self.style.SUCCESS,
            Outcome.WARNING: self.style.WARNING,
            Outcome.PROBLEM: self.style.ERROR,
        }
        return str(styles.get(finding.outcome, str)(text))

    def _dump(self, findings: _Findings, figures: Sequence[Figure] | None) -> None:
        report = {
            "can_log_in": not _problems(findings),
            "findings": [{"area": area, **asdict(each)} for area, each in findings],
        }
        if figures is not None:
            report["statistics"] = {each.name: each.value for each in figures}
        self.stdout.write(json.dumps(report, indent=2))


def _with_live_findings(findings: _Findings, recipient: str | None) -> _Findings:
    if any(area == "Settings" for area, each in findings if each.is_problem):
        return [
            ("API", unknown("The API was not called: the settings have a problem."))
        ]
    return list(examine({"API": [api.live(recipient)]}))


def _problems(findings: _Findings) -> int:
    return sum(each.is_problem for _, each in findings)


def _verdict(findings: _Findings) -> str:
    who, what = "Members", "log in"
    if not serves_logins():
        who, what = "Users", "connect contacts"
    if number := _problems(findings):
        noun = "problem" if number == 1 else "problems"
        return f"{who} cannot {what} here: {number} {noun}."
    if any(api.UNKNOWN_BEGINS in each.text for _, each in findings):
        advice = " Try --send." if api.can_send() else ""
        return f"{who} can {what} here if {api.send_condition()}.{advice}"
    if any(area == "API" for area, _ in findings):
        return f"{who} can {what} here."
    return f"{who} can {what} here if the API agrees. Try --live."
