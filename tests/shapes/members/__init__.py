"""An app with user models as other projects have them, and with migrations."""
