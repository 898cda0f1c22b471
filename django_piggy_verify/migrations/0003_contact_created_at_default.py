import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    """Give `created_at` a default, which Django fills in: no column changes."""

    dependencies = [
        ("piggy_verify", "0002_fetch_state"),
    ]

    operations = [
        # As a plain AlterField, SQLite would copy the whole table.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="contact",
                    name="created_at",
                    field=models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="created at"
                    ),
                ),
            ],
        ),
    ]
