"""
Configure Sphinx. ``sphinx-build -W -n docs build/docs`` builds the documentation.

Install the package first. The build uses the network only if READTHEDOCS is set.
"""

import os
import sys
from pathlib import Path

import django
from django.conf import settings

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

if not settings.configured:
    settings.configure(
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.messages",
            "django.contrib.sessions",
            "django_piggy_verify",
        ],
        USE_TZ=True,
    )
    django.setup()

from django_piggy_verify import __version__

project = "django-piggy-verify"
author = "The django-piggy-verify maintainers"
version = release = __version__

extensions = ["sphinx.ext.autodoc", "from_the_code"]
html_theme = "furo"
html_title = f"{project} {version}"
html_show_copyright = False
templates_path: list[str] = []
exclude_patterns = ["_extensions", "screenshots"]

# A single backquote in a docstring marks a name. Many are names of arguments, which
# Sphinx cannot link to.
default_role = "literal"
highlight_language = "text"
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True

nitpicky = True
# The documentation of other projects. The build links to it only on Read the Docs.
nitpick_ignore_regex = [
    ("py:.*", r"(django|pytest|requests|collections|datetime|typing)\..*"),
]
# A type variable has no page, and the steps are internal.
nitpick_ignore = [
    ("py:class", "django_piggy_verify.login.next_steps.Step"),
    ("py:class", "django_piggy_verify.providers.calls._Result"),
]

if os.environ.get("READTHEDOCS"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3/", None),
        "django": (
            "https://docs.djangoproject.com/en/stable/",
            "https://docs.djangoproject.com/en/stable/_objects/",
        ),
    }
