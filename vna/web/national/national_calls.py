"""The national call names: what each takes and gives, field by field as existing clients know them.

Names of fields are theirs, misspelt ones among them (`AccessionNuber`, `PatientICD1O`). What is not known of an answer
is ours and said so in docs/status-api.md.
"""

from typing import Annotated

from pydantic import AliasChoices, Field

from vna.web.national.fields import Asked, Given, Required, Text, Texts

Number = int | None


class PatientOrders(Asked):
    """Orders of a patient at a facility."""

    MedulaInstitutionId: Required
    CitizenId: Required


class OrderStatuses(Asked):
    """How these orders stand."""

    MedulaInstitutionId: Required
    AccessionNumberList: Texts


class Span(Asked):
    """A period and perhaps a modality."""

    MedulaInstitutionId: Required
    Modality: Text = ""
    StartDateTime: Required
    EndDateTime: Required


class Day(Asked):
    """A day and perhaps a modality."""

    MedulaInstitutionId: Required
    Modality: Text = ""
    QueryDate: Required


class StudyDay(Asked):
    """The same, under the name that the call for images has for the day."""

    MedulaInstitutionId: Required
    Modality: Text = ""
    QueryDate: Annotated[Required, Field(validation_alias=AliasChoices("StartDateTime", "QueryDate"))]


class PreviousOfOne(Asked):
    """Earlier examinations of a patient with one code; `DoctorCitizenId` is who wants to know."""

    MedulaInstitutionId: Required
    PatientCitizenId: Required
    SutCode: Required
    DoctorCitizenId: Text = ""


class PreviousOfSome(Asked):
    """The same with several codes."""

    MedulaInstitutionId: Required
    PatientCitizenId: Required
    SutCodeList: Annotated[Texts, Field(max_length=50)]
    DoctorCitizenId: Text = ""


class OneReport(Asked):
    """The report of an order; `DoctorCitizenId` is who opens it."""

    OrderID: Required
    DoctorCitizenId: Text = ""


class RemovedKos(Asked):
    """Images that are no longer to be of an order."""

    MedulaInstitutionId: Required
    AccessionNumber: Required
    StudyInstanceUID: Required


class OneOrder(Asked):
    """An order at a facility."""

    MedulaInstitutionId: Required
    AccessionNumber: Required


class OneOrderId(Asked):
    """An order by the `OrderId` that another call gave."""

    orderId: Required


class SendControl(Asked):
    """Orders and images of a facility, by accession numbers or national numbers."""

    InstitutionId: Text = ""
    AccessionNumber: list[Required] = Field(default=[], max_length=500)
    CitizenId: list[Required] = Field(default=[], max_length=50)


class PatientOrder(Given):
    """An order of a patient."""

    AccessionNumber: str
    Modality: str
    ScheduleDate: str | None
    SutCode: str
    SutDescription: str
    PatientHbysId: str
    PatientHistory: str
    PatientComplaints: str
    PatientICD1O: str


class OrderStatus(Given):
    """How an order stands. `Error` is empty where nothing is wrong."""

    AccessionNumber: str
    CitizenId: str | None
    TeletipStatus: str
    TeletipStatusId: int
    WadoStatus: str
    WadoStatusId: int
    MedulaStatus: str
    MedulaStatusId: int
    MedulaInstitutionId: str
    SutCode: str | None
    LastMedulaSendDate: str | None
    MedulaResponseCode: str | None
    MedulaResponseMessage: str | None
    ReportStatus: str
    ReportStatusId: int
    DoseStatus: str
    DoseStatusId: int
    ScheduleDate: str | None
    PerformedDate: str | None
    PatientHistorySearchStatus: str
    PatientHistorySearchStatusId: int
    Error: str


class FailedNotification(Given):
    """A notification that the payer did not accept."""

    AccessionNuber: str
    LastMedulaSendDate: str
    NumberOfAttempt: int
    LastMedulaResponseCode: str
    LastMedulaResponseMessage: str


class DailyOrder(Given):
    """An order of a day."""

    AccessionNumber: str
    Modality: str
    ScheduleDate: str | None
    SutCode: str
    CitizenId: str


class DailyStudy(Given):
    """Images of a day."""

    AccessionNumber: str
    Modality: str
    StudyInstanceUID: str
    StudyDate: str | None


class PreviousStudy(Given):
    """An earlier examination."""

    OrderId: str
    InstitutionName: str
    SKRS: str
    AccessionNumber: str
    ScheduleDate: str
    PerformedDate: str
    RequestedProcedureDescription: str
    IsStudyExist: bool
    IsReportExist: bool


class SearchDetail(Given):
    """Whether images or the report of an earlier examination were opened, or there is none."""

    SutCode: str
    Result: bool


class ReportText(Given):
    """A report as text, its addenda after it; None where there is none."""

    Report: str | None


class RemovedStudy(Given):
    """What became of images that are no longer to be of an order."""

    AccessionNumber: str
    StudyInstanceUID: str
    Result: bool
    Message: str


class SendControlRow(Given):
    """What is known of a number that was searched; `OrderId` is None where no order is."""

    SearchAccessionNumber: str
    OrderId: str | None
    HL7PatientName: str | None
    HL7Modality: str | None
    CitizenId: str | None
    SutCode: str | None
    ScheduleDate: str | None
    StudyInstanceUID: str | None
    TeletipStatusId: int
    Error: str


class MedulaStatus(Given):
    """What the payer said of an order; `Error` is empty where nothing is wrong, None where no order is known."""

    OrderId: str
    Error: str | None
    CitizenId: str | None
    SutCode: str | None
    MedulaResponseCode: str | None
    MedulaResponseMessage: str | None
    LastMedulaSendDate: str | None


class Trouble(Given):
    """Why a call was refused."""

    Message: str
