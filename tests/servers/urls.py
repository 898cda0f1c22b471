from django.http import JsonResponse
from django.urls import path

from django_piggy_verify.login.verification import send_code
from tests.urls import urlpatterns


def invite(request):
    """Send a code from a view of the project, in the transaction of its request."""
    result = send_code(request.GET["email"], request=request)
    return JsonResponse({"sent": result.is_sent}, status=202)


urlpatterns = [*urlpatterns, path("login/invite/", invite)]
