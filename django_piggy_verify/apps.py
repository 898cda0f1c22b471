"""
The app's configuration.

Checks and receivers are imported when they are called. A process that serves
requests runs no checks, and needs most of these modules only at the first login.
"""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_out
from django.core.checks import CheckMessage, Tags, register
from django.utils.translation import gettext_lazy as _


class PiggyVerifyConfig(AppConfig):
    """Registers the system checks and deletes tokens at log-out."""

    name = "django_piggy_verify"
    label = "piggy_verify"
    verbose_name = _("Piggy login")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks, and connect the receiver of log-outs."""
        register(_check_settings, Tags.security)
        register(_check_deployment, Tags.security, deploy=True)
        user_logged_out.connect(
            _forget_tokens, dispatch_uid="piggy_verify.forget_at_logout"
        )


def _check_settings(**_kwargs: Any) -> Sequence[CheckMessage]:
    from django_piggy_verify import checks  # noqa: PLC0415

    return checks.run(checks.ALWAYS)


def _check_deployment(**_kwargs: Any) -> Sequence[CheckMessage]:
    from django_piggy_verify import checks  # noqa: PLC0415

    return checks.run(checks.ON_DEPLOY)


def _forget_tokens(**kwargs: Any) -> None:
    from django_piggy_verify import tokens  # noqa: PLC0415

    tokens.forget_at_logout(kwargs["user"])
