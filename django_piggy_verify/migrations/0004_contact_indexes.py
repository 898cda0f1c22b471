from django.db import migrations, models

from django_piggy_verify.db.indexes import LowerCaseIndex
from django_piggy_verify.db.operations import AddIndexInUse


class Migration(migrations.Migration):
    """Add the indexes that the admin needs for a million contacts."""

    # In a transaction, PostgreSQL cannot create an index without blocking writes.
    atomic = False

    dependencies = [
        ("piggy_verify", "0003_contact_created_at_default"),
    ]

    operations = [
        AddIndexInUse(
            model_name="contact",
            index=LowerCaseIndex(fields=["email"], name="piggy_verify_contact_email"),
        ),
        AddIndexInUse(
            model_name="contact",
            index=models.Index(fields=["uid"], name="piggy_verify_contact_by_uid"),
        ),
        AddIndexInUse(
            model_name="contact",
            index=models.Index(
                fields=["verified_at"], name="piggy_verify_contact_seen"
            ),
        ),
    ]
