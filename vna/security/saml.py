"""SAML 2.0 assertions: signed by an issuer that is known, for us, now (SAML Core 2.0 2.3 to 2.5, 5.4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidInput, SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from vna.model.errors import NotAuthorized, VnaError
from vna.xml.namespaces import qname
from vna.xml.parser import Bounds, parse

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
ASSERTION = qname(SAML, "Assertion")
LONGEST = 64 << 10
"""Bytes of an assertion: more is refused before its signature is looked at."""
_BOUNDS = Bounds(LONGEST, 2000)
_DS = "http://www.w3.org/2000/09/xmldsig#"
_BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_LEEWAY = timedelta(seconds=30)
_CONDITIONS = frozenset({qname(SAML, "AudienceRestriction"), qname(SAML, "ProxyRestriction")})
"""Those that are understood (SAML Core 2.0 2.5.1): with another one nobody knows whether the assertion is valid."""
_SIGNED = SignatureConfiguration(
    require_x509=True,
    location="./",
    expect_references=1,
    signature_methods=frozenset(
        {
            SignatureMethod.RSA_SHA256,
            SignatureMethod.RSA_SHA384,
            SignatureMethod.RSA_SHA512,
            SignatureMethod.SHA256_RSA_MGF1,
            SignatureMethod.SHA384_RSA_MGF1,
            SignatureMethod.SHA512_RSA_MGF1,
            SignatureMethod.ECDSA_SHA256,
            SignatureMethod.ECDSA_SHA384,
            SignatureMethod.ECDSA_SHA512,
        }
    ),
    digest_algorithms=frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512}),
    ignore_ambiguous_key_info=True,
)


@dataclass(frozen=True, slots=True)
class Value:
    """A value of an attribute: its text, or the code of a coded one (HL7 CE), with its words."""

    code: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an issuer says of somebody, once it is proved that it does."""

    issuer: str
    name: str
    attributes: Mapping[str, Sequence[Value]]

    def first(self, attribute: str) -> Value:
        """The first value of an attribute, an empty one where there is none."""
        return next(iter(self.attributes.get(attribute, ())), Value(""))


class Verifier:
    """`issuers` are the certificates of each issuer, `audience` is who we are to them."""

    def __init__(self, issuers: Mapping[str, Sequence[x509.Certificate]], audience: str) -> None:
        self._issuers = issuers
        self._audience = audience

    def verified(self, element: etree._Element) -> Assertion:
        """NotAuthorized says what is wrong with it. Only what the signature covers is read: it is taken out of the
        message first, so that nothing beside it can stand for it."""
        data = etree.tostring(element, with_tail=False)
        if len(data) > LONGEST:
            raise _refused(f"is longer than {LONGEST} bytes")
        try:
            alone = parse(data, _BOUNDS)
        except VnaError as error:
            raise _refused("cannot be read") from error
        issuer = _text(alone.find(qname(SAML, "Issuer")))
        certificates = self._issuers.get(issuer, ())
        if not certificates:
            raise _refused("is of an issuer that is not known")
        signed = _signed(alone, data, certificates)
        self._require_time_and_audience(signed)
        return Assertion(issuer, _subject(signed), _attributes(signed))

    def _require_time_and_audience(self, assertion: etree._Element) -> None:
        """SAML Core 2.0 2.5.1: each restriction holds by itself, and one of its audiences is enough."""
        conditions = assertion.find(qname(SAML, "Conditions"))
        if conditions is None:
            raise _refused("has no Conditions")
        _require_time(conditions)
        if not all(one.tag in _CONDITIONS for one in conditions):
            raise _refused("has a condition that is not understood")
        restrictions = conditions.findall(qname(SAML, "AudienceRestriction"))
        audiences = [{_text(one) for one in each.findall(qname(SAML, "Audience"))} for each in restrictions]
        if not audiences or not all(self._audience in each for each in audiences):
            raise _refused("is for somebody else")
        for statement in assertion.findall(qname(SAML, "AuthnStatement")):
            until = statement.get("SessionNotOnOrAfter")
            if until is not None and _time(until) + _LEEWAY <= datetime.now(UTC):
                raise _refused("is of a session that is over")


def _signed(alone: etree._Element, data: bytes, certificates: Sequence[x509.Certificate]) -> etree._Element:
    """What one of these keys signed, which has to be the assertion itself (SAML Core 2.0 5.4.2)."""
    identifier = alone.get("ID", "")
    signatures = alone.findall(qname(_DS, "Signature"))
    references = [one.get("URI", "") for one in alone.iter(qname(_DS, "Reference"))]
    if len(signatures) != 1 or references != [f"#{identifier}"] or not identifier:
        raise _refused("is not signed as a whole, by itself")
    if alone.tag != ASSERTION or alone.get("Version") != "2.0":
        raise _refused("is none of SAML 2.0")
    for certificate in certificates:
        try:
            found = XMLVerifier().verify(data, x509_cert=certificate, id_attribute="ID", expect_config=_SIGNED)
        except (SignXMLException, InvalidInput, etree.LxmlError, ValueError, TypeError):
            continue
        signed = None if isinstance(found, list) else found.signed_xml
        if signed is not None and signed.tag == ASSERTION and signed.get("ID") == identifier:
            return signed
    raise _refused("is not signed by its issuer")


def _subject(assertion: etree._Element) -> str:
    """The name, of somebody whom whoever brings the assertion may stand for (SAML Profiles 2.0 3.3)."""
    subject = assertion.find(qname(SAML, "Subject"))
    name = _text(subject.find(qname(SAML, "NameID"))) if subject is not None else ""
    if subject is None or not name:
        raise _refused("names nobody")
    bearers = [one for one in subject.findall(qname(SAML, "SubjectConfirmation")) if one.get("Method") == _BEARER]
    if not bearers:
        raise _refused("is not for whoever brings it: its subject confirmation is not bearer")
    problem: NotAuthorized | None = None
    for one in bearers:
        said = one.find(qname(SAML, "SubjectConfirmationData"))
        try:
            if said is not None:
                _require_time(said, needs_end=False)
            return name
        except NotAuthorized as error:
            problem = error
    assert problem is not None
    raise problem


def _require_time(element: etree._Element, *, needs_end: bool = True) -> None:
    now = datetime.now(UTC)
    begin, end = element.get("NotBefore"), element.get("NotOnOrAfter")
    if end is None and needs_end:
        raise _refused("does not say until when it holds")
    if begin is not None and _time(begin) - _LEEWAY > now:
        raise _refused("is not valid yet")
    if end is not None and _time(end) + _LEEWAY <= now:
        raise _refused("has expired")


def _attributes(assertion: etree._Element) -> dict[str, list[Value]]:
    found: dict[str, list[Value]] = {}
    for attribute in assertion.iterfind(f"{qname(SAML, 'AttributeStatement')}/{qname(SAML, 'Attribute')}"):
        values = [_value(one) for one in attribute.findall(qname(SAML, "AttributeValue"))]
        found.setdefault(attribute.get("Name", ""), []).extend(values)
    return found


def _value(element: etree._Element) -> Value:
    """Text, or an element of HL7 with a code such as `Role` and `PurposeOfUse` (ITI TF-2 3.40)."""
    coded = next(element.iterchildren(), None)
    if coded is None:
        return Value(_text(element))
    return Value(coded.get("code", "").strip(), coded.get("displayName", "").strip())


def _time(text: str) -> datetime:
    """SAML Core 2.0 1.3.3: in UTC."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise _refused("says a time that is none") from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _text(element: etree._Element | None) -> str:
    return "".join(element.itertext()).strip() if element is not None else ""  # type: ignore[arg-type]


def _refused(words: str) -> NotAuthorized:
    return NotAuthorized(f"the assertion {words}", authenticated=False)
