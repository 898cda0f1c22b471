"""
The signals, for audit logs and metrics. No signal carries a code or a token.

Receivers are called with ``send_robust``. Django logs a receiver that fails, and the
login goes on. Receivers run during the request, so keep them short. Only receivers of
``code_sent``, and of ``auth_token_fetched`` at a login, run after the response, in
another thread. The `request` of ``code_sent`` has no ``POST`` and no body then.

``code_sent``
    The provider accepted a request to send a code. Sender: the provider's class.
    `recipient` (the address or number), `channel` ("email", "sms" or "link"),
    `request`. Not sent for strangers.
``code_rejected``
    A code was wrong, used or expired. Sender: the provider's class.
    `recipient`, `request`.
``contact_verified``
    A code was right, and its user was found or created. Everything is committed.
    Sender: the backend's class. `user`, `identity`, `is_new` (whether the user was
    created now), `request`.
``step_up_recommended``
    A code was right, and the provider recommends a further check of the person. Sent
    after ``contact_verified`` or ``contact_connected``, with the same sender. `user`,
    `identity`, `hint` (the provider's word for the check), `request`.
``contact_connected``
    A user who is logged in has connected a contact. Everything is committed. Sender:
    the model `Contact`. `user`, `identity`, `is_new` (False if the user had connected
    the same contact before), `request`.
``contact_disconnected``
    A user has disconnected a contact. Everything is committed. Sender: the model
    `Contact`. `user`, `provider` (its name), `uid`, `request`.
``limit_reached``
    A limit refused an attempt. Sender: the `TooManyAttempts` class.
    `limit` (its name), `recipient`, `retry_after` (seconds), `request`.
``auth_token_fetched``
    The provider issued an auth token of a contact. Sender: the provider's class.
    `contact`, `expires_at`.

`request` is None if ``authenticate()`` was called without a request.
"""

from django.dispatch import Signal

code_sent = Signal()
code_rejected = Signal()
contact_verified = Signal()
step_up_recommended = Signal()
contact_connected = Signal()
contact_disconnected = Signal()
limit_reached = Signal()
auth_token_fetched = Signal()
