"""Registry Stored Query (ITI TF-2 3.18)."""

from collections import defaultdict
from collections.abc import Callable

from lxml import etree

from vna.documents.problems import ErrorCode, refused
from vna.documents.registry import Registry
from vna.documents.stored_queries import BY_ID, ON_DEMAND, STABLE, Arguments, Form, Given, arguments
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

_OBJECT_REF, _LEAF_CLASS = "ObjectRef", "LeafClass"
_TYPES = {vocabulary.STABLE: STABLE, vocabulary.ON_DEMAND: ON_DEMAND}
_WORDS: dict[Form, Callable[[str], str | None]] = {
    Form.STATUS: vocabulary.STATUSES.get,
    Form.DOCUMENT_TYPE: _TYPES.get,
    Form.ASSOCIATION_TYPE: vocabulary.ASSOCIATIONS.get,
}
"""What the model says for words of the wire; what is not known is passed over."""


def operation(registry: Registry) -> Operation:
    """Answers with references or whole objects, as is asked for."""

    def query(message: Message, actor: Actor) -> etree._Element | bytes:
        asked, wants = read(message.body)
        answer = registry.query(actor, asked, references=wants == _OBJECT_REF)
        return references(answer) if wants == _OBJECT_REF else whole_objects(answer)

    return transaction(ACTION, query, query_failure)


def read(request: etree._Element) -> tuple[Arguments, str]:
    """The stored query of a query:AdhocQueryRequest, and what is to be returned; Refused when it is malformed."""
    option, query = request.find(qname(QUERY, "ResponseOption")), request.find(qname(RIM, "AdhocQuery"))
    if request.tag != qname(QUERY, "AdhocQueryRequest") or query is None:
        raise refused(ErrorCode.REGISTRY, "the message has no AdhocQueryRequest with an AdhocQuery")
    wants = option.get("returnType", "") if option is not None else ""
    if wants not in (_OBJECT_REF, _LEAF_CLASS):
        raise refused(ErrorCode.REGISTRY, f"returnType is {_OBJECT_REF} or {_LEAF_CLASS}, not {wants or 'missing'}")
    query_id = query.get("id", "").strip()
    return arguments(query_id, _given(query, query_id)), wants


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
