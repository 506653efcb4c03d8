import http.client
import socket
import threading
import time

from waitress.server import create_server

from tests.api.test_export_api import *


def test_live(long_history, app, services, monkeypatch):
    taken = []
    real = export.Export._series

    def spy(self, *a):
        for page in real(self, *a):
            taken.append(len(page))
            yield page

    monkeypatch.setattr(export.Export, "_series", spy)
    server = create_server(app, host="127.0.0.1", port=0, threads=2)
    port = server.effective_port
    threading.Thread(target=server.run, daemon=True).start()
    c = http.client.HTTPConnection("127.0.0.1", port)
    c.request("GET", "/api/v1/export?format=ndjson", headers={"X-API-Key": long_history.key})
    r = c.getresponse()
    print(r.status, dict(r.headers))
    n = len(r.read())
    print(n, len(taken))
    c.close()
    taken.clear()
    s = socket.create_connection(("127.0.0.1", port))
    s.sendall(
        f"GET /api/v1/export?format=ndjson HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {long_history.key}\r\n\r\n".encode()
    )
    s.recv(1000)
    s.close()
    time.sleep(6)
    a = len(taken)
    time.sleep(3)
    print("after hang-up", a, len(taken))
    assert a == len(taken) < 31
    server.close()
