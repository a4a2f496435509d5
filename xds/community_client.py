"""Asking another community: ITI-38, ITI-39 and RAD-75 as an Initiating Gateway."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import httpx
from lxml import etree

from storage.scratch import Scratch
from vna.documents.communities import Asked, Community, home_community_id, missing_home, unavailable_community
from vna.documents.imaging_source import Wanted
from vna.documents.problems import ErrorCode, Problem
from vna.documents.repository import WantedDocument
from vna.documents.stored_queries import is_patient
from vna.model.errors import Rejected, Unavailable
from vna.soap.client import call
from vna.soap.faults import SoapFault
from vna.soap.limits import Limits
from vna.soap.message import Attachment, Message, Packaging
from vna.xml.namespaces import QUERY, RIM, RS, XDSB, qname
from vna.xml.parser import Bounds
from xds import iti38, iti39, rad69, rad75
from xds.ebrim.vocabulary import RESPONSE_STATUS
from xds.repository_client import Received, documents_in, retrieve_request
from xds.responses import PARTIAL, problems_in
from xds.retrieved import Retrieved

_PIECE = 256 << 10
_SUCCESS, _FAILURE = f"{RESPONSE_STATUS}Success", f"{RESPONSE_STATUS}Failure"
_MOST_ANSWERED = Bounds(size=32 << 20, marks=1_000_000)
"""Some 6,000 documents; as references far more."""
_AT_HOME = frozenset(qname(RIM, name) for name in ("ExtrinsicObject", "RegistryPackage", "ObjectRef"))
"""What has to say its community (ITI TF-2 3.38.4.1.3)."""


@dataclass(frozen=True, slots=True)
class Objects:
    """What a community answers to a query: fragments that stand on their own, and problems; whether it was done."""

    parts: Sequence[bytes] = field(default=(), repr=False)
    problems: Sequence[Problem] = ()
    is_done: bool = True

    def close(self) -> None:
        """Nothing is held open."""


@dataclass(frozen=True, slots=True)
class Documents:
    """What a community gives: documents that can be read until `scratch` is closed, and problems."""

    given: Sequence[Retrieved] = ()
    problems: Sequence[Problem] = ()
    scratch: Scratch | None = None

    def close(self) -> None:
        """Let go of what was spooled."""
        if self.scratch is not None:
            self.scratch.close()


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a community's gateway takes each transaction."""

    query: str
    retrieve: str
    images: str


@dataclass(frozen=True, slots=True)
class Conditions:
    """What holds for every call: where answers are spooled and whether there is room, how long a wait on the network
    may take (seconds), how large documents may be (bytes)."""

    spool_folder: Path
    room: Callable[[], None]
    seconds: float
    document_bytes: int
    message_bytes: int


Connect = Callable[[], httpx.Client]


class CommunityClient:
    """One community at these addresses; `connect` is called once, and brings TLS and a login with it.

    Everything raises Unavailable when the community does not answer, or with something that is no answer, and Rejected
    when it answers with a fault.
    """

    def __init__(
        self, community: Community, addresses: Addresses, own_domain: str, connect: Connect, conditions: Conditions
    ) -> None:
        self.community = community
        self._addresses = addresses
        self._own_domain = own_domain
        self._connect = connect
        self._conditions = conditions
        self._lock = threading.Lock()
        self._http: httpx.Client | None = None

    def close(self) -> None:
        """Let go of connections."""
        with self._lock:
            if self._http is not None:
                self._http.close()

    def connected(self) -> httpx.Client:
        """With its certificates loaded: Unavailable names the file that is no use."""
        with self._lock:
            if self._http is None:
                self._http = self._connect()
            return self._http

    def query_request(self, request: etree._Element, asked: Asked) -> etree._Element:
        """The body of ITI-38 for a consumer's: all its parameters, known or not (ITI TF-2 3.38.4.1.1), the patient as
        that community knows them, and its home where one was asked for."""
        made = deepcopy(request)
        query = made.find(qname(RIM, "AdhocQuery"))
        assert query is not None
        if asked.home:
            query.set("home", self.community.home)
        if self.community.affinity_domain and self._own_domain:
            ours, theirs = f"&{self._own_domain}&ISO", f"&{self.community.affinity_domain}&ISO"
            for slot in query.iterchildren(qname(RIM, "Slot")):
                if is_patient(slot.get("name", "")):
                    for value in slot.iter(qname(RIM, "Value")):
                        value.text = (value.text or "").replace(ours, theirs)
        return made

    def query(self, request: etree._Element, own: str) -> Objects:
        """Send such a body; `own` is our community, which no other can speak for."""
        limits = Limits(
            envelope=_MOST_ANSWERED,
            attachments=10,
            attachment_bytes=1 << 20,
            message_bytes=_MOST_ANSWERED.size,
            grace_seconds=self._conditions.seconds,
        )
        with self._call(self._addresses.query, iti38.ACTION, request, limits, Packaging.PLAIN) as answer:
            return _objects(answer.body, self.community.home, own)

    def retrieve(self, wanted: Sequence[WantedDocument]) -> Documents:
        """Documents of this community."""
        places = {(one.repository_unique_id, one.unique_id): one.home for one in wanted}
        asked = [replace(one, home=self.community.home) for one in wanted]
        return self._documents(self._addresses.retrieve, iti39.ACTION, retrieve_request(asked), places)

    def images(self, wanted: Sequence[Wanted], syntaxes: Iterable[str]) -> Documents:
        """Instances of this community."""
        places = {(one.repository_unique_id, one.sop_instance_uid): one.home for one in wanted}
        asked = [replace(one, home=self.community.home) for one in wanted]
        return self._documents(self._addresses.images, rad75.ACTION, rad69.request(asked, syntaxes), places)

    def _documents(
        self, address: str, action: str, request: etree._Element, places: dict[tuple[str, str], str]
    ) -> Documents:
        limits = Limits(
            attachments=len(places) + 10,
            attachment_bytes=self._conditions.document_bytes,
            message_bytes=self._conditions.message_bytes,
            grace_seconds=self._conditions.seconds,
        )
        answer = self._call(address, action, request, limits, Packaging.XOP)
        try:
            return _retrieved(answer, self.community.home, places)
        except SoapFault as fault:  # of what was answered: attachments that are not there
            answer.close()
            raise Unavailable(f"its answer cannot be read: {fault.reason}") from fault
        except BaseException:
            answer.close()
            raise

    def _call(self, url: str, action: str, body: etree._Element, limits: Limits, packaging: Packaging) -> Message:
        try:
            return call(
                url,
                action,
                body,
                packaging=packaging,
                timeout=self._conditions.seconds,
                limits=limits,
                spool_folder=self._conditions.spool_folder,
                room=self._conditions.room,
                http=self.connected(),
            )
        except SoapFault as fault:
            raise Rejected(f"it answers with a fault: {fault.reason}") from fault


def _objects(body: etree._Element, home: str, own: str) -> Objects:
    status = body.get("status", "").strip()
    if body.tag != qname(QUERY, "AdhocQueryResponse") or status not in (_SUCCESS, PARTIAL, _FAILURE):
        raise Unavailable("it answers something that is no AdhocQueryResponse with a status")
    listed = body.find(qname(RIM, "RegistryObjectList"))
    parts: list[bytes] = []
    homeless: list[str] = []
    for element in listed if listed is not None else ():
        name = etree.QName(element)
        if name.namespace != RIM:
            raise Unavailable("it answers with something else than registry objects")
        said = home_community_id(element.get("home", ""))
        if element.tag in _AT_HOME and said in ("", own):
            homeless.append(f"{name.localname} {element.get('id', '')[:100]}")
        else:
            parts.append(etree.tostring(element, encoding="UTF-8", with_tail=False))
    problems = _problems(body, home, status)
    if homeless:
        what = f"the community {home} answers with {len(homeless)} objects that have no homeCommunityId of its own"
        problems.append(missing_home(f"{what}, such as {homeless[0]}", home))
    is_done = status != _FAILURE or not any(not one.is_warning for one in problems)
    return Objects(parts, problems, is_done)


def _problems(response: etree._Element, home: str, status: str) -> list[Problem]:
    """Those that are passed on: consumers of a registry do not expect to hear of unknown patients (ITI TF-2
    3.38.4.1.3)."""
    found = problems_in(response)
    if not found and status != _SUCCESS:
        return [unavailable_community(home, "it refuses and gives no reason")]
    kept = (one for one in found if one.code != ErrorCode.UNKNOWN_PATIENT)
    return [one if one.location else replace(one, location=home) for one in kept]


def _retrieved(answer: Message, home: str, places: dict[tuple[str, str], str]) -> Documents:
    response = answer.body.find(qname(RS, "RegistryResponse"))
    if answer.body.tag != qname(XDSB, "RetrieveDocumentSetResponse") or response is None:
        raise Unavailable("it answers something that is no RetrieveDocumentSetResponse with a RegistryResponse")
    given = {
        (one.repository_unique_id, one.unique_id): _as_asked(one, places[one.repository_unique_id, one.unique_id])
        for one in documents_in(answer)
        if (one.repository_unique_id, one.unique_id) in places
    }
    found = problems_in(response)
    missing = [unique_id for key in places if key not in given for unique_id in key[1:]]
    if missing and all(one.is_warning for one in found):
        what = f"the community {home} gives neither {missing[0]} nor a reason"
        found.append(Problem(ErrorCode.REPOSITORY, f"{what}; {len(missing)} documents are missing"))
    problems = [one if one.location else replace(one, location=home) for one in found]
    return Documents(list(given.values()), problems, answer.scratch)


def _as_asked(one: Received, home: str) -> Retrieved:
    return Retrieved(
        one.repository_unique_id,
        one.unique_id,
        one.mime_type or "application/octet-stream",
        partial(_pieces, one.content),
        one.content.size,
        home,
        one.new_repository_unique_id,
        one.new_unique_id,
    )


def _pieces(content: Attachment) -> Iterator[bytes]:
    with content.open() as file:
        while piece := file.read(_PIECE):
            yield piece
