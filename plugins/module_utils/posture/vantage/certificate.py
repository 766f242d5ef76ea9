# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The dates and names of an X.509 certificate, as far as that takes a reader of DER (X.690), which Python lacks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

_SEQUENCE, _UTC_TIME, _GENERALIZED_TIME, _VERSION = 0x30, 0x17, 0x18, 0xA0


class CertificateError(ValueError):
    """The bytes are no certificate; the message says where."""


@dataclass(frozen=True)
class Certificate:
    """What of a certificate is looked at; times in UTC."""

    not_before: datetime
    not_after: datetime
    self_signed: bool


def certificate(der: bytes) -> Certificate:
    """Return the dates of a certificate. Raises CertificateError."""
    body = _Reader(_Reader(_Reader(der).take(_SEQUENCE)).take(_SEQUENCE))
    if body.tag() == _VERSION:
        body.take(_VERSION)
    body.take(0x02)
    body.take(_SEQUENCE)
    issuer = body.take(_SEQUENCE)
    validity = _Reader(body.take(_SEQUENCE))
    first, last = _time(validity), _time(validity)
    return Certificate(first, last, issuer == body.take(_SEQUENCE))


class _Reader:
    """Elements of DER, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def tag(self) -> int:
        """Return the tag of the next element."""
        if self._at >= len(self._data):
            raise CertificateError(f"it ends after {self._at} bytes")
        return self._data[self._at]

    def take(self, wanted: int) -> bytes:
        """Return the content of the next element, which has the wanted tag."""
        found = self.tag()
        if found != wanted:
            raise CertificateError(f"element {found:#x} stands at byte {self._at}, wanted {wanted:#x}")
        start, length = self._length(self._at + 1)
        if start + length > len(self._data):
            raise CertificateError(f"the element at byte {self._at} is longer than the certificate")
        self._at = start + length
        return self._data[start : start + length]

    def _length(self, at: int) -> tuple[int, int]:
        if at >= len(self._data):
            raise CertificateError(f"it ends after {at} bytes")
        first = self._data[at]
        if first < 0x80:
            return at + 1, first
        number = first & 0x7F
        return at + 1 + number, int.from_bytes(self._data[at + 1 : at + 1 + number], "big")


def _time(reader: _Reader) -> datetime:
    kind = reader.tag()
    text = reader.take(kind).decode("ascii", "replace")
    if kind == _UTC_TIME:
        # RFC 5280 section 4.1.2.5.1: two digits below 50 are of this century.
        text = ("20" if text[:2] < "50" else "19") + text
    elif kind != _GENERALIZED_TIME:
        raise CertificateError(f"element {kind:#x} stands where a time should")
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise CertificateError(f"{text!r} is no time") from None
