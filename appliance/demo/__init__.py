"""The invented person behind `hearthbeat demo`: ninety days of data exactly as the phone would post them.

Everything but `archive` and `show` is pure and seeded: no I/O, no real clock, the standard library alone. Nobody's data was used,
and the routes lie in the open sea around 0°/0°.

    life      what the phone posts, week by week
    story     what each day holds: training, an illness, late weekends, a forgotten watch
    nights    sleep in cycles and stages
    workouts  runs and rides with heart rate, series and route
    motion    the day minute by minute; totals, vitals and the notification are all read off it
    totals    hourly sums
    vitals    readings of the watch, the phone and the scales
    records   state of mind, medications, symptoms, ECG and the heart-rate notification
    history   the years before the posted days and those days once more, as Apple's export tells them
    devices   what watch, phone and an app have counted, each for itself, as raw records
    readings  single readings, nights and rarer records, as raw records
    spelling  how an export writes all that
    archive   the export as a zip, written day by day
    show      posts it all to the running appliance through HTTP, imports the export and tells how it went

Only `archive` writes files, and only `show` imports `services` and `domain`; the rest imports nothing of the house.
"""
