"""
Send a code or a link, and check it.

Pages, forms and the backend call these functions. `sending` and `checking` do the work.
"""

from django_piggy_verify.login.challenges import channel_to, traits
from django_piggy_verify.login.checking import (
    check_code,
    check_link,
    require_attempts_left,
)
from django_piggy_verify.login.counted_checks import CheckedCode
from django_piggy_verify.login.failed_sends import require_sent
from django_piggy_verify.login.next_steps import Step, waits_for_steps
from django_piggy_verify.login.sending import send_again, send_code

__all__ = [
    "CheckedCode",
    "Step",
    "channel_to",
    "check_code",
    "check_link",
    "require_attempts_left",
    "require_sent",
    "send_again",
    "send_code",
    "traits",
    "waits_for_steps",
]
