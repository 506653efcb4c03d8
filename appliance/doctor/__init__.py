"""What is wrong with an appliance and how to mend it, found without changing anything.

Imports everything below it. It has to work where nothing else does: with wrong settings, a broken database, no server.
"""
