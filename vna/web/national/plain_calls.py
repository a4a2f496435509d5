"""The plain form of the status API: what each address takes and gives."""

from typing import Annotated, Literal

from pydantic import AliasChoices, Field

from vna.web.national.fields import Asked, Given, Required, Text, Texts

Limit = Annotated[int, Field(ge=1, le=500)]


class ListedOrders(Asked):
    """Orders of a patient (national number, else the facility's file number), by accession numbers, or of a facility
    in a period of at most 92 days."""

    facility: Text = ""
    patient: Text = ""
    accession: Annotated[Texts | None, Field()] = None
    modality: Text = ""
    status: Text = ""
    begin: Text = Field(default="", validation_alias=AliasChoices("from", "begin"))
    end: Text = Field(default="", validation_alias=AliasChoices("to", "end"))
    by: Literal["requested", "scheduled"] = "requested"
    after: Text = ""
    limit: Limit = 100


class NamedOrder(Asked):
    """An order by facility (SKRS code) and accession number."""

    facility: Required
    accession: Required


class AskedStatuses(Asked):
    """Accession numbers of a facility."""

    facility: Text = ""
    accession_numbers: Texts


class InPeriod(Asked):
    """A facility and a period, and perhaps a modality."""

    facility: Text = ""
    modality: Text = ""
    begin: Required = Field(validation_alias=AliasChoices("from", "begin"))
    end: Required = Field(validation_alias=AliasChoices("to", "end"))
    limit: Limit = 100


class Unmatched(InPeriod):
    """The same, page by page."""

    after: Text = ""


class Earlier(Asked):
    """Earlier examinations of a patient by national number, for these SUT codes; `doctor` is who wants to know."""

    patient: Required
    sut_code: Annotated[Texts, Field(max_length=50)]
    doctor: Text = ""
    limit: Limit = 100


class Coded(Given):
    """A code with its text."""

    code: str
    text: str


class Reason(Given):
    """Why an order is not complete, in Turkish and English."""

    code: str
    tr: str
    en: str


class Patient(Given):
    """Who an order is for."""

    patient_id: str
    national_number: str
    name: str
    birth_date: str
    sex: str


class Person(Given):
    """A person by national number and name."""

    number: str
    name: str


class Notified(Given):
    """What the payer was told last."""

    state: str
    attempts: int
    last_sent_at: str | None
    response_code: str
    response_message: str


class Order(Given):
    """An order and how it stands."""

    facility: str
    accession_number: str
    performing_facility: str
    state: str
    status: str
    reasons: list[Reason]
    matched: bool
    has_images: bool
    has_report: bool
    patient: Patient
    sut: Coded
    loinc: Coded
    modality: str
    requested_at: str | None
    scheduled_at: str | None
    performed_at: str | None
    ordering_doctor: Person
    payer: str
    studies: list[str]
    notification: Notified | None


class Orders(Given):
    """A page; `next` goes into `after` of the next request, null at the end."""

    orders: list[Order]
    next: str | None


class Study(Given):
    """Images for which no order is known."""

    study_instance_uid: str
    facility: str
    accession_number: str
    study_date: str
    modalities: list[str]


class Status(Given):
    """What is known of an accession number."""

    accession_number: str
    found: Literal["matched", "order without images", "images without order", "nothing"]
    order: Order | None
    studies: list[Study]


class Statuses(Given):
    """One for each number that was asked, in that order."""

    statuses: list[Status]


class UnmatchedOrder(Given):
    """An order without images, with the reason."""

    facility: str
    accession_number: str
    modality: str
    sut_code: str
    requested_at: str | None
    scheduled_at: str | None
    reason: Reason


class UnmatchedOrders(Given):
    """A page of orders without images, the oldest first; `next` goes into `after`, null at the end."""

    orders: list[UnmatchedOrder]
    next: str | None


class UnmatchedStudy(Given):
    """Images without an order, with the reason; nobody sees those in quarantine."""

    study_instance_uid: str
    facility: str
    accession_number: str
    study_date: str
    modalities: list[str]
    quarantine: bool
    reason: Reason


class UnmatchedStudies(Given):
    """A page of images without an order, the oldest first; `next` goes into `after`, null at the end."""

    studies: list[UnmatchedStudy]
    next: str | None


class Failed(Given):
    """A notification that the payer did not accept."""

    facility: str
    accession_number: str
    attempts: int
    last_sent_at: str | None
    response_code: str
    response_message: str


class FailedList(Given):
    """Notifications that were not accepted, the newest first."""

    notifications: list[Failed]


class Examination(Given):
    """An earlier examination, of any facility."""

    facility: str
    facility_name: str
    accession_number: str
    sut: Coded
    requested_at: str | None
    performed_at: str | None
    has_images: bool
    has_report: bool
    studies: list[str]


class Previous(Given):
    """Earlier examinations, the newest first."""

    examinations: list[Examination]


class Refusal(Given):
    """Why a request was refused; `rule` where a rule of the national profile is broken."""

    status: int
    message: str
    rule: str = ""
