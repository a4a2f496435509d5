"""SAML assertions as an issuer makes them, and messages that bring them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.signer import XMLSigner

from vna.soap import addressing, envelope
from vna.soap.versions import Version
from vna.xml.namespaces import WSSE, qname

AUDIENCE = "https://vna.example.org/xds"
ISSUER = "urn:example:sts"
TEXT = """<saml2:Assertion xmlns:saml2="urn:oasis:names:tc:SAML:2.0:assertion"
 ID="_a1" Version="2.0" IssueInstant="{now}">
<saml2:Issuer>{issuer}</saml2:Issuer><ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="placeholder"/>
<saml2:Subject><saml2:NameID>{name}</saml2:NameID>
<saml2:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:{confirmed_by}">
<saml2:SubjectConfirmationData NotOnOrAfter="{confirmed_until}"/></saml2:SubjectConfirmation></saml2:Subject>
<saml2:Conditions NotBefore="{begin}" NotOnOrAfter="{end}">{condition}<saml2:AudienceRestriction>
<saml2:Audience>{audience}</saml2:Audience></saml2:AudienceRestriction></saml2:Conditions>
<saml2:AuthnStatement AuthnInstant="{now}" SessionNotOnOrAfter="{session_until}"/>
<saml2:AttributeStatement>
<saml2:Attribute Name="urn:oasis:names:tc:xspa:1.0:subject:organization-id">
<saml2:AttributeValue>{facility}</saml2:AttributeValue></saml2:Attribute>
<saml2:Attribute Name="urn:oasis:names:tc:xacml:2.0:subject:role"><saml2:AttributeValue>
<Role xmlns="urn:hl7-org:v3" code="{role}" codeSystem="2.16.840.1.113883.6.96"/>
</saml2:AttributeValue></saml2:Attribute>
<saml2:Attribute Name="urn:oasis:names:tc:xspa:1.0:subject:purposeofuse"><saml2:AttributeValue>
<PurposeOfUse xmlns="urn:hl7-org:v3" code="{purpose}" displayName="{reason}"/></saml2:AttributeValue></saml2:Attribute>
<saml2:Attribute Name="urn:example:national-number">
<saml2:AttributeValue>{person}</saml2:AttributeValue></saml2:Attribute>
</saml2:AttributeStatement></saml2:Assertion>"""


def at(minutes: float) -> str:
    return f"{dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


@dataclass
class Sts:
    """Who says who somebody is."""

    issuer: str = ISSUER
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    @cached_property
    def certificate(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "STS")])
        now = dt.datetime.now(dt.UTC)
        built = x509.CertificateBuilder(name, name, self.key.public_key(), x509.random_serial_number())
        built = built.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        built = built.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        return built.sign(self.key, hashes.SHA256())

    def write(self, folder: Path) -> Path:
        path = folder / "sts.pem"
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def unsigned(self, **changes: str) -> etree._Element:
        said = {
            "issuer": self.issuer,
            "name": "dr-ali",
            "confirmed_by": "bearer",
            "audience": AUDIENCE,
            "now": at(0),
            "begin": at(-1),
            "end": at(5),
            "confirmed_until": at(5),
            "session_until": at(5),
            "condition": "",
            "facility": "H1",
            "role": "clinician",
            "purpose": "TREAT",
            "reason": "Treatment",
            "person": "10000000146",
        }
        return etree.fromstring(TEXT.format(**{**said, **changes}).encode())

    def signed(self, method: SignatureMethod = SignatureMethod.RSA_SHA256, **changes: str) -> etree._Element:
        signer = XMLSigner(
            signature_algorithm=method,
            digest_algorithm=DigestAlgorithm.SHA256,
            c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        )
        return signer.sign(
            self.unsigned(**changes), key=self.key, cert=[self.certificate], reference_uri="_a1", id_attribute="ID"
        )


def security(*parts: etree._Element) -> etree._Element:
    block = etree.Element(qname(WSSE, "Security"))
    block.set(Version.SOAP12.name_of("mustUnderstand"), "true")
    block.extend(parts)
    return block


def message(action: str, path: str, body: etree._Element, *parts: etree._Element) -> bytes:
    headers = [*addressing.request_headers(Version.SOAP12, action, "urn:uuid:1", path), security(*parts)]
    return envelope.write(Version.SOAP12, body, headers)
