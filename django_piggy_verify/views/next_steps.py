"""Choose the step to which a page about a limit leads."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from django_piggy_verify.exceptions import ProviderError, TooManyAttempts
from django_piggy_verify.login import devices, pending, verification
from django_piggy_verify.login.logins import Login
from django_piggy_verify.login.verification import Step
from django_piggy_verify.traits import Channel
from django_piggy_verify.views.page_urls import PageURLs

_STEPS: Final[Mapping[str, Sequence[Step]]] = {
    "check_login": (Step.NEW_CODE, Step.OTHER),
    # Axes decides what it counts, so nobody knows what works.
    "lockout": (),
}
"""The steps to offer after a limit, the best one first."""

_AFTER_TEXTS: Final = (Step.EMAIL, Step.CODE, Step.OTHER)
_AFTER_OTHERS: Final = (Step.CODE, Step.OTHER)


class NextSteps(PageURLs):
    """A page that knows how to go on after a limit is reached."""

    def get_steps(self, refusal: TooManyAttempts) -> dict[str, Any]:
        """
        Return the context of the page about a limit: the step that works now.

        Makes one query. A step that another limit stops is left out.
        """
        login = pending.attached_to(self.request)
        waits = self._waits_for_steps(login)
        works = [each for each in _steps_after(refusal.limit) if waits.get(each) == 0]
        urls = {each: url for each in works if (url := self.get_step_url(each))}
        step = next(iter(urls), None)
        wait = refusal.retry_after
        if refusal.limit == "check_login":
            # The reported wait is the one for the cooldown.
            wait, open_login = max(wait, waits.get(Step.NEW_CODE, 0)), None
        else:
            open_login = login
        is_known = login and devices.known(self.request, login.recipient)
        return {
            "step": str(step or ""),
            "step_url": urls[step] if step else self._url_after(wait, open_login),
            "code_url": urls.get(Step.CODE, ""),
            "email_url": urls.get(Step.EMAIL, ""),
            "wait": wait,
            "is_known_browser": bool(is_known),
        }

    def _waits_for_steps(self, login: Login | None) -> Mapping[Step, int]:
        """Return the seconds until each step works; none if the provider is broken."""
        with suppress(ProviderError):
            channel = self.get_channel()
            return verification.waits_for_steps(login, channel, request=self.request)
        return {}

    def _url_after(self, wait: int, login: Login | None) -> str:
        """Return the URL of the page to try again from, when the wait is over."""
        if login and login.expires_in > wait:
            return self.get_retry_url()
        return self.get_start_url(self.get_next())

    def get_step_url(self, step: Step) -> str:
        """Return the URL of a step, or a blank text if the step makes no sense."""
        login, next_url = pending.attached_to(self.request), self.get_next()
        match step:
            case Step.CODE:
                is_open = login is not None and login.is_open
                return self.get_code_page_url(login) if login and is_open else ""
            case Step.EMAIL:
                way = verification.traits().way_to(Channel.EMAIL)
                return self.get_first_page_url(Channel.EMAIL, next_url) if way else ""
            case Step.OTHER:
                return self.get_start_url(next_url, other="1")
        return self.get_start_url(next_url)


def _steps_after(limit: str) -> Sequence[Step]:
    is_text = limit.startswith("send_sms_")
    return _STEPS.get(limit, _AFTER_TEXTS if is_text else _AFTER_OTHERS)
