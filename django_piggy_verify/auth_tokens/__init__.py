"""The auth tokens of contacts: fetched once, stored encrypted, read from the cache."""
