"""Repository addresses: which path on which host, and where that host's API is.

Knows the three ways an address is written: ``https://host[:port]/[prefix/]owner/name[.git]``,
``ssh://git@host[:port]/owner/name[.git]`` and ``git@host:owner/name[.git]``. No error repeats user
information of an address.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from services.core.errors import InvalidInputError
from services.forges.models import Kind

_SCP_LIKE = re.compile(r"^(?:[^@/\s]+@)?(?P<host>\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]{2,}):(?!//)(?P<path>.+)$")
_SEGMENT = re.compile(r"^[^\x00-\x20/\\?#\x7f]+$")
_SAME_HOST = {
    "www.github.com": "github.com",
    "ssh.github.com": "github.com",
    "api.github.com": "github.com",
    "www.gitlab.com": "gitlab.com",
    "altssh.gitlab.com": "gitlab.com",
}
_GITHUB_API = "https://api.github.com"
_REMEDY = "give an address such as https://host/owner/name.git"


@dataclass(frozen=True)
class Address:
    """Where a repository lives: the host's web base (``https://host[:port]``), host, path segments."""

    base: str
    host: str
    segments: tuple[str, ...]


def parse(url: str) -> Address:
    """Take an address apart.

    Raises InvalidInputError for what no forge can serve: files, unknown schemes, no path, odd segments.
    """
    parts = _split(url)
    host = (parts.hostname or "").lower()
    host = _SAME_HOST.get(host, host)
    if parts.scheme not in {"https", "http", "ssh", "git"} or not host:
        raise InvalidInputError(f"{_shown(url)} is not an address on a forge", remedy=_REMEDY)
    try:
        port = parts.port
    except ValueError as error:
        raise InvalidInputError(f"{_shown(url)} has an odd port", remedy=_REMEDY) from error
    is_web = parts.scheme in {"https", "http"}
    shown_host = f"[{host}]" if ":" in host else host
    base = f"{parts.scheme if is_web else 'https'}://{shown_host}"
    if is_web and port is not None:
        base += f":{port}"
    return Address(base=base, host=host, segments=_segments(parts.path, url))


def repository_path(url: str, api_url: str = "") -> str:
    """Give ``owner/name`` or the nested group path of a repository, without ``.git``.

    ``api_url`` tells the path prefix of a self-managed host (``https://host/gitlab`` gives ``/gitlab``);
    the prefix is taken off when the address starts with it.
    """
    segments = parse(url).segments
    prefix = _prefix(api_url)
    if prefix and len(segments) > len(prefix) + 1 and segments[: len(prefix)] == prefix:
        segments = segments[len(prefix) :]
    last = segments[-1].removesuffix(".git") if segments else ""
    if not segments[:-1] or not last:
        raise InvalidInputError(f"{_shown(url)} names no owner and repository", remedy=_REMEDY)
    return "/".join((*segments[:-1], last))


def guess_kind(url: str) -> Kind:
    """Say which forge an address most likely belongs to, from its host alone; "plain" when unknown."""
    try:
        host = parse(url).host
    except InvalidInputError:
        return "plain"
    if host == "github.com":
        return "github"
    if host == "gitlab.com" or host.startswith("gitlab."):
        return "gitlab"
    return "plain"


def api_url_for(kind: Kind, url: str) -> str:
    """Give the API's base URL for a repository's address.

    GitHub: ``https://api.github.com``, or ``https://host/api/v3`` on GitHub Enterprise. GitLab: the web
    base, ``https://host``; where GitLab lives below a path prefix, the operator has to say so. Empty for
    plain Git.
    """
    if kind == "plain":
        return ""
    address = parse(url)
    if kind == "gitlab":
        return address.base
    return _GITHUB_API if address.host == "github.com" else f"{address.base}/api/v3"


def api_url_at(kind: Kind, base_url: str) -> str:
    """Give the API's base URL of a host that is named by its web base, with a path prefix if it has one.

    An empty ``base_url`` means github.com or gitlab.com.
    """
    if kind == "plain":
        return ""
    address = parse(base_url or f"https://{kind}.com")
    segments = address.segments
    if kind == "gitlab":
        segments = segments[:-2] if segments[-2:] == ("api", "v4") else segments
        return "/".join((address.base, *segments))
    if address.host == "github.com":
        return _GITHUB_API
    if segments[-2:] != ("api", "v3"):
        segments = (*segments, "api", "v3")
    return "/".join((address.base, *segments))


def require_safe(api_url: str, *, has_token: bool) -> None:
    """Refuse to send a token in the clear, except to this machine itself."""
    parts = _split(api_url)
    if parts.username or parts.password:
        raise InvalidInputError(
            "the forge's address holds a user name or password", remedy="leave it out and store a token"
        )
    if parts.scheme == "https" or (parts.scheme == "http" and (not has_token or is_loopback(api_url))):
        return
    raise InvalidInputError(
        f"a token is not sent to {_shown(api_url)} without TLS",
        remedy="use an https:// address",
        reason="INSECURE_URL",
    )


def is_loopback(url: str) -> bool:
    """Say whether a URL's host is this machine, by name or address, without asking the resolver."""
    host = (_split(url).hostname or "").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(url: str) -> SplitResult:
    text = url.strip()
    scp = None if "://" in text else _SCP_LIKE.match(text)
    if scp:
        text = f"ssh://{scp['host']}/{scp['path'].lstrip('/')}"
    try:
        return urlsplit(text)
    except ValueError as error:
        raise InvalidInputError("the address cannot be read", remedy=_REMEDY) from error


def _segments(path: str, url: str) -> tuple[str, ...]:
    text = path.strip("/")
    segments = tuple(unquote(part) for part in text.split("/")) if text else ()
    if any(part in {".", ".."} or not _SEGMENT.match(part) for part in segments):
        raise InvalidInputError(f"{_shown(url)} has an odd path", remedy=_REMEDY)
    return segments


def _prefix(api_url: str) -> tuple[str, ...]:
    if not api_url:
        return ()
    segments = parse(api_url).segments
    return segments[:-2] if segments[-2:] in {("api", "v3"), ("api", "v4")} else segments


def _shown(url: str) -> str:
    return re.sub(r"//[^/@\s]*@", "//", url.strip())[:200]
