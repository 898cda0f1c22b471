"""The template-tag library ``piggy_verify``."""
