"""One stream of log lines for us and the libraries alike: text for people or JSON for machines, with secrets masked.

Bind what a line is about where the work on it begins: `structlog.contextvars.bound_contextvars(namespace=…, name=…,
uid=…)`. Of the libraries, nothing below a warning is let through: at lower levels they print bodies.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, TextIO

import structlog

from certwright.errors import Terminal
from certwright.ops.redact import redact

if TYPE_CHECKING:
    from structlog.typing import Processor

FORMATS = ("text", "json")
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
# Their INFO and DEBUG lines hold bodies of objects and of requests, or come once an event.
TALKATIVE = ("kopf", "kopf.objects", "kopf.activities", "kubernetes", "client", "urllib3", "aiohttp", "asyncio")


def configure(*, format: str = "text", level: str = "info", stream: TextIO | None = None) -> None:  # noqa: A002
    """Set up logging for the whole process; may be called again.

    Args:
        format: `text` (in colour on a terminal) or `json` (one object a line).
        level: `debug`, `info`, `warning` or `error`.
        stream: Where to write; the standard error stream when not given.

    Raises:
        Terminal: A format or level that there is not.
    """
    if format not in FORMATS:
        raise Terminal(f"log format {format!r} is unknown; choose one of {', '.join(FORMATS)}", reason="BadSetting")
    if level.lower() not in LEVELS:
        raise Terminal(f"log level {level!r} is unknown; choose one of {', '.join(LEVELS)}", reason="BadSetting")
    stream = stream or sys.stderr
    number = LEVELS[level.lower()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # To text here and plainly: other formatters print local variables, keys among them.
        structlog.processors.format_exc_info,
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if format == "json"
        else structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=0, pad_level=False)
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, renderer],
        )
    )
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(number)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    logging.captureWarnings(True)
