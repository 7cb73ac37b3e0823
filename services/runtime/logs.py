"""Structured logs on standard error, with everything that looks like a secret blacked out."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

# Tokens of Lockstep, GitHub and GitLab, JWTs, basic or bearer credentials, and userinfo in URLs.
_SECRET: Final = re.compile(
    r"(lks_[\w-]{8,}|gh[pousr]_\w{8,}|github_pat_\w{8,}|gl(?:pat|oas|dt|rt|cbt|ptt|ft|imt|agent)-[\w.-]{8,}"
    r"|eyJ[\w-]{8,}\.[\w-]+\.[\w-]+|(?<=[Bb]asic )[\w+/=]{8,}|(?<=[Bb]earer )\S{8,}|(?<=://)[^/@\s]+(?=@))",
)
REDACTED: Final = "[redacted]"


def redact(text: str) -> str:
    """Give the text without secrets."""
    return _SECRET.sub(REDACTED, text)


def configure(level: str = "info") -> None:
    """Send structlog and the standard library's logging to standard error as JSON lines, redacted."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
            _redact_line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_redact_record)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def _redact_line(_logger: object, _method: str, line: str | MutableMapping[str, Any]) -> str:
    return redact(str(line))


def _redact_record(record: logging.LogRecord) -> bool:
    record.msg, record.args = redact(record.getMessage()), ()
    return True
