"""What the appliance does without being asked: the worker for large uploads.

Imports `services` and what lies below.
"""
