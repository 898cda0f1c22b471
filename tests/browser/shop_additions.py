"""The additions of the browser tests: a strict policy and refused members."""

from shop.backends import ShopBackend

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def strict_policy(get_response):
    def middleware(request):
        response = get_response(request)
        response["Content-Security-Policy"] = POLICY
        return response

    return middleware


class RefusingBackend(ShopBackend):
    """Refuses members whose address begins with "refused"."""

    def can_log_in(self, request, user):
        is_refused = user.email.startswith("refused")
        return super().can_log_in(request, user) and not is_refused
