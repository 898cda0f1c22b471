"""Send mails over SMTP, and keep them for the members who read them here."""

from collections.abc import Sequence

from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend


class KeepingBackend(EmailBackend):
    """The SMTP backend of Django. It also puts the mails into ``mail.outbox``."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Send the mails, and return how many were sent."""
        mail.outbox.extend(email_messages)
        return super().send_messages(email_messages)
