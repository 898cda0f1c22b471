"""The settings of the example, with values from the environment of one test."""

import json
import os

from shop.settings import *  # noqa: F403  this settings module adds to another one

PIGGY_VERIFY_SEND_FLOOR = 0
globals().update(json.loads(os.environ.get("EXAMPLE_SETTINGS", "{}")))
