from django.apps import AppConfig


class MembersConfig(AppConfig):
    name = "tests.shapes.members"
    default_auto_field = "django.db.models.BigAutoField"
