"""Lets a project list the sandbox in INSTALLED_APPS; mounting it does not need that."""

from django.apps import AppConfig


class SandboxConfig(AppConfig):
    """The sandbox as an app: no models, no migrations, no start-up code."""

    name = "django_piggy_verify.sandbox"
    label = "piggy_verify_sandbox"
    verbose_name = "Piggy sandbox"
