"""One request for a file over HTTP: redirects followed with care, and what the answer claims read before its bytes."""

import base64
import http.client
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from skelray.errors import BadInput

PIECE = 1 << 16  # bytes that are read at once: what a stop or a broken connection loses at most
REDIRECTS = 5
AT_MOST = 1 << 20  # seconds; a header can ask for no longer wait


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, and how often to ask again."""

    tries: int = 6  # in a row that bring nothing new
    connect: float = 10.0  # seconds until a connection
    read: float = 60.0  # seconds without a byte
    first: float = 1.0  # seconds before the second try; twice as long before every further one
    longest: float = 60.0
    wait: Callable[[float], object] = field(default_factory=lambda: threading.Event().wait)

    def before(self, tried: int, asked: float | None) -> float:
        """Seconds to wait after `tried` failures in a row; `asked` is what the server wants."""
        wanted = self.first * 2.0 ** (tried - 1) if asked is None else asked
        return min(wanted, self.longest)


class Passing(Exception):
    """Another try may succeed; `after` is how many seconds the server wants it to wait."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class Stale(Passing):
    """What was fetched before does not belong to what the server has now: the next try starts over."""


@dataclass(frozen=True)
class Answer:
    """What a server claims, before its bytes are read."""

    whole: bool  # from the first byte on, though only the rest may have been asked for
    total: int | None  # bytes of the whole file
    ended: bool  # the end of the answer can be told from a broken connection
    validator: str  # what a later request names this very version by; "" when the server gives nothing to name it by
    md5: str  # of the whole file, in hexadecimal digits; "" when the server does not tell
    pieces: Iterator[bytes]


@contextmanager
def ask(url: str, have: int, validator: str, patience: Patience) -> Iterator[Answer]:
    """Ask for the bytes from `have` on, if the file is still the one that `validator` names, else for all of them.

    Raises Passing or Stale where another try may succeed, BadInput where none can.
    """
    headers = {"Accept-Encoding": "identity", "User-Agent": "skelray"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": validator}
    with _network(url), requests.Session() as session, closing(_follow(session, url, headers, patience)) as response:
        yield _read(response, url, have)


@contextmanager
def _network(url: str) -> Iterator[None]:
    host = urlsplit(url).netloc
    try:
        yield
    except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise Passing(f"{host} is silent") from error
    except requests.exceptions.SSLError as error:
        raise BadInput(f"{url}: no safe connection to {host} ({_reason(error)})") from error
    except (requests.ConnectionError, urllib3.exceptions.HTTPError) as error:
        raise Passing(f"the connection to {host} broke ({_reason(error)})") from error
    except requests.RequestException as error:
        raise BadInput(f"{url}: cannot be asked for ({error})") from error


def _reason(error: BaseException) -> str:
    """Why a connection broke: the innermost cause that has words, without the library's wrapping."""
    chain = [error]
    while (deeper := _cause(chain[-1])) is not None and str(deeper):
        chain.append(deeper)
    if any(isinstance(each, http.client.IncompleteRead) for each in chain):  # urllib3's own are such, too
        return "before the end"
    return str(chain[-1]) or type(chain[-1]).__name__


def _cause(error: BaseException) -> BaseException | None:
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _follow(session: requests.Session, url: str, headers: dict[str, str], patience: Patience) -> requests.Response:
    asked = [url]
    while True:
        response = session.get(
            url, headers=headers, stream=True, allow_redirects=False, timeout=(patience.connect, patience.read)
        )
        if not response.is_redirect:
            return response
        response.close()
        target = urljoin(url, response.headers["Location"])
        scheme = urlsplit(target).scheme
        if scheme not in ("http", "https"):
            raise BadInput(f"{url}: sends us on to {target}, which is not an address on the web")
        if scheme == "http" and urlsplit(url).scheme == "https":
            raise BadInput(f"{url}: sends us on to {target}, away from a safe connection")
        if target in asked or len(asked) > REDIRECTS:
            raise BadInput(f"{asked[0]}: sends us in circles ({' -> '.join([*asked, target])})")
        asked.append(target)
        url = target


def _read(response: requests.Response, url: str, have: int) -> Answer:
    headers, status, host = response.headers, response.status_code, urlsplit(url).netloc
    if status == 429 or status >= 500:
        raise Passing(f"{host} answers {status} {response.reason}", _seconds(headers.get("Retry-After", "")))
    if status == 416 and have:
        raise Stale(f"{host} has no byte {have:,}", 0.0)
    if status not in (200, 206) or (status == 206 and not have):
        raise BadInput(f"{url}: the server answers {status} {response.reason}, where 200 OK was due")
    if headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        packing = headers["Content-Encoding"]
        raise BadInput(f"{url}: comes packed ({packing}) though it was asked for as it is; no size can be checked")
    if headers.get("Content-Type", "").lower().startswith("text/html"):
        raise BadInput(f"{url}: the server sends a web page, not the file; the address may have moved")
    chunked = "chunked" in headers.get("Transfer-Encoding", "").lower()
    length = None if chunked else _count(headers.get("Content-Length", ""))
    total = length
    if status == 206:
        first, last, total = _range(headers.get("Content-Range", ""))
        if first != have or (length is not None and length != last - first + 1):
            given = headers.get("Content-Range", "no range")
            raise Stale(f"{host} sends {given}, where bytes from {have:,} on were asked for", 0.0)
    return Answer(
        whole=status == 200,
        total=total,
        ended=chunked or length is not None,
        validator=_validator(headers.get("ETag", ""), headers.get("Last-Modified", "")),
        md5=_md5(headers, status),
        # as they come: what is decoded on the way could be neither counted nor continued
        pieces=response.raw.stream(PIECE, decode_content=False),
    )


def _seconds(text: str) -> float | None:
    return float(min(int(text), AT_MOST)) if re.fullmatch(r"\d{1,9}", text.strip()) else None


def _count(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,18}", text.strip()) else None


def _range(text: str) -> tuple[int, int, int | None]:
    """`bytes 5-9/10` is (5, 9, 10), `bytes 5-9/*` (5, 9, None), and anything else a range that nobody asks for."""
    match = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", text.strip())
    if not match:
        return -1, -1, None
    first, last, total = match.groups()
    return int(first), int(last), None if total == "*" else int(total)


def _validator(etag: str, modified: str) -> str:
    """A strong ETag, else the time of change: a weak ETag does not promise the same bytes."""
    return etag if re.fullmatch(r'"[^"]*"', etag) else modified


def _md5(headers: "requests.structures.CaseInsensitiveDict[str]", status: int) -> str:
    """The MD5 that a server vouches for. An ETag is one only where the server says what it is made of."""
    told = headers.get("Content-MD5", "")
    if status == 200 and re.fullmatch(r"[A-Za-z0-9+/]{22}==", told):
        return base64.b64decode(told).hex()
    etag = headers.get("ETag", "").strip('"').lower()
    normal = headers.get("x-oss-object-type") == "Normal"  # Alibaba's store: the ETag of a file put there at once
    return etag if normal and re.fullmatch(r"[0-9a-f]{32}", etag) else ""
