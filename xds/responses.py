"""rs:RegistryResponse and query:AdhocQueryResponse (ITI TF-3 4.2.4): the status follows from the errors."""

from collections.abc import Iterator, Sequence

from lxml import etree

from vna.documents.answers import Answer, Found, Link
from vna.documents.problems import Problem
from vna.xml.namespaces import QUERY, RIM, RS, qname
from vna.xml.parser import Bounds, parse
from vna.xml.text import carried
from xds.ebrim import writing
from xds.ebrim.vocabulary import RESPONSE_STATUS, SEVERITY

_Element = etree._Element
_FAILURE = f"{RESPONSE_STATUS}Failure"
_PARTIAL = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
_OUR_OWN = Bounds(size=1 << 31, marks=1 << 40)


def registry_response(problems: Sequence[Problem] = (), *, partly: bool = False) -> _Element:
    """Success; or with the problems Failure, PartialSuccess where something was done all the same."""
    return _response(qname(RS, "RegistryResponse"), {"rs": RS}, problems, _PARTIAL if partly else _FAILURE)


def query_failure(problems: Sequence[Problem]) -> _Element:
    """Failure of a query: with a list of objects, an empty one, as the schema wants it."""
    made = _response(qname(QUERY, "AdhocQueryResponse"), {"query": QUERY, "rs": RS}, problems)
    writing.object_refs((), made)
    return made


def references(answer: Answer) -> _Element:
    """rim:ObjectRef for everything that was found."""
    made = _response(qname(QUERY, "AdhocQueryResponse"), {"query": QUERY, "rim": RIM}, ())
    writing.object_refs((one.entry_uuid for one in _everything(answer)), made)
    return made


def whole_objects(answer: Answer) -> _Element:
    """Everything that was found, by the rendition that is kept, or made now where none is."""
    parts = []
    for one in _everything(answer):
        if one.rendition is not None:
            parts.append(one.rendition)
        elif one.object is not None:
            parts.append(writing.rendition(one.object))
    made = _response(qname(QUERY, "AdhocQueryResponse"), {"query": QUERY}, ())
    made.append(parse(writing.object_list(parts), _OUR_OWN))
    return made


def _everything(answer: Answer) -> Iterator[Found | Link]:
    yield from answer.objects
    yield from answer.links


def _response(name: str, nsmap: dict[str, str], problems: Sequence[Problem], failed: str = _FAILURE) -> _Element:
    made = etree.Element(name, {"status": failed if problems else f"{RESPONSE_STATUS}Success"}, nsmap=nsmap)
    if problems:
        severity = f"{SEVERITY}Error"
        listed = etree.SubElement(made, qname(RS, "RegistryErrorList"), {"highestSeverity": severity})
        for problem in problems:
            attributes = {
                "errorCode": problem.code.value,
                "codeContext": carried(problem.context),
                "severity": severity,
            }
            if problem.location:
                attributes["location"] = carried(problem.location)
            etree.SubElement(listed, qname(RS, "RegistryError"), attributes)
    return made
