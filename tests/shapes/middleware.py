"""Name the process of each response."""

import os


def name_worker(get_response):
    def middleware(request):
        response = get_response(request)
        response["X-Worker"] = os.getpid()
        return response

    return middleware
