"""Rate limits: fixed windows, counted in the database."""
