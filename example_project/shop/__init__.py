"""A small shop with a page for members, as a user of the package would write it."""
