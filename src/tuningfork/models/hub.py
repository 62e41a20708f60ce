"""The Hugging Face hub, from which timm takes pretrained weights: asked quietly, and not for half a minute in vain."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from ssl import SSLError
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

TIMEOUT = 3.0  # seconds
_LOGGERS = ("timm", "huggingface_hub", "httpx")


@contextmanager
def hub(*, needed: bool) -> Iterator[str]:
    """Make a network of timm's in this context; gives the reason why the hub can't be asked, empty if it can.

    What timm and the hub's client log is kept quiet. Where the hub is `needed` and does not answer, its client works
    offline: from its cache, or not at all. By itself it would try again and again, for 20 to 50 seconds. Where it is
    not `needed` it is not asked.
    """
    from huggingface_hub import constants

    offline = constants.HF_HUB_OFFLINE
    unheard = needed and not offline and not _answers(constants.ENDPOINT)
    reason = f"{constants.ENDPOINT} does not answer" if unheard else ""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        constants.HF_HUB_OFFLINE = offline or unheard or not needed
        yield reason
    finally:
        constants.HF_HUB_OFFLINE = offline
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _answers(address: str) -> bool:
    """Whether a server answers in time, whatever its answer; proxies of the environment are used."""
    try:
        # S310: the address is the user's own setting (HF_ENDPOINT), no file's.
        urlopen(Request(address, method="HEAD"), timeout=TIMEOUT).close()  # noqa: S310
    except HTTPError:
        return True
    except URLError as error:
        return isinstance(error.reason, SSLError)  # the client may know certificates that Python does not
    except OSError:
        return False
    return True
