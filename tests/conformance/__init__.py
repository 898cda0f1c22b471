"""
Hold every provider to the same promises, whatever its vendor answers.

`cases` is the table of cases. The login pages and the connect pages are held to it.
`adapters` lists what the suite must know of a vendor. The modules `piggy`, `verifik`,
`punchh` and `transmit` say it for their vendors. ``python -m tests.conformance`` runs
the suite and prints a table of each kind of pages: vendor by case.
"""
