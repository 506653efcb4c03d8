"""What every layer may lean on: errors, settings, paths, the clock, logs and telemetry.

Imports the standard library and small libraries only, and nothing of Hearthbeat.
"""
