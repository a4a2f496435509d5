"""rs:RegistryResponse and query:AdhocQueryResponse (ITI TF-3 4.2.4): the status follows from the errors."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from lxml import etree

from vna.documents.answers import Answer, Found, Link
from vna.documents.problems import Problem
from vna.xml.namespaces import QUERY, RIM, RS, qname
from vna.xml.text import carried
from xds.ebrim import writing
from xds.ebrim.vocabulary import RESPONSE_STATUS, SEVERITY

_Element = etree._Element
_FAILURE = f"{RESPONSE_STATUS}Failure"
PARTIAL = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
_LISTED = 100
_BEFORE = f'<query:AdhocQueryResponse xmlns:query="{QUERY}" status="{RESPONSE_STATUS}Success">'.encode()


def registry_response(problems: Sequence[Problem] = (), *, partly: bool = False) -> _Element:
    """Success, also with warnings; or with the problems Failure, PartialSuccess where something was done all the
    same."""
    return _response(qname(RS, "RegistryResponse"), {"rs": RS}, problems, PARTIAL if partly else _FAILURE)


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


def whole_objects(answer: Answer) -> bytes:
    """Everything that was found, by the rendition that is kept, or made now where none is: nothing is parsed again."""
    return b"".join((_BEFORE, writing.object_list(_renditions(answer)), b"</query:AdhocQueryResponse>"))


def found_at(answer: Answer, home: str, *, references: bool) -> list[bytes]:
    """Everything that was found as fragments, each said to be of this community."""
    if references:
        return [writing.object_ref(one.entry_uuid, home) for one in _everything(answer)]
    return [writing.at_home(part, home) for part in _renditions(answer)]


def consolidated(parts: Iterable[bytes], problems: Sequence[Problem], *, partly: bool) -> bytes:
    """Fragments as one answer; with errors it is PartialSuccess or Failure (ITI TF-2 3.18.4.1.3)."""
    failed = PARTIAL if partly else _FAILURE
    made = _response(qname(QUERY, "AdhocQueryResponse"), {"query": QUERY, "rs": RS}, problems, failed)
    made.append(etree.Comment("objects"))
    before, _, after = etree.tostring(made, encoding="UTF-8").rpartition(b"<!--objects-->")
    return b"".join((before, writing.object_list(parts), after))


def problems_in(response: _Element) -> list[Problem]:
    """The errors and warnings of another's answer; at most a hundred."""
    return [
        Problem(
            error.get("errorCode", "").strip(),
            error.get("codeContext", "").strip(),
            error.get("location", "").strip(),
            is_warning=error.get("severity", "").strip().endswith("Warning"),
        )
        for error in islice(response.iter(qname(RS, "RegistryError")), _LISTED)
    ]


def has_succeeded(response: _Element, *, partly: bool = False) -> bool:
    """Whether another's answer says Success, or PartialSuccess where that will do."""
    status = response.get("status", "").strip()
    return status == f"{RESPONSE_STATUS}Success" or (partly and status == PARTIAL)


def _renditions(answer: Answer) -> Iterator[bytes]:
    for one in _everything(answer):
        if one.rendition is not None:
            yield one.rendition
        elif one.object is not None:
            yield writing.rendition(one.object)


def _everything(answer: Answer) -> Iterator[Found | Link]:
    yield from answer.objects
    yield from answer.links


def _response(name: str, nsmap: dict[str, str], problems: Sequence[Problem], failed: str = _FAILURE) -> _Element:
    succeeded = all(problem.is_warning for problem in problems)
    made = etree.Element(name, {"status": f"{RESPONSE_STATUS}Success" if succeeded else failed}, nsmap=nsmap)
    if problems:
        highest = _severity(is_warning=succeeded)
        listed = etree.SubElement(made, qname(RS, "RegistryErrorList"), {"highestSeverity": highest})
        for problem in problems:
            attributes = {
                "errorCode": carried(problem.code),
                "codeContext": carried(problem.context),
                "severity": _severity(is_warning=problem.is_warning),
            }
            if problem.location:
                attributes["location"] = carried(problem.location)
            etree.SubElement(listed, qname(RS, "RegistryError"), attributes)
    return made


def _severity(*, is_warning: bool) -> str:
    return SEVERITY + ("Warning" if is_warning else "Error")
