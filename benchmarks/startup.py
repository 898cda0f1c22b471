"""
Measure what an installed app adds to the cost of `django.setup()`.

django-sesame is left out, because it is a backend and not an app.

Install the dependency group `benchmarks`, and run ``python benchmarks/startup.py
[--quick]``. Each figure is the median over new processes, which take turns. The first
turn fills the caches and does not count.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.rows import Row, emit

ROOT: Final = Path(__file__).parents[1]
BARE: Final = "bare Django"
OURS: Final = "this package"
GOAL: Final = 1.03
APPS: Final[Mapping[str, Sequence[str]]] = {
    BARE: (),
    OURS: ("django_piggy_verify",),
    "django-allauth": ("allauth", "allauth.account"),
    "drfpasswordless": (
        "rest_framework",
        "rest_framework.authtoken",
        "drfpasswordless",
    ),
    "django-magiclink": ("magiclink",),
}
URLS: Final[Mapping[str, Sequence[str]]] = {
    OURS: ("django_piggy_verify.urls",),
    "django-allauth": ("allauth.account.urls",),
    "drfpasswordless": ("drfpasswordless.urls",),
    "django-magiclink": ("magiclink.urls",),
}
PROCESS: Final = """
import json, resource, sys, time
began = time.process_time()
import django
from django.conf import settings
settings.configure(
    SECRET_KEY="for measurements only, and long enough: 0123456789abcdef",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
        *json.loads(sys.argv[1]),
    ],
    MIDDLEWARE=["allauth.account.middleware.AccountMiddleware"],
    PASSWORDLESS_AUTH={
        "PASSWORDLESS_AUTH_TYPES": ["EMAIL"],
        "PASSWORDLESS_EMAIL_NOREPLY_ADDRESS": "noreply@example.com",
    },
)
django.setup()
costs = {"CPU time": time.process_time() - began}
costs["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
import django.urls
for name in json.loads(sys.argv[2]):
    __import__(name)
costs["CPU time with URLs"] = time.process_time() - began
print(json.dumps(costs))
"""


def cost(name: str) -> dict[str, float]:
    """Set up Django in a new process, and return the cost."""
    lists = (json.dumps(APPS[name]), json.dumps(URLS.get(name, ())))
    command = [sys.executable, "-c", PROCESS, *lists]
    run = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    costs: dict[str, float] = json.loads(run.stdout)
    return costs


def main(*, is_quick: bool) -> None:
    """Measure all apps in turn, and print what each adds."""
    _warm_up, *turns = (
        {name: cost(name) for name in APPS} for _ in range(4 if is_quick else 26)
    )
    for name in list(APPS)[1:]:
        for what in turns[0][BARE]:
            emit(
                Row(
                    measure=f"django.setup(): {what} of {name}",
                    against=BARE,
                    value=median(turn[name][what] / turn[BARE][what] for turn in turns),
                    goal=GOAL if (name, what) == (OURS, "CPU time") else None,
                )
            )


if __name__ == "__main__":
    main(is_quick="--quick" in sys.argv)
