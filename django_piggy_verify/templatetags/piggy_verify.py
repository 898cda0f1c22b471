"""Filters that write durations in words: ``{% load piggy_verify %}``."""

from django import template

from django_piggy_verify import durations

register = template.Library()

register.filter(durations.in_words)
register.filter(durations.about)
