"""The invented person behind `hearthbeat demo`: ninety days of data exactly as the phone would post them.

Everything but `show` is pure and seeded: no I/O, no real clock, the standard library alone. Nobody's data was used,
and the routes lie in the open sea around 0°/0°.

    life      what the phone posts, week by week
    story     what each day holds: training, an illness, late weekends, a forgotten watch
    nights    sleep in cycles and stages
    workouts  runs and rides with heart rate, series and route
    motion    the day minute by minute; totals, vitals and the notification are all read off it
    totals    hourly sums
    vitals    readings of the watch, the phone and the scales
    records   state of mind, medications, symptoms, ECG and the heart-rate notification
    show      posts it all to the running appliance through HTTP and tells how it went

Only `show` imports `services` and `domain`; the rest imports nothing of the house.
"""
