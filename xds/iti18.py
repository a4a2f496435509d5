"""Registry Stored Query (ITI TF-2 3.18)."""

from collections import defaultdict
from collections.abc import Callable

from lxml import etree

from vna.documents.communities import Asked
from vna.documents.problems import ErrorCode, refused
from vna.documents.registry import Registry
from vna.documents.stored_queries import BY_ID, ON_DEMAND, OTHER_TYPE, STABLE, Arguments, Form, Given, arguments
from vna.model.access import Actor
from vna.soap.exchange import Operation
from vna.soap.message import Message
from vna.xml.namespaces import QUERY, RIM, qname
from xds.ebrim import vocabulary
from xds.ebrim.reading import slot_values
from xds.query_values import values
from xds.responses import query_failure, references, whole_objects
from xds.transaction import transaction

ACTION = "urn:ihe:iti:2007:RegistryStoredQuery"
TARGETS = "$targetCommunityIdList"
_NOBODY = "()"  # as good as none (ITI TF-1 18.2.6)

_OBJECT_REF, _LEAF_CLASS = "ObjectRef", "LeafClass"
_TYPES = {vocabulary.STABLE: STABLE, vocabulary.ON_DEMAND: ON_DEMAND}
_WORDS: dict[Form, Callable[[str], str | None]] = {
    Form.STATUS: vocabulary.STATUSES.get,
    Form.DOCUMENT_TYPE: lambda text: _TYPES.get(text, OTHER_TYPE),
    Form.ASSOCIATION_TYPE: vocabulary.ASSOCIATIONS.get,
}
"""What the model says for words of the wire. What is not known is passed over (ITI TF-2 3.18.4.1.2.3.6), except types
of documents: without any the answer would be the stable ones (3.18.4.1.2.3.6.2), which nobody asked for."""


def operation(registry: Registry) -> Operation:
    """Answers with references or whole objects, as is asked for."""

    def query(message: Message, actor: Actor) -> etree._Element | bytes:
        asked, is_brief = read(message.body)
        answer = registry.query(actor, asked, references=is_brief)
        return references(answer) if is_brief else whole_objects(answer)

    return transaction(ACTION, query, query_failure)


def read(request: etree._Element) -> tuple[Arguments, bool]:
    """The stored query of a query:AdhocQueryRequest, and whether only references are to be returned; Refused when it is
    malformed."""
    query, option = _adhoc_query(request), request.find(qname(QUERY, "ResponseOption"))
    wants = option.get("returnType", "") if option is not None else ""
    if wants not in (_OBJECT_REF, _LEAF_CLASS):
        raise refused(ErrorCode.REGISTRY, f"returnType is {_OBJECT_REF} or {_LEAF_CLASS}, not {wants or 'missing'}")
    query_id = query.get("id", "").strip()
    return arguments(query_id, _given(query, query_id)), wants == _OBJECT_REF


def asked_of(request: etree._Element) -> Asked:
    """What a query says of communities (ITI TF-2 3.18.4.1.2.3.8; ITI TF-1 18.2.6)."""
    query = _adhoc_query(request)
    stored = BY_ID.get(query.get("id", "").strip())
    targets = [
        value
        for slot in query.iterchildren(qname(RIM, "Slot"))
        if slot.get("name") == TARGETS
        for text in slot_values(slot)
        if text != _NOBODY
        for value in values(text, TARGETS)
    ]
    return Asked(stored.by_patient if stored is not None else None, query.get("home", "").strip(), targets)


def _adhoc_query(request: etree._Element) -> etree._Element:
    query = request.find(qname(RIM, "AdhocQuery"))
    if request.tag != qname(QUERY, "AdhocQueryRequest") or query is None:
        raise refused(ErrorCode.REGISTRY, "the message has no AdhocQueryRequest with an AdhocQuery")
    return query


def _given(query: etree._Element, query_id: str) -> Given:
    stored = BY_ID.get(query_id)
    forms = {parameter.name: parameter.form for parameter in stored.parameters} if stored is not None else {}
    given: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for slot in query.iterchildren(qname(RIM, "Slot")):
        name = slot.get("name", "")
        if name in forms:
            found = tuple(value for text in slot_values(slot) for value in values(text, name))
            given[name].append(_worded(found, forms[name]))
    return given


def _worded(found: tuple[str, ...], form: Form) -> tuple[str, ...]:
    word = _WORDS.get(form)
    return found if word is None else tuple(known for value in found if (known := word(value)) is not None)
