"""The schema, from the first release on."""
