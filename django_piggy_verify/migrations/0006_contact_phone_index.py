from django.db import migrations, models

from django_piggy_verify.db.operations import AddIndexInUse


class Migration(migrations.Migration):
    """Add the index with which the admin finds a phone number."""

    # In a transaction, PostgreSQL cannot create an index without blocking writes.
    atomic = False

    dependencies = [
        ("piggy_verify", "0005_consents_and_challenges"),
    ]

    operations = [
        AddIndexInUse(
            model_name="contact",
            index=models.Index(fields=["phone"], name="piggy_verify_contact_phone"),
        ),
    ]
