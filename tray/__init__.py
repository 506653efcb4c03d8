"""The icon beside the clock: starts the server or finds the one that runs, says how it is, and offers what one wants of it.

Imports `appliance.foundation` and nothing else of the appliance; a running server is asked over HTTP, on this computer.
"""
