"""The stored queries of ITI TF-2 3.18.4.1.2.3.7 as one table, and what was asked with one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from vna.audit.queries import Asked
from vna.documents.problems import ErrorCode, refused
from vna.model.documents import Between, Condition, Kind, Like, OneOf, Status, moment


class Form(Enum):
    """What a parameter's values are. A door hands over statuses as Status writes them, document types as STABLE,
    ON_DEMAND and OTHER_TYPE, association types as AssociationKind writes them, codes as `code^^scheme`."""

    TEXT = 1
    CODE = 2
    LIKE = 3
    STATUS = 4
    DOCUMENT_TYPE = 5
    ASSOCIATION_TYPE = 6
    BEGIN = 7
    END = 8


STABLE, ON_DEMAND, OTHER_TYPE = "", "yes", "other"
"""Document types; no document is of another."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: several values mean any of them; where it may be `repeated`, all repetitions have to hold."""

    name: str
    form: Form = Form.TEXT
    attribute: str = ""
    many: bool = False
    repeated: bool = False
    required: bool = False


@dataclass(frozen=True, slots=True)
class StoredQuery:
    """One query: its parameters, those of which there has to be exactly one, and whether it is answered from one list
    of rows, for which nothing has to hold still."""

    name: str
    query_id: str
    parameters: tuple[Parameter, ...]
    one_of: tuple[str, ...] = ()
    one_list: bool = False

    @property
    def by_patient(self) -> bool:
        """Whether it needs a patient identifier; the others name objects."""
        return any(parameter.required and is_patient(parameter.name) for parameter in self.parameters)


def is_patient(name: str) -> bool:
    """Whether a parameter is the patient's identifier."""
    return name.lower().endswith("patientid")


def _codes(name: str, attribute: str, *, repeated: bool = False) -> Parameter:
    return Parameter(name, Form.CODE, attribute, many=True, repeated=repeated)


def _patient(name: str) -> Parameter:
    return Parameter(name, required=True)


def _status(name: str) -> Parameter:
    return Parameter(name, Form.STATUS, many=True, required=True)


def _time(name: str, attribute: str) -> tuple[Parameter, Parameter]:
    return Parameter(f"{name}From", Form.BEGIN, attribute), Parameter(f"{name}To", Form.END, attribute)


def _either(name: str, *, many: bool) -> tuple[Parameter, Parameter]:
    return Parameter(f"{name}EntryUUID", many=many), Parameter(f"{name}UniqueId", many=many)


_DE, _SS, _FD = "$XDSDocumentEntry", "$XDSSubmissionSet", "$XDSFolder"
_TYPE = Parameter(f"{_DE}Type", Form.DOCUMENT_TYPE, "on_demand", many=True)
_FORMAT = _codes(f"{_DE}FormatCode", "format_code")
_CONFIDENTIALITY = _codes(f"{_DE}ConfidentialityCode", "confidentiality_codes", repeated=True)
_CONTENTS = (_FORMAT, _CONFIDENTIALITY, _TYPE)
_LINKS = Parameter("$XDSAssociationStatus", Form.STATUS, many=True)
_UUIDS = Parameter("$uuid", many=True, required=True)
_ONE_DOCUMENT, _DOCUMENTS = _either(_DE, many=False), _either(_DE, many=True)
_ONE_FOLDER, _FOLDERS = _either(_FD, many=False), _either(_FD, many=True)
_ONE_SET = _either(_SS, many=False)
_FIND_DOCUMENTS = (
    _patient(f"{_DE}PatientId"),
    _status(f"{_DE}Status"),
    _codes(f"{_DE}ClassCode", "class_code"),
    _codes(f"{_DE}TypeCode", "type_code"),
    _codes(f"{_DE}PracticeSettingCode", "practice_setting_code"),
    *_time(f"{_DE}CreationTime", "creation_time"),
    *_time(f"{_DE}ServiceStartTime", "service_start_time"),
    *_time(f"{_DE}ServiceStopTime", "service_stop_time"),
    _codes(f"{_DE}HealthcareFacilityTypeCode", "healthcare_facility_type_code"),
    _codes(f"{_DE}EventCodeList", "event_codes", repeated=True),
    _CONFIDENTIALITY,
    Parameter(f"{_DE}AuthorPerson", Form.LIKE, "author_person", many=True),
    _FORMAT,
    _TYPE,
)
_REFERENCE_IDS = Parameter(f"{_DE}ReferenceIdList", Form.TEXT, "reference_ids", many=True, repeated=True, required=True)


def _names(parameters: Sequence[Parameter]) -> tuple[str, ...]:
    return tuple(parameter.name for parameter in parameters)


def _query(name: str, number: str, *parameters: Parameter, one_of: tuple[Parameter, ...] = ()) -> StoredQuery:
    return StoredQuery(
        name, f"urn:uuid:{number}", (*one_of, *parameters), _names(one_of), one_list=name.startswith("Find")
    )


STORED_QUERIES = (
    _query("FindDocuments", "14d4debf-8f97-4251-9a74-a90016b0af0d", *_FIND_DOCUMENTS),
    _query(
        "FindSubmissionSets",
        "f26abbcb-ac74-4422-8a30-edb644bbc1a9",
        _patient(f"{_SS}PatientId"),
        _status(f"{_SS}Status"),
        Parameter(f"{_SS}SourceId", Form.TEXT, "source_id", many=True),
        *_time(f"{_SS}SubmissionTime", "submission_time"),
        Parameter(f"{_SS}AuthorPerson", Form.LIKE, "author_person"),
        _codes(f"{_SS}ContentType", "content_type_code"),
    ),
    _query(
        "FindFolders",
        "958f3006-baad-4929-a4de-ff1114824431",
        _patient(f"{_FD}PatientId"),
        _status(f"{_FD}Status"),
        *_time(f"{_FD}LastUpdateTime", "last_update_time"),
        _codes(f"{_FD}CodeList", "codes", repeated=True),
    ),
    _query(
        "GetAll",
        "10b545ea-725c-446d-9b95-8aeb444eddf3",
        _patient("$patientId"),
        _status(f"{_DE}Status"),
        _status(f"{_SS}Status"),
        _status(f"{_FD}Status"),
        *_CONTENTS,
        _LINKS,
    ),
    _query("GetDocuments", "5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4", one_of=_DOCUMENTS),
    _query("GetFolders", "5737b14c-8a1a-4539-b659-e03a34a5e1e4", one_of=_FOLDERS),
    _query("GetAssociations", "a7ae438b-4bc2-4642-93e9-be891f7bb155", _UUIDS, _LINKS),
    _query("GetDocumentsAndAssociations", "bab9529a-4a10-40b3-a01f-f68a615d247a", _LINKS, one_of=_DOCUMENTS),
    _query("GetSubmissionSets", "51224314-5390-4169-9b91-b1980040715a", _UUIDS, _LINKS),
    _query("GetSubmissionSetAndContents", "e8e3cb2c-e39c-46b9-99e4-c12f57260b83", *_CONTENTS, one_of=_ONE_SET),
    _query("GetFolderAndContents", "b909a503-523d-4517-8acf-8e5834dfc4c7", *_CONTENTS, _LINKS, one_of=_ONE_FOLDER),
    _query("GetFoldersForDocument", "10cae35a-c7f9-4cf5-b61e-fc3278ffb578", _LINKS, one_of=_ONE_DOCUMENT),
    _query(
        "GetRelatedDocuments",
        "d90e5407-b356-4d91-a89f-873917b4b0e6",
        Parameter("$AssociationTypes", Form.ASSOCIATION_TYPE, many=True, required=True),
        _TYPE,
        _LINKS,
        one_of=_ONE_DOCUMENT,
    ),
    _query("FindDocumentsByReferenceId", "12941a89-e02e-4be5-967c-ce4bfc8fe492", *_FIND_DOCUMENTS, _REFERENCE_IDS),
)

BY_ID = {query.query_id: query for query in STORED_QUERIES}
_OF_KIND = {Kind.DOCUMENT: _DE, Kind.SUBMISSION_SET: _SS, Kind.FOLDER: _FD}
_MAYBE_NONE = frozenset({"creation_time", "service_start_time", "service_stop_time"})
_MOST_VALUES = 2_000
_LONGEST_VALUE = 4_000

Given = Mapping[str, Sequence[tuple[str, ...]]]
"""The values of each parameter, once for every time that it was given."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """A stored query with what it was given, checked against the table."""

    query: StoredQuery
    values: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)

    def one(self, name: str) -> str:
        """The only value of a parameter; empty when it was not given."""
        return self.values[name][0][0] if name in self.values else ""

    def many(self, name: str) -> tuple[str, ...]:
        """Every value of a parameter."""
        return tuple(value for several in self.values.get(name, ()) for value in several)

    def as_asked(self) -> Asked:
        """What the trail says of it."""
        patient = next((self.one(name) for name in self.values if is_patient(name)), "")
        said = {"name": self.query.name, "values": dict(self.values)}
        return Asked(patient, "", {"query_id": self.query.query_id, "query": said})

    def statuses(self, kind: Kind) -> frozenset[Status]:
        """Which statuses are asked for; all of them where the query does not ask."""
        given = self.many(f"{_OF_KIND[kind]}Status")
        return frozenset(map(Status, given)) if given else frozenset(Status)

    def link_statuses(self) -> tuple[Status, ...]:
        """Those of associations: the approved ones, unless others are asked for (XDS Metadata Update 3.18)."""
        return tuple(map(Status, self.many(_LINKS.name))) or (Status.APPROVED,)

    def conditions(self) -> tuple[Condition, ...]:
        """What has to hold of each object. Without a document type these are stable ones."""
        found: list[Condition] = []
        for parameter in self.query.parameters:
            given = self.values.get(parameter.name, ())
            match parameter.form:
                case Form.DOCUMENT_TYPE:
                    found.append(OneOf(parameter.attribute, self.many(parameter.name) or (STABLE,)))
                case Form.LIKE:
                    found += [Like(parameter.attribute, values) for values in given]
                case Form.BEGIN:
                    found += self._between(parameter)
                case Form.CODE | Form.TEXT if parameter.attribute:
                    found += [OneOf(parameter.attribute, values) for values in given]
        return tuple(found)

    def _between(self, parameter: Parameter) -> list[Condition]:
        begin, end = self.one(parameter.name), self.one(parameter.name.removesuffix("From") + "To")
        if not begin and not end:
            return []
        return [Between(parameter.attribute, begin, end, or_none=parameter.attribute in _MAYBE_NONE)]


def arguments(query_id: str, given: Given) -> Arguments:
    """What was asked, or Refused with the code that ITI-18 has for it. Unknown parameters are passed over."""
    query = BY_ID.get(query_id)
    if query is None:
        raise refused(ErrorCode.UNKNOWN_QUERY, f"there is no stored query {query_id}")
    values = {
        parameter.name: _checked(parameter, [one for one in given[parameter.name] if one])
        for parameter in query.parameters
        if any(given.get(parameter.name, ()))
    }
    for parameter in query.parameters:
        if parameter.required and parameter.name not in values:
            raise refused(ErrorCode.MISSING_PARAMETER, f"{query.name} needs {parameter.name}")
    if query.one_of:
        there = [name for name in query.one_of if name in values]
        if len(there) != 1:
            code = ErrorCode.PARAMETER_NUMBER if there else ErrorCode.MISSING_PARAMETER
            raise refused(code, f"{query.name} needs one of {' and '.join(query.one_of)}")
    if sum(len(one) for several in values.values() for one in several) > _MOST_VALUES:
        raise refused(ErrorCode.REGISTRY, f"a query has at most {_MOST_VALUES} values")
    return Arguments(query, values)


def _checked(parameter: Parameter, given: list[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    name = parameter.name
    if len(given) > 1 and not parameter.repeated:
        raise refused(ErrorCode.PARAMETER_NUMBER, f"{name} is given {len(given)} times")
    if len(given[0]) > 1 and not parameter.many:
        raise refused(ErrorCode.PARAMETER_NUMBER, f"{name} has one value, not {len(given[0])}")
    for value in (value for several in given for value in several):
        if len(value) > _LONGEST_VALUE:
            raise refused(ErrorCode.REGISTRY, f"{name}: a value has at most {_LONGEST_VALUE} characters")
        if parameter.form is Form.CODE and not _is_code(value):
            raise refused(ErrorCode.REGISTRY, f"{name}: {value} is no code^^scheme")
        if parameter.form in (Form.BEGIN, Form.END) and not _is_time(value):
            raise refused(ErrorCode.REGISTRY, f"{name}: {value} is no time as YYYY[MM[DD[hh[mm[ss]]]]]")
    return tuple(given)


def _is_code(value: str) -> bool:
    parts = value.split("^")
    return len(parts) == 3 and bool(parts[0]) and not parts[1] and bool(parts[2])


def _is_time(value: str) -> bool:
    try:
        moment(value)
    except ValueError:
        return False
    return True
