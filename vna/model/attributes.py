"""Which attribute lives at which level, what is kept of it in the index, and how it is matched.

Every attribute of a level's table is kept on that level's row as DICOM JSON, so that it is returned and can be matched.
Those with a column are matched by the database; the others after it.  (PS3.3 C.7.1 to C.7.6, PS3.4 C.6, PS3.18 10.6)
"""

from dataclasses import dataclass

from vna.model.query import Level


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute kept in the index; `column` where the database matches it, `always` where every answer has it."""

    tag: str
    keyword: str
    vr: str
    level: Level
    column: str = ""
    always: bool = False


P, T, S, I = Level.PATIENT, Level.STUDY, Level.SERIES, Level.IMAGE  # noqa: E741

ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("00100010", "PatientName", "PN", P, "patient_name", always=True),
    Attribute("00100020", "PatientID", "LO", P, "patient_id", always=True),
    Attribute("00100021", "IssuerOfPatientID", "LO", P, "issuer"),
    Attribute("00100024", "IssuerOfPatientIDQualifiersSequence", "SQ", P),
    Attribute("00100030", "PatientBirthDate", "DA", P, "birth_date", always=True),
    Attribute("00100032", "PatientBirthTime", "TM", P),
    Attribute("00100040", "PatientSex", "CS", P, "sex", always=True),
    Attribute("00101000", "OtherPatientIDs", "LO", P),
    Attribute("00101001", "OtherPatientNames", "PN", P),
    Attribute("00101002", "OtherPatientIDsSequence", "SQ", P),
    Attribute("00102160", "EthnicGroup", "SH", P),
    Attribute("00104000", "PatientComments", "LT", P),
    Attribute("0020000D", "StudyInstanceUID", "UI", T, "study_instance_uid", always=True),
    Attribute("00080020", "StudyDate", "DA", T, "study_date", always=True),
    Attribute("00080030", "StudyTime", "TM", T, "study_time", always=True),
    Attribute("00080050", "AccessionNumber", "SH", T, "accession_number", always=True),
    Attribute("00080051", "IssuerOfAccessionNumberSequence", "SQ", T),
    Attribute("00080090", "ReferringPhysicianName", "PN", T, "referring_physician_name", always=True),
    Attribute("00080201", "TimezoneOffsetFromUTC", "SH", T),
    Attribute("00081030", "StudyDescription", "LO", T, "study_description"),
    Attribute("00081032", "ProcedureCodeSequence", "SQ", T),
    Attribute("00081048", "PhysiciansOfRecord", "PN", T),
    Attribute("00081060", "NameOfPhysiciansReadingStudy", "PN", T),
    Attribute("00081080", "AdmittingDiagnosesDescription", "LO", T),
    Attribute("00101010", "PatientAge", "AS", T),
    Attribute("00101020", "PatientSize", "DS", T),
    Attribute("00101030", "PatientWeight", "DS", T),
    Attribute("00102180", "Occupation", "SH", T),
    Attribute("001021B0", "AdditionalPatientHistory", "LT", T),
    Attribute("00200010", "StudyID", "SH", T, "study_id", always=True),
    Attribute("00321032", "RequestingPhysician", "PN", T),
    Attribute("00321060", "RequestedProcedureDescription", "LO", T),
    Attribute("00380010", "AdmissionID", "LO", T),
    Attribute("0020000E", "SeriesInstanceUID", "UI", S, "series_instance_uid", always=True),
    Attribute("00080021", "SeriesDate", "DA", S),
    Attribute("00080031", "SeriesTime", "TM", S),
    Attribute("00080060", "Modality", "CS", S, "modality", always=True),
    Attribute("00080070", "Manufacturer", "LO", S),
    Attribute("00080080", "InstitutionName", "LO", S),
    Attribute("00081010", "StationName", "SH", S),
    Attribute("0008103E", "SeriesDescription", "LO", S, "series_description", always=True),
    Attribute("00081040", "InstitutionalDepartmentName", "LO", S),
    Attribute("00081050", "PerformingPhysicianName", "PN", S),
    Attribute("00081070", "OperatorsName", "PN", S),
    Attribute("00081090", "ManufacturerModelName", "LO", S),
    Attribute("00081111", "ReferencedPerformedProcedureStepSequence", "SQ", S),
    Attribute("00180015", "BodyPartExamined", "CS", S),
    Attribute("00181030", "ProtocolName", "LO", S),
    Attribute("00185100", "PatientPosition", "CS", S),
    Attribute("00200011", "SeriesNumber", "IS", S, "series_number", always=True),
    Attribute("00200052", "FrameOfReferenceUID", "UI", S),
    Attribute("00200060", "Laterality", "CS", S),
    Attribute("00400244", "PerformedProcedureStepStartDate", "DA", S, "pps_start_date", always=True),
    Attribute("00400245", "PerformedProcedureStepStartTime", "TM", S, "pps_start_time", always=True),
    Attribute("00400253", "PerformedProcedureStepID", "SH", S),
    Attribute("00400254", "PerformedProcedureStepDescription", "LO", S),
    Attribute("00400275", "RequestAttributesSequence", "SQ", S, always=True),
    Attribute("00080018", "SOPInstanceUID", "UI", I, "sop_instance_uid", always=True),
    Attribute("00080016", "SOPClassUID", "UI", I, "sop_class_uid", always=True),
    Attribute("00200013", "InstanceNumber", "IS", I, "instance_number", always=True),
    Attribute("00080023", "ContentDate", "DA", I, "content_date"),
    Attribute("00080033", "ContentTime", "TM", I, "content_time"),
    Attribute("00280008", "NumberOfFrames", "IS", I),
    Attribute("00280010", "Rows", "US", I),
    Attribute("00280011", "Columns", "US", I),
    Attribute("00280100", "BitsAllocated", "US", I),
    Attribute("0040A043", "ConceptNameCodeSequence", "SQ", I),
    Attribute("0040A491", "CompletionFlag", "CS", I),
    Attribute("0040A493", "VerificationFlag", "CS", I),
    Attribute("00700080", "ContentLabel", "CS", I),
    Attribute("00700081", "ContentDescription", "LO", I),
)
"""At IMAGE level any other attribute of the header can be asked too: the whole header is kept."""

BY_TAG = {attribute.tag: attribute for attribute in ATTRIBUTES}
BY_LEVEL = {level: tuple(a for a in ATTRIBUTES if a.level == level) for level in Level}


@dataclass(frozen=True, slots=True)
class Computed:
    """An attribute that no instance carries: kept on write, or said by the archive (PS3.4 C.3.4)."""

    tag: str
    keyword: str
    vr: str
    level: Level
    always: bool = False


COMPUTED: tuple[Computed, ...] = (
    Computed("00201200", "NumberOfPatientRelatedStudies", "IS", P),
    Computed("00201202", "NumberOfPatientRelatedSeries", "IS", P),
    Computed("00201204", "NumberOfPatientRelatedInstances", "IS", P),
    Computed("00080061", "ModalitiesInStudy", "CS", T, always=True),
    Computed("00080062", "SOPClassesInStudy", "UI", T),
    Computed("00201206", "NumberOfStudyRelatedSeries", "IS", T, always=True),
    Computed("00201208", "NumberOfStudyRelatedInstances", "IS", T, always=True),
    Computed("00201209", "NumberOfSeriesRelatedInstances", "IS", S, always=True),
    Computed("00080054", "RetrieveAETitle", "AE", P),
    Computed("00080056", "InstanceAvailability", "CS", P),
    Computed("00083002", "AvailableTransferSyntaxUID", "UI", I),
)

COMPUTED_BY_TAG = {computed.tag: computed for computed in COMPUTED}

NEVER_MATCHED = frozenset(
    {
        "00080005",  # SpecificCharacterSet says how the identifier is written (PS3.4 C.2.2.2)
        "00080052",  # QueryRetrieveLevel
        "00080054",  # RetrieveAETitle and
        "00080056",  # InstanceAvailability are the archive's own words
        "00080201",  # TimezoneOffsetFromUTC speaks of the identifier's own times (PS3.4 C.4.1.1.3.1)
    }
)
"""Attributes of an identifier that are no matching keys; those that are known are returned all the same."""


def is_known_at(tag: str, level: Level) -> bool:
    """Whether a search at `level` knows the attribute: of that level or above, and any of the header at IMAGE."""
    attribute = BY_TAG.get(tag) or COMPUTED_BY_TAG.get(tag)
    return level is Level.IMAGE if attribute is None else attribute.level <= level
