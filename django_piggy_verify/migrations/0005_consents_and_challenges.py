import django.db.models.deletion
from django.db import migrations, models

import django_piggy_verify.models


class Migration(migrations.Migration):
    """Add the tables of consents and open challenges, and the refresh token."""

    dependencies = [
        ("piggy_verify", "0004_contact_indexes"),
    ]

    operations = [
        migrations.CreateModel(
            name="OpenChallenge",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                (
                    "key",
                    django_piggy_verify.models.ExactCharField(
                        db_index=True, max_length=64, verbose_name="keyed hash"
                    ),
                ),
                (
                    "ciphertext",
                    models.BinaryField(verbose_name="encrypted state"),
                ),
                (
                    "ends_at",
                    models.DateTimeField(db_index=True, verbose_name="ends at"),
                ),
            ],
            options={
                "verbose_name": "open challenge",
                "verbose_name_plural": "open challenges",
            },
        ),
        migrations.AddField(
            model_name="authtoken",
            name="refresh_ciphertext",
            field=models.BinaryField(null=True, verbose_name="encrypted refresh token"),
        ),
        migrations.CreateModel(
            name="Consent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                (
                    "kind",
                    django_piggy_verify.models.ExactCharField(
                        max_length=32, verbose_name="kind"
                    ),
                ),
                (
                    "version",
                    django_piggy_verify.models.ExactCharField(
                        max_length=64, verbose_name="version"
                    ),
                ),
                ("given_at", models.DateTimeField(verbose_name="given at")),
                (
                    "contact",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="consents",
                        to="piggy_verify.contact",
                        verbose_name="contact",
                    ),
                ),
            ],
            options={
                "verbose_name": "consent",
                "verbose_name_plural": "consents",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("contact", "kind", "version"),
                        name="piggy_verify_consent_once",
                    )
                ],
            },
        ),
    ]
