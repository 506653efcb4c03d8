"""What the appliance does without being asked: the worker for large uploads, and upkeep at its times.

Imports `services` and what lies below.
"""
