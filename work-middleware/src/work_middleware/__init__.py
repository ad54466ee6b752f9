"""Middleware for work: each module is one plug-in, found by its entry-point name.

Importing this package imports none of them.
"""
