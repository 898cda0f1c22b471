"""A small shop with a members' page, as a user of the package would write it."""
