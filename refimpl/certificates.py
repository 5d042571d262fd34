"""Makes a certificate authority and certificates for mutual TLS (library: cryptography).

For a cluster of one's own on one's own machines; an organisation will have an authority that issues them. The
authority's key stays in the folder, as ca.key, to issue more; take it away to a safe place.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from refimpl.tls import refuse_names

DAYS = 825


def issue(folder: Path, names: Iterable[str]) -> tuple[Path, ...]:
    """Issue a certificate for each name that has none, by the folder's authority, which is made if there is none.

    Returns the certificates made. Raises ImpossibleRequest for a name that cannot stand in one; OSError.
    """
    wanted = tuple(dict.fromkeys(names))
    refuse_names(*wanted)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority, key = _authority(folder)
    made = []
    for name in wanted:
        if not (folder / f"{name}.pem").exists():
            made.append(_issue_one(folder, name, authority, key))
    return tuple(made)


def _authority(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    if (folder / "ca.pem").exists():
        key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey), "ca.key is one that this module made"
        return x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes()), key
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "raftproof cluster authority")])
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    certificate = (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(folder, "ca", certificate, key)
    return certificate, key


def _issue_one(
    folder: Path, name: str, authority: x509.Certificate, authority_key: ec.EllipticCurvePrivateKey
) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    certificate = (
        _builder(subject, authority.subject, key.public_key())
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(both, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    return _write(folder, name, certificate, key)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # the clocks of a cluster differ
        .not_valid_after(now + timedelta(days=DAYS))
    )


def _write(folder: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Path:
    key_file, file = folder / f"{name}.key", folder / f"{name}.pem"
    key_file.unlink(missing_ok=True)
    key_file.touch(mode=0o600, exist_ok=False)  # before there is something in it to read
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))  # last: it says that both are there
    return file
