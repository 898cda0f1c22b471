"""Check that migrations keep the rows and do not block large tables."""

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection, migrations as ops, models
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.models import NOT_PROVIDED
from django.db.models.functions import Now
from django.utils import timezone

from django_piggy_verify.db.indexes import LowerCaseIndex
from django_piggy_verify.db.operations import AddIndexInUse
from django_piggy_verify.encryption import encrypt
from django_piggy_verify.models import AuthToken, Contact, Tally, binding
from django_piggy_verify.tokens import get_auth_token

APP = "piggy_verify"
MIGRATIONS = MigrationLoader(None).graph.nodes
NAMES = sorted(name for app, name in MIGRATIONS if app == APP)
FIRST, *LATER = NAMES
HEAD = NAMES[-1]
FIRST_RELEASE = "0002_fetch_state"

on_postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="the others do not tell"
)


@pytest.fixture
def schema(transactional_db):
    """Return a function that migrates the tables and returns the apps of that state."""

    def bring_to(name):
        executor = MigrationExecutor(connection)
        executor.migrate([(APP, name)])
        return executor.loader.project_state([(APP, name)] if name else []).apps

    yield bring_to
    bring_to(HEAD)


def settle(apps, uid):
    """Make a user, a contact and a token with the models of that migration."""
    now = timezone.now()
    user = User.objects.create_user(uid)
    contact = apps.get_model(APP, "Contact").objects.create(
        user_id=user.pk, provider="piggy", uid=uid, created_at=now, verified_at=now
    )
    apps.get_model(APP, "AuthToken").objects.create(
        contact=contact,
        ciphertext=encrypt(f"token of {uid}", bound_to=binding("piggy", uid)),
        fetched_at=now,
        expires_at=now + timedelta(hours=1),
    )
    apps.get_model(APP, "Tally").objects.create(key=uid, count=3, ends_at=now)
    return user


@pytest.mark.parametrize("name", NAMES)
def test_rows_survive_the_upgrade(schema, name):
    users = [settle(schema(name), uid) for uid in ("ann", "BEN")]

    schema(HEAD)

    assert [get_auth_token(user) for user in users] == ["token of ann", "token of BEN"]
    assert Contact.objects.filter(fetch_state="", fetch_until=None).count() == 2
    assert Tally.objects.filter(count=3).count() == 2


@pytest.mark.parametrize("name", NAMES)
def test_rows_survive_the_downgrade(schema, name):
    user = settle(schema(HEAD), "ann")

    schema(name)
    schema(HEAD)

    assert get_auth_token(user) == "token of ann"


@pytest.mark.parametrize("name", NAMES[NAMES.index(FIRST_RELEASE) + 1 :])
def test_workers_of_an_older_release_write_into_the_new_tables(schema, name):
    old = schema(name)
    schema(HEAD)

    user = settle(old, "ann")
    old.get_model(APP, "Contact").objects.update(phone="+31612345678")

    assert get_auth_token(user) == "token of ann"
    assert Contact.objects.get().phone == "+31612345678"


def test_all_tables_can_be_removed_and_made_again(schema):
    settle(schema(HEAD), "ann")

    schema(None)
    tables = set(connection.introspection.table_names())
    schema(HEAD)

    assert not {name for name in tables if name.startswith(f"{APP}_")}
    assert not AuthToken.objects.exists()


def is_safe(operation):
    """
    Return whether a table stays readable and writable during an operation.

    New tables are empty. Options change no column. An operation on Django's state alone
    changes no table. `AddIndexInUse` creates an index beside writes. A new column must
    be nullable or have a constant default, which the databases store without
    touching the rows. An index, a constraint, a relation or a change of type makes them
    read or rewrite every row. Old workers fail if a column is removed or renamed.
    """
    if isinstance(operation, ops.AddField):
        return is_safe_column(operation.field)
    if isinstance(operation, ops.SeparateDatabaseAndState):
        return not operation.database_operations
    return isinstance(
        operation,
        (
            ops.CreateModel,
            ops.AlterModelOptions,
            ops.AlterModelManagers,
            AddIndexInUse,
        ),
    )


def is_safe_column(field):
    is_checked = field.unique or field.db_index or field.is_relation
    is_constant = field.has_default() and not callable(field.default)
    is_computed = field.generated or hasattr(field.db_default, "resolve_expression")
    is_filled = field.null or is_constant or is_kept_by_the_database(field)
    return is_filled and not is_checked and not is_computed


def is_kept_by_the_database(field):
    return field.db_default is not NOT_PROVIDED


def is_safe_beside_old_workers(operation):
    """
    Return whether workers of the old release can still write rows.

    Django drops a ``default`` from the table after the existing rows have the value.
    """
    field = getattr(operation, "field", None)
    return field is None or field.null or is_kept_by_the_database(field)


@pytest.mark.parametrize("name", LATER)
def test_no_migration_takes_a_large_table_out_of_service(name):
    operations = MIGRATIONS[APP, name].operations

    assert operations
    assert [each for each in operations if not is_safe(each)] == []


def test_workers_of_the_old_release_can_still_write():
    later = NAMES[NAMES.index(FIRST_RELEASE) + 1 :]
    added = [each for name in later for each in MIGRATIONS[APP, name].operations]

    assert [each for each in added if not is_safe_beside_old_workers(each)] == []


INDEX = models.Index(fields=["email"], name="made_up")
RISKY = {
    "index": ops.AddIndex("contact", INDEX),
    "constraint": ops.AddConstraint(
        "contact", models.UniqueConstraint(fields=["email"], name="made_up")
    ),
    "unique": ops.AddField("contact", "it", models.CharField(unique=True)),
    "indexed": ops.AddField("contact", "it", models.SlugField(default="")),
    "relation": ops.AddField(
        "contact", "it", models.ForeignKey("auth.Group", models.CASCADE, null=True)
    ),
    "no default": ops.AddField("contact", "it", models.CharField()),
    "computed": ops.AddField("contact", "it", models.DateField(default=timezone.now)),
    "computed there": ops.AddField("contact", "it", models.DateField(db_default=Now())),
    "other type": ops.AlterField("tally", "count", models.BigIntegerField()),
    "renamed": ops.RenameField("contact", "email", "address"),
    "removed": ops.RemoveField("contact", "phone"),
    "table renamed": ops.RenameModel("Tally", "Count"),
    "table removed": ops.DeleteModel("Tally"),
    "SQL": ops.RunSQL("UPDATE piggy_verify_contact SET phone = ''"),
    "code": ops.RunPython(ops.RunPython.noop),
    "beside the state": ops.SeparateDatabaseAndState(
        [ops.RemoveField("contact", "phone")]
    ),
}
SAFE = {
    "nullable": ops.AddField("contact", "it", models.DateTimeField(null=True)),
    "constant": ops.AddField("contact", "it", models.CharField(default="")),
    "known there": ops.AddField("contact", "it", models.CharField(db_default="")),
    "index in use": AddIndexInUse("contact", INDEX),
    "table": ops.CreateModel("It", [("id", models.BigAutoField(primary_key=True))]),
    "options": ops.AlterModelOptions("contact", {"verbose_name": "member"}),
    "state": ops.SeparateDatabaseAndState([], [ops.RemoveField("contact", "phone")]),
}


@pytest.mark.parametrize("operation", RISKY.values(), ids=RISKY)
def test_a_blocking_operation_is_detected(operation):
    assert not is_safe(operation)


@pytest.mark.parametrize("operation", SAFE.values(), ids=SAFE)
def test_a_harmless_operation_is_allowed(operation):
    assert is_safe(operation)


@pytest.mark.parametrize(
    ("name", "is_written"),
    [("constant", False), ("nullable", True), ("known there", True), ("options", True)],
)
def test_workers_of_the_old_release_need_a_database_default(name, is_written):
    assert is_safe_beside_old_workers(SAFE[name]) is is_written


@pytest.fixture
def sql_of():
    """Return a function that returns the SQL of an operation on contacts."""

    def collect(operation):
        state = MigrationLoader(connection).project_state()
        with connection.schema_editor(collect_sql=True, atomic=False) as editor:
            operation.database_forwards(APP, editor, state, state)
        return "".join(editor.collected_sql)

    return collect


def test_postgresql_creates_an_index_beside_writes(transactional_db, sql_of):
    sql = sql_of(AddIndexInUse("contact", INDEX))

    assert "made_up" in sql
    assert ("CONCURRENTLY" in sql) == (connection.vendor == "postgresql")


def test_a_lower_case_index_holds_lower_case_where_the_case_counts(
    transactional_db, sql_of
):
    index = LowerCaseIndex(fields=["email"], name="made_up")

    sql = sql_of(AddIndexInUse("contact", index))

    assert ("LOWER(" in sql) == (connection.vendor != "mysql")


class Elsewhere:
    """A router that wants the tables in another database."""

    def allow_migrate(self, *args, **hints):
        return False


def test_an_index_is_created_where_the_table_is(transactional_db, sql_of, settings):
    settings.DATABASE_ROUTERS = [f"{__name__}.Elsewhere"]

    assert sql_of(AddIndexInUse("contact", INDEX)) == ""


def files_of(apps):
    """Return the file of each table in PostgreSQL. A rewrite changes the file."""
    tables = [model._meta.db_table for model in apps.get_app_config(APP).get_models()]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, pg_relation_filenode(oid) FROM pg_class"
            " WHERE relname = ANY(%s)",
            [tables],
        )
        return dict(cursor.fetchall())


@on_postgresql
def test_postgresql_rewrites_no_table(schema):
    apps = schema(FIRST)
    settle(apps, "ann")
    before = files_of(apps)

    schema(HEAD)

    assert len(before) == 3
    assert files_of(apps) == before


@on_postgresql
def test_a_rewrite_of_a_table_is_detected(schema):
    apps = schema(FIRST)
    before = files_of(apps)

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE piggy_verify_tally ALTER count TYPE bigint")
        after = files_of(apps)
        cursor.execute("ALTER TABLE piggy_verify_tally ALTER count TYPE integer")

    assert {name for name in before if before[name] != after[name]} == {
        "piggy_verify_tally"
    }


PROJECT = """
import django
from django.conf import settings
from django.core.management import call_command
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    AUTH_USER_MODEL="members.Member",
    INSTALLED_APPS=["django.contrib.contenttypes", "members", "django_piggy_verify"],
)
django.setup()
from django.db import connection
from members.models import Member
from django_piggy_verify.models import Contact
call_command("makemigrations", "piggy_verify", check_changes=True, dry_run=True)
call_command("migrate", run_syncdb=True, verbosity=0)
with connection.cursor() as cursor:
    table = Contact._meta.db_table
    rows = connection.introspection.get_table_description(cursor, table)
    kinds = {each.name: each.type_code for each in rows}
print(type(Contact._meta.pk).__name__, kinds["user_id"].lower())
"""
MEMBER = """
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
class Member(AbstractBaseUser):
    id = models.{kind}(primary_key=True)
    name = models.CharField(unique=True)
    USERNAME_FIELD = "name"
"""


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        ("AutoField", "integer"),
        ("BigAutoField", "bigint"),
        ("UUIDField", "char(32)"),
        ("TextField", "text"),
    ],
)
def test_the_tables_follow_the_users_of_a_project(tmp_path, kind, column):
    (tmp_path / "members").mkdir()
    (tmp_path / "members" / "__init__.py").touch()
    (tmp_path / "members" / "models.py").write_text(MEMBER.format(kind=kind))
    path = os.pathsep.join([str(tmp_path), *sys.path])

    command = [sys.executable, "-W", "error", "-c", PROJECT]
    environment = {**os.environ, "PYTHONPATH": path}
    run = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env=environment
    )

    assert run.stdout.splitlines() == [
        "No changes detected in app 'piggy_verify'",
        f"BigAutoField {column}",
    ]
