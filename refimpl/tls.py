"""Who is on the other side: mutual TLS, in which both sides show a certificate of the cluster's authority.

A certificate names its bearer as a DNS name (Subject Alternative Name): the id of a server, or the name of a client.
Whoever says Hello has to have the name that he says, and whoever dials checks that he reached the server he meant.

A folder of certificates, as `python -m refimpl certificates` makes it, holds ca.pem and for each name NAME.pem and
NAME.key. Only TLS 1.3 is spoken.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from pathlib import Path

from refimpl.errors import ImpossibleRequest

NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
"""A label of a DNS name, for that is what TLS compares it as."""


def refuse_names(*names: str) -> None:
    """Raises ImpossibleRequest for a name that cannot stand in a certificate, or stands twice."""
    for name in names:
        if not NAME.fullmatch(name) or name == "ca" or names.count(name) > 1:
            raise ImpossibleRequest(
                f"name {name!r}",
                "letters, digits and inner hyphens, 63 at most, each name once, and not 'ca'",
                "choose another name",
            )


@dataclass(frozen=True, slots=True)
class Identity:
    """A name and the folder with the files that prove it."""

    name: str
    folder: Path

    def listening(self) -> ssl.SSLContext:
        """For connections that others make: they must show a certificate. Raises ImpossibleRequest."""
        context = self._context(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def dialling(self) -> ssl.SSLContext:
        """For connections that we make: the other side must have the name that is asked for."""
        return self._context(ssl.PROTOCOL_TLS_CLIENT)

    def _context(self, side: int) -> ssl.SSLContext:
        authority, certificate = self.folder / "ca.pem", self.folder / f"{self.name}.pem"
        try:
            context = ssl.SSLContext(side)
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.load_verify_locations(authority)
            context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        except OSError as error:  # SSLError is one
            raise ImpossibleRequest(
                f"{self.folder}: no certificates for {self.name} ({error})",
                "ca.pem, and a .pem and a .key with the name",
                f"make them: python -m refimpl certificates {self.folder} --names …",
            ) from error
        return context


def names_in(certificate: object) -> frozenset[str]:
    """The DNS names in a certificate as `ssl` gives it (getpeercert); none if there is no certificate."""
    if not isinstance(certificate, dict):
        return frozenset()
    return frozenset(value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS")
