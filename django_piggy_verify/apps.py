"""The app's configuration."""

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_out
from django.utils.translation import gettext_lazy as _


class PiggyVerifyConfig(AppConfig):
    """Registers the system checks and drops tokens at log-out."""

    name = "django_piggy_verify"
    label = "piggy_verify"
    verbose_name = _("Piggy login")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect what listens; models exist from here on only."""
        from django_piggy_verify import checks, tokens  # noqa: PLC0415

        checks.register()
        user_logged_out.connect(
            tokens.forget_at_logout, dispatch_uid="piggy_verify.forget_at_logout"
        )
