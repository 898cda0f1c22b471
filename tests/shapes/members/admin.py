from django.conf import settings
from django.contrib import admin

from tests.shapes.members.models import EmailUser

if settings.AUTH_USER_MODEL == "members.EmailUser":
    admin.site.register(EmailUser)
