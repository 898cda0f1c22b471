from django_piggy_verify.backends import PiggyBackend


class FussyBackend(PiggyBackend):
    """Refuses members whose address begins with "no"."""

    def can_log_in(self, request, user):
        return super().can_log_in(request, user) and not user.email.startswith("no")
