"""The tag for the brand and the filters of our pages: ``{% load piggy_verify %}``."""

from collections.abc import Mapping

from django import template
from django.forms import BaseForm
from django.templatetags.static import static

from django_piggy_verify import consent_fields, durations
from django_piggy_verify.conf import conf
from django_piggy_verify.events import LOGO_MISSING

register = template.Library()

register.filter(durations.in_words)
register.filter(durations.about)
register.filter(durations.clock)


@register.filter
def needs_summary(form: BaseForm) -> bool:
    """
    Return whether the errors of a form need a list on top of the form.

    The error of the only field stands at this field, and nowhere else. If there are
    more fields, or if an error is of no field that is visible, the list helps.
    """
    visible = {field.name for field in form.visible_fields()}
    return bool(form.errors) and (
        len(visible) > 1 or not visible.issuperset(form.errors)
    )


@register.simple_tag
def brand() -> Mapping[str, str]:
    """
    Return the name, the URL of the logo, and the URL of the shop.

    What ``PIGGY_VERIFY_BRAND`` does not set is blank. A URL such as ``javascript:``
    would run as a script of the page, so it is blank too.
    """
    url = str(conf.brand.get("url") or "")
    is_safe = consent_fields.is_web_page(url)
    return {
        "name": "",
        **conf.brand,
        "url": url if is_safe else "",
        "logo": _logo_url(),
    }


def _logo_url() -> str:
    path = conf.brand.get("logo", "")
    try:
        return static(path) if path else ""
    except Exception as error:  # noqa: BLE001  a storage may raise anything
        # A storage with a manifest raises ValueError for a file that it does not know.
        # Without its logo, the login still works.
        LOGO_MISSING.log(path=path, cause=type(error).__name__)
        return ""
