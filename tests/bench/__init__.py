"""Measures, never asserts. `python3 run.py bench` runs all of it; a name after it runs one."""
