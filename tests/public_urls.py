"""The URLs of a public site, without the sandbox."""

from tests import urls

urlpatterns = [
    each
    for each in urls.urlpatterns
    if getattr(each, "app_name", "") != "piggy_verify_sandbox"
]
