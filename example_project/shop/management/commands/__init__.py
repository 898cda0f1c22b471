"""The commands of the example, one in each module."""
