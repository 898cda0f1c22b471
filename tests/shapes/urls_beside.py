from django.urls import include, path

from tests.shapes.urls import urlpatterns

urlpatterns = [*urlpatterns, path("accounts/", include("allauth.urls"))]
