"""
What happened, for audit logs and metrics. None carries a code or a token.

Receivers are called with ``send_robust``: one that fails is logged by Django
and breaks no login. They run inside the request, so keep them short.

``code_sent``
    A provider took an order to mail a code. Sender: the provider's class.
    `recipient` (the address), `request`. Not fired for strangers.
``code_rejected``
    A code was wrong, used or expired. Sender: the provider's class.
    `recipient`, `request`.
``contact_verified``
    A right code was traded for a user. Sender: the backend's class.
    `user`, `identity`, `is_new` (whether the user was made now), `request`.
``limit_reached``
    An attempt was turned away. Sender: the `TooManyAttempts` class.
    `limit` (its name), `recipient`, `retry_after` (seconds), `request`.
``auth_token_fetched``
    A contact's auth token came from the provider. Sender: the provider's
    class. `contact`, `expires_at`.

`request` is None where the caller of ``authenticate()`` gave none.
"""

from django.dispatch import Signal

code_sent = Signal()
code_rejected = Signal()
contact_verified = Signal()
limit_reached = Signal()
auth_token_fetched = Signal()
