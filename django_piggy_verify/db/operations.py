"""Change the schema of a large table that is in use."""

from typing import Any

from django.db import migrations
from django.db.migrations.state import ProjectState


class AddIndexInUse(migrations.AddIndex):
    """
    Add an index while the table stays readable and writable.

    PostgreSQL needs an option for this, and no transaction. MariaDB always does this.
    """

    # Django's AddIndexConcurrently works on PostgreSQL only.
    atomic = False

    def database_forwards(
        self,
        app_label: str,
        schema_editor: Any,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Create the index."""
        connection = schema_editor.connection
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(connection.alias, model):
            is_postgresql = connection.vendor == "postgresql"
            options = {"concurrently": True} if is_postgresql else {}
            schema_editor.add_index(model, self.index, **options)
