"""Do something in many threads at the same time."""

from concurrent.futures import ThreadPoolExecutor

from django.db import connections

THREADS = 25
"""PostgreSQL has a hundred connections, which two test runs may share."""


def at_once(act, each):
    """Call `act` with each of `each` in threads at once, and return the results."""

    def acting(one):
        try:
            return act(one)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(acting, each))
