"""A web server on 127.0.0.1 that answers well or badly, as a test tells it, request by request."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHUNK = 1000


@dataclass
class Asked:
    """What a request said."""

    path: str
    range: str | None
    if_range: str | None
    accepts: str | None


@dataclass
class CutServer:
    """The file it serves, how it answers the next requests (honestly, when nothing is left), and what it was asked."""

    content: bytes
    etag: str | None = '"one"'
    modified: str | None = None
    answers: list["Answer"] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)  # ends every silence
    address: str = ""

    def url(self, path: str = "/file.pkl") -> str:
        return self.address + path

    @property
    def ranges(self) -> list[str | None]:
        return [each.range for each in self.asked]


Answer = Callable[["Handler", CutServer], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: CutServer

    def do_GET(self) -> None:
        said = self.headers
        self.served.asked.append(Asked(self.path, said["Range"], said["If-Range"], said["Accept-Encoding"]))
        answer = self.served.answers.pop(0) if self.served.answers else honest
        self.close_connection = True
        answer(self, self.served)

    def head(self, status: int, **headers: object) -> None:
        """Status and headers; `content_length=5` is `Content-Length: 5`, and None leaves a header out."""
        self.send_response(status)
        self.send_header("Connection", "close")
        for name, value in headers.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def part(self) -> tuple[int, bytes]:
        """Status and bytes as an honest server has them for this request."""
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        fresh = self.headers["If-Range"] in (self.served.etag, self.served.modified)
        if not wanted or not fresh:
            return 200, self.served.content
        return 206, self.served.content[int(wanted[1]) :]

    def usual(self, status: int, body: bytes, **changed: object) -> None:
        """The headers of an honest answer, some of them changed."""
        whole = len(self.served.content)
        headers: dict[str, object] = {
            "Content_Length": len(body),
            "Content_Range": f"bytes {whole - len(body)}-{whole - 1}/{whole}" if status == 206 else None,
            "ETag": self.served.etag,
            "Last_Modified": self.served.modified,
        }
        self.head(status, **headers | changed)

    def log_message(self, format: str, *args: object) -> None:
        """A test server says nothing."""


def honest(handler: Handler, served: CutServer) -> None:
    status, body = handler.part()
    if status == 206 and not body:
        return handler.head(416, Content_Length=0, Content_Range=f"bytes */{len(served.content)}")
    handler.usual(status, body)
    handler.wfile.write(body)


def cut(after: int) -> Answer:
    """All is announced, and the connection ends after so many bytes."""

    def answer(handler: Handler, served: CutServer) -> None:
        status, body = handler.part()
        handler.usual(status, body)
        handler.wfile.write(body[:after])

    return answer


def ignoring_range(after: int | None = None) -> Answer:
    """The whole file, whatever is asked for; perhaps cut."""

    def answer(handler: Handler, served: CutServer) -> None:
        handler.usual(200, served.content)
        handler.wfile.write(served.content[:after])

    return answer


def lying(body: bytes | None = None, **changed: object) -> Answer:
    """An honest answer but for some headers, or for other bytes."""

    def answer(handler: Handler, served: CutServer) -> None:
        status, honestly = handler.part()
        handler.usual(status, honestly, **changed)
        handler.wfile.write(honestly if body is None else body)

    return answer


def status(number: int, **headers: object) -> Answer:
    return lambda handler, served: handler.head(number, Content_Length=0, **headers)


def redirect(target: str, number: int = 302) -> Answer:
    return status(number, Location=target)


def chunked(cut_after: int | None = None) -> Answer:
    """The file in chunks, with no length; perhaps without its end."""

    def answer(handler: Handler, served: CutServer) -> None:
        handler.usual(200, b"", Content_Length=None, Transfer_Encoding="chunked")
        sent = served.content[:cut_after]
        for start in range(0, len(sent), CHUNK):
            piece = sent[start : start + CHUNK]
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        if cut_after is None:
            handler.wfile.write(b"0\r\n\r\n")

    return answer


def unending(**changed: object) -> Answer:
    """Bytes without end and without a length, until nobody listens."""

    def answer(handler: Handler, served: CutServer) -> None:
        handler.usual(200, b"", **{"Content_Length": None} | changed)
        try:
            while True:
                handler.wfile.write(bytes(CHUNK))
        except OSError:
            return

    return answer


def silent(after: int) -> Answer:
    """So many bytes, then nothing, with the connection open until the test is over."""

    def answer(handler: Handler, served: CutServer) -> None:
        status, body = handler.part()
        handler.usual(status, body)
        handler.wfile.write(body[:after])
        served.released.wait()

    return answer


def trickling(handler: Handler, served: CutServer) -> None:
    """An honest answer, byte by byte."""
    status, body = handler.part()
    handler.usual(status, body)
    for byte in body:
        handler.wfile.write(bytes([byte]))


@contextmanager
def serving(content: bytes, *answers: Answer) -> Iterator[CutServer]:
    """A running server, gone when the block ends."""
    served = CutServer(content, answers=list(answers))
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"served": served}))
    server.daemon_threads = True
    served.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        served.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
