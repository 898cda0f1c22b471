"""An index that ignores the case of letters, on every database."""

from typing import Any

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models.functions import Lower


class LowerCaseIndex(models.Index):
    """
    An index of text fields for comparisons that ignore case: see `lowered`.

    With Django's own index of an expression, Django warns about MariaDB (models.W043).
    """

    def create_sql(
        self,
        model: type[models.Model],
        schema_editor: BaseDatabaseSchemaEditor,
        using: str = "",
        **kwargs: Any,
    ) -> Any:
        """Index the values in lower case, except where the collation ignores case."""
        index: models.Index = self
        if not _ignores_case(schema_editor.connection):
            index = models.Index(*map(Lower, self.fields), name=self.name)
        return models.Index.create_sql(index, model, schema_editor, using, **kwargs)


def lowered(field: str, alias: str) -> models.F | Lower:
    """Return what `LowerCaseIndex` has stored for `field` in this database."""
    return models.F(field) if _ignores_case(connections[alias]) else Lower(field)


def _ignores_case(connection: BaseDatabaseWrapper) -> bool:
    # MariaDB has no index of an expression. Its collations ignore case by default.
    return connection.vendor == "mysql"
