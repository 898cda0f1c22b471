"""The settings of the tests, for a server. It shares the database of the test run."""

import json
import os
from typing import Any

from tests.settings import *  # noqa: F403  this settings module adds to another one
from tests.settings import DATABASES, MIDDLEWARE
from tests.steps import UNLIMITED

SHARED: Any = {"NAME": os.environ["DATABASE_NAME"], "ATOMIC_REQUESTS": True}
DATABASES = {"default": {**DATABASES["default"], **SHARED}}
DEBUG = True
ROOT_URLCONF = "tests.servers.urls"
MIDDLEWARE = [
    "tests.servers.middleware.Meddling",
    "tests.servers.middleware.Ports",
    *MIDDLEWARE,
]
PIGGY_VERIFY_BASE_URL = os.environ["SANDBOX"]
# Each address can have one code, as on a real site. No other limit is reached.
PIGGY_VERIFY_RATE_LIMITS = {**UNLIMITED, "send_cooldown": "1/60s"}
globals().update(json.loads(os.environ["SERVER_SETTINGS"]))
