"""Words for templates: ``{% load piggy_verify %}``."""

from math import ceil

from django import template
from django.utils.translation import ngettext

register = template.Library()

_MINUTE = 60
_HOUR = 3600


@register.filter
def in_words(seconds: int) -> str:
    """Answer a duration as a person says it, rounded up: ``45 seconds``."""
    if seconds < 2 * _MINUTE:
        return ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds}
    if seconds < 2 * _HOUR:
        minutes = ceil(seconds / _MINUTE)
        return ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}
    hours = ceil(seconds / _HOUR)
    return ngettext("%(n)d hour", "%(n)d hours", hours) % {"n": hours}
