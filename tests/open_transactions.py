"""Note whether a transaction is open while a vendor is called."""

from django.db import connection


def watch(monkeypatch, provider, names):
    """Watch these methods of a provider. Return whether a transaction was open."""
    seen = {}

    def watched(name, real):
        def call(*args):
            seen[name] = connection.in_atomic_block
            return real(*args)

        return call

    for name in names:
        monkeypatch.setattr(provider, name, watched(name, getattr(provider, name)))
    return seen
