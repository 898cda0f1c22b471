"""
Hold every provider to the same promises, whatever its vendor answers.

`cases` is the table of cases. `adapters` has what the suite must know of each vendor.
``python -m tests.conformance`` runs the suite and prints a table: vendor by case.
"""
