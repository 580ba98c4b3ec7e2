"""HTTP/2 frames as octets, and a connection that sends whatever it is told to. Header blocks are literals without an
index, so that a block means the same on every connection."""
import select
import socket
import struct
import time

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
ERRORS = ["NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
          "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
          "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"]
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = 1, 2, 3, 4, 5


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def u32(number):
    return struct.pack(">I", number)


def settings(*pairs):
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", name, value) for name, value in pairs))


def text(octets):
    """A string of HPACK, not compressed."""
    if len(octets) < 127:
        return bytes([len(octets)]) + octets
    out, left = b"\x7f", len(octets) - 127
    while left >= 128:
        out += bytes([128 | left & 127])
        left >>= 7
    return out + bytes([left]) + octets


def block(*fields):
    return b"".join(b"\0" + text(name) + text(value) for name, value in fields)


def request(method=b"GET", path=b"/v1/products", *more):
    return block((b":method", method), (b":scheme", b"http"), (b":path", path), (b":authority", b"x"), *more)


def headers(stream, fields, flags=END_HEADERS | END_STREAM):
    return frame(HEADERS, flags, stream, fields)


def reset(stream, code=8):
    return frame(RST_STREAM, 0, stream, u32(code))


def window(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, u32(increment))


class Connection:
    """One to the server. What it sends is kept until the server takes it; what comes is taken apart into frames."""

    def __init__(self, address, *pairs, preface=True):
        self.socket = socket.create_connection(address, timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.unsent, self.got = bytearray(), bytearray()
        self.frames = []  # (kind, flags, stream, payload)
        self.ended = False
        self.sent = 0
        if preface:
            self.send(PREFACE + settings(*pairs))

    def send(self, octets, within=3.0, read=True):
        """Until the server has taken it. False: it has not within that time, or has ended."""
        self.unsent += octets
        until = time.monotonic() + within
        while self.unsent and not self.ended:
            left = until - time.monotonic()
            if left <= 0:
                return False
            readable, writable, _ = select.select([self.socket] if read else [], [self.socket], [], left)
            if readable:
                self.take()
            if writable and not self.ended:
                try:
                    count = self.socket.send(self.unsent[:65536])
                    del self.unsent[:count]
                    self.sent += count
                except BlockingIOError:
                    pass
                except OSError:
                    self.drain_after_end()
        return not self.ended

    def drain_after_end(self):
        """The server has closed: what it said before is still there, unless a reset has thrown it away."""
        while not self.ended:
            if not self.take():
                self.ended = True

    def take(self):
        """What has come. False: nothing."""
        try:
            octets = self.socket.recv(1 << 20)
        except BlockingIOError:
            return False
        except OSError:
            self.ended = True
            return False
        if not octets:
            self.ended = True
            return False
        self.got += octets
        while len(self.got) >= 9:
            size = int.from_bytes(self.got[:3], "big")
            if len(self.got) < 9 + size:
                break
            kind, flags, stream = struct.unpack(">BBI", self.got[3:9])
            self.frames.append((kind, flags, stream, bytes(self.got[9:9 + size])))
            del self.got[:9 + size]
        return True

    def until(self, done, within=5.0):
        """Reads until done() or the end. False: neither came within that time."""
        until = time.monotonic() + within
        while not done() and not self.ended:
            left = until - time.monotonic()
            if left <= 0:
                return False
            if select.select([self.socket], [], [], left)[0]:
                self.take()
        return done()

    def goaway(self):
        """Its error, or None."""
        for kind, _, _, payload in self.frames:
            if kind == GOAWAY:
                code = struct.unpack(">I", payload[4:8])[0]
                return ERRORS[code]
        return None

    def resets(self):
        """How often each error was the end of a stream."""
        counts = {}
        for kind, _, _, payload in self.frames:
            if kind == RST_STREAM:
                name = ERRORS[struct.unpack(">I", payload)[0]]
                counts[name] = counts.get(name, 0) + 1
        return counts

    def windows(self, stream):
        """What was given back of it."""
        return sum(struct.unpack(">I", f[3])[0] for f in self.frames if f[0] == WINDOW_UPDATE and f[2] == stream)

    def answered(self, stream):
        return any(f[2] == stream and f[1] & END_STREAM and f[0] in (DATA, HEADERS) for f in self.frames)

    def close(self):
        self.socket.close()
