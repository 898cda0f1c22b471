"""Database routers that projects may have."""


class ReadsFromReplica:
    """Sends all reads to a replica that does not exist, so each read fails."""

    def db_for_read(self, model, **hints):
        return "replica"


class SplitsUsersOff:
    """Writes users to another database than all other rows."""

    def db_for_write(self, model, **hints):
        return "elsewhere" if model._meta.app_label == "auth" else None


class SplitsCountsOff:
    """Writes the counts to another database than all other rows."""

    def db_for_write(self, model, **hints):
        return "elsewhere" if model._meta.model_name == "tally" else None
