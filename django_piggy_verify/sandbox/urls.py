"""
The URLs of the sandbox: the mailbox page, the portal, and the API.

If a project includes these URLs at `sandbox/`, the API is at
`/sandbox/api/v3/oauth/clients`. The token endpoint is at `/sandbox/oauth/token`.
"""

from django.urls import path

from django_piggy_verify.sandbox import views

app_name = "piggy_verify_sandbox"

urlpatterns = [
    path("", views.mailbox, name="mailbox"),
    path("mailbox/add/", views.add_contact, name="add-contact"),
    path("mailbox/remove/", views.remove_contact, name="remove-contact"),
    path("mailbox/points/", views.set_points, name="set-points"),
    path("mailbox/switches/", views.set_switches, name="set-switches"),
    path("mailbox/reset/", views.reset, name="reset"),
    path("portal/", views.portal, name="portal"),
    path("<path:path>", views.api, name="api"),
]
