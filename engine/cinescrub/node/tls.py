"""TLS as PS3.15 B.12 has it (BCP 195, RFC 8996 and RFC 9325): 1.2 and 1.3, ephemeral keys, AEAD."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

from cinescrub.errors import ConfigError
from cinescrub.node.config import TlsConfig

__all__ = ["client_context", "server_context"]

_CIPHERS: Final = ":".join(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
    )
)
"""Those of TLS 1.2 that RFC 9325, 4.2, recommends. All of 1.3's are of that kind."""


def server_context(config: TlsConfig) -> ssl.SSLContext:
    """Return what an SCP speaks. With `ca`, peers have to show a certificate that it signed.

    Raises
    ------
    ConfigError
        A file is missing, is no PEM, or key and certificate don't belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _restrict(context)
    if config.ca is not None:
        _trust(context, config.ca)
        context.verify_mode = ssl.CERT_REQUIRED
    _identify(context, config)
    return context


def client_context(config: TlsConfig) -> ssl.SSLContext:
    """Return what an SCU speaks: the peer's certificate is checked, and is of its host name.

    Raises
    ------
    ConfigError
        A file is missing, is no PEM, or key and certificate don't belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _restrict(context)
    if config.ca is None:
        context.load_default_certs()
    else:
        _trust(context, config.ca)
    if config.certificate is not None:
        _identify(context, config)
    return context


def _restrict(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION


def _trust(context: ssl.SSLContext, ca: Path) -> None:
    try:
        context.load_verify_locations(cafile=ca)
    except (OSError, ssl.SSLError):
        raise ConfigError(f"the certificates of {ca} can't be read: give a PEM file") from None


def _identify(context: ssl.SSLContext, config: TlsConfig) -> None:
    assert config.certificate is not None  # noqa: S101  # the configuration has seen to it
    try:
        # An encrypted key would ask at a terminal, where nobody sits.
        context.load_cert_chain(config.certificate, config.key, password=_no_password)
    except (OSError, ssl.SSLError, ValueError):
        raise ConfigError(
            f"certificate {config.certificate} and its key can't be used: give PEM files without a"
            " password that belong together"
        ) from None


def _no_password() -> str:
    raise ValueError
