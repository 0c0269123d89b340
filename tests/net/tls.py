# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of the pretended servers: two test authorities made at start, leaves good and bad.

Real servers chain to two kinds of authority (gs.apple.com and gdmf.apple.com to Apple's own root,
everything else to public ones), so there are two here: `apple` and `public`. Files in the folder:
ca_apple.pem, ca_public.pem, ca.pem (both), and a chain and key for each authority and kind of leaf.
Each authority has a root and an intermediate, as the real ones have.

kinds: good, expired, not_yet_valid, wrong_host, self_signed, no_chain (no intermediate is sent),
other_ca (a good leaf of the other authority), old_tls (a good leaf, TLS 1.0 only).
"""
import datetime
import ipaddress
import ssl
import warnings
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAMES = (
    "localhost", "gs.apple.com", "gdmf.apple.com", "gg.apple.com", "api.ipsw.me", "api.appledb.dev",
    "s.mzstatic.com", "itunes.apple.com", "updates.cdn-apple.com", "updates-http.cdn-apple.com",
    "secure-appldnld.apple.com", "appldnld.apple.com", "wkms-public.apple.com",
    "gs.apple.com.akadns.net", "gs.apple.com.v.aaplimg.com",
)
ADDRESSES = ("127.0.0.1", "10.0.2.2", "::1")
AUTHORITIES = ("apple", "public")
DAY = datetime.timedelta(days=1)
# kind: (first day, last day) from now
PERIODS = {"expired": (-30, -1), "not_yet_valid": (30, 60)}
KINDS = ("good", "expired", "not_yet_valid", "wrong_host", "self_signed", "no_chain", "other_ca",
         "old_tls")


def named(text):
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "idevicerescue tests"),
                      x509.NameAttribute(NameOID.COMMON_NAME, text)])


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


class Signer:
    """A name with a key that signs certificates."""

    def __init__(self, text, issuer=None):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = named(text)
        self.certificate = (issuer or self).sign(self.name, self.key.public_key(), authority=True)

    def sign(self, name, public_key, days=(-30, 365), hosts=(), authority=False):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateBuilder(
            self.name, name, public_key, x509.random_serial_number(), now + days[0] * DAY,
            now + days[1] * DAY)
        builder = builder.add_extension(x509.BasicConstraints(authority, None), True)
        builder = builder.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(public_key), False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False)
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "encipher_only", "decipher_only"), False)
        builder = builder.add_extension(x509.KeyUsage(
            digital_signature=True, key_cert_sign=authority, crl_sign=authority, **usage), True)
        if not authority:
            builder = builder.add_extension(x509.SubjectAlternativeName(hosts), False)
            builder = builder.add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        return builder.sign(self.key, hashes.SHA256())


class Pki:
    """Everything above, made once in `folder`; `context` gives the server's side of a kind."""

    def __init__(self, folder, names=()):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.hosts = [x509.DNSName(name) for name in (*NAMES, *names)]
        self.hosts += [x509.IPAddress(ipaddress.ip_address(text)) for text in ADDRESSES]
        self.roots = {name: Signer(f"test root ({name})") for name in AUTHORITIES}
        self.issuers = {name: Signer(f"test server authority ({name})", self.roots[name])
                        for name in AUTHORITIES}
        for name, root in self.roots.items():
            self.ca(name).write_bytes(pem(root.certificate))
        both = b"".join(pem(root.certificate) for root in self.roots.values())
        self.ca().write_bytes(both)
        self._contexts = {}

    def ca(self, authority=None):
        return self.folder / (f"ca_{authority}.pem" if authority else "ca.pem")

    def context(self, authority, kind):
        if (authority, kind) not in self._contexts:
            self._contexts[authority, kind] = self._make_context(authority, kind)
        return self._contexts[authority, kind]

    def _make_context(self, authority, kind):
        signer = authority
        if kind == "other_ca":
            signer = next(name for name in AUTHORITIES if name != authority)
        chain, key = self._make_leaf(self.issuers[signer], kind)
        path = self.folder / f"leaf_{authority}_{kind}.pem"
        path.write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()) + b"".join(pem(one) for one in chain))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if kind == "old_tls":
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            with warnings.catch_warnings(action="ignore"):  # it is deprecated: that is the point
                context.minimum_version = ssl.TLSVersion.TLSv1
                context.maximum_version = ssl.TLSVersion.TLSv1
        context.load_cert_chain(path)
        context.set_alpn_protocols(["http/1.1"])
        return context

    def _make_leaf(self, issuer, kind):
        key = ec.generate_private_key(ec.SECP256R1())
        hosts = [x509.DNSName("elsewhere.example")] if kind == "wrong_host" else self.hosts
        if kind == "self_signed":
            signer = Signer("self-signed")
            return [signer.sign(signer.name, signer.key.public_key(), hosts=hosts)], signer.key
        leaf = issuer.sign(
            named(kind), key.public_key(), PERIODS.get(kind, (-30, 365)), hosts)
        return ([leaf] if kind == "no_chain" else [leaf, issuer.certificate]), key
