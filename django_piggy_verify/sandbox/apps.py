"""The app of the sandbox. A project may install it, but its URLs work without it."""

from django.apps import AppConfig


class SandboxConfig(AppConfig):
    """The app of the sandbox, without models and migrations."""

    name = "django_piggy_verify.sandbox"
    label = "piggy_verify_sandbox"
    verbose_name = "Piggy sandbox"
