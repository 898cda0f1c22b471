"""Change the schema of a large table that is in use."""

from typing import Any

from django.db import migrations
from django.db.migrations.state import ProjectState


class AddIndexInUse(migrations.AddIndex):
    """
    Add an index while the table stays readable and writable.

    PostgreSQL needs to be told so, outside any transaction. MariaDB does so anyway.
    """

    # Django's AddIndexConcurrently knows PostgreSQL alone.
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
