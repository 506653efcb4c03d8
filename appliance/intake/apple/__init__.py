"""Apple's “Export All Health Data”: the archive, its elements, and what they say.

archive    the zip, the folder or the bare XML file, and what is in it
elements   one top-level element at a time, whatever happened to its neighbours
export     the whole export as a stream of parts, each a `Reading`

Imports the rest of `intake`, `catalog`, `domain` and `foundation`; no database.
"""
