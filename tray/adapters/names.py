"""The names of the adapters, for who chooses one; this imports nothing, so that the command can tell them at once."""

NAMES = ("auto", "pystray", "dbus", "none")
