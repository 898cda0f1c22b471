"""The routes of a site that is fit for the public: without the sandbox."""

from tests import urls

urlpatterns = [
    each
    for each in urls.urlpatterns
    if getattr(each, "app_name", "") != "piggy_verify_sandbox"
]
