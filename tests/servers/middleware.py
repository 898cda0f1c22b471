"""Middleware of the servers."""

import gc
import time

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.deprecation import MiddlewareMixin


def nothing(response):
    return response


def replace(_response):
    return HttpResponse("replaced")


def stream(_response):
    return StreamingHttpResponse(iter(["streamed, ", "part by part"]))


def fail(_response):
    raise RuntimeError("of a test")


def linger(response):
    time.sleep(0.5)
    return response


def count(_response):
    """Return how many requests this process keeps, with this one."""
    gc.collect()
    return HttpResponse(sum(isinstance(each, HttpRequest) for each in gc.get_objects()))


KINDS = (nothing, replace, stream, fail, linger, count)
MEDDLINGS = {each.__name__: each for each in KINDS}


class Meddling(MiddlewareMixin):
    """Does to the response what a header of the request says."""

    def process_response(self, request, response):
        return MEDDLINGS[request.headers.get("X-Meddling", "nothing")](response)


class Ports(MiddlewareMixin):
    """Tells the requests of one connection from those of others."""

    def process_response(self, request, response):
        response["X-Port"] = request.META["REMOTE_PORT"]
        return response
