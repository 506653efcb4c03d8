"""What Hearthbeat talks about, as plain frozen types and pure rules; no I/O of any kind.

Two rules of truth live here because they must be readable on their own: `verdict` (which value wins when the
same sample comes again) and `truth` (one number per hour and day out of overlapping devices and grains).
Imports `appliance.foundation` only.
"""
