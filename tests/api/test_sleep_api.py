def test_try(phone):
    from tests.fixtures.documents import document, metric
    n={"date":"2026-08-08 00:00:00 +0200","totalSleep":7.02,"asleep":0,"core":4.5,"deep":.8,"rem":1.72,"awake":.5,"sleepStart":"2026-08-07 23:10:00 +0200","sleepEnd":"2026-08-08 06:40:00 +0200","inBed":0,"inBedStart":"2026-08-07 23:10:00 +0200","inBedEnd":"2026-08-08 06:40:00 +0200","source":"W"}
    print(phone.send(document(metric("sleep_analysis","hr",n))))
    print(phone.send(document(metric("sleep_analysis","hr",n))))
    print(phone.get("/api/v1/sleep"))
    print(phone.get("/api/v1/sleep/2026-08-08"))
    print(phone.days("sleep_total"))
    assert 0
