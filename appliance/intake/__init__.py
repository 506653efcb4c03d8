"""Bytes in, domain out: pure, one reader per shape and never one per metric.

`document` opens a body, `timestamps` reads every date spelling seen, `metrics` reads the metric array, and
`reading` puts the whole together. Nothing here invents a value: what is not understood is quarantined with a
reason. Imports `catalog`, `domain` and `foundation`.
"""
