"""The tables, one schema for SQLite and PostgreSQL; migrations build them (storage/index/migrations)."""

import sqlalchemy as sa

from storage.index.columns import count as _count
from storage.index.columns import text as _text
from storage.index.columns import when as _when

metadata = sa.MetaData()

Key = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""Primary keys: SQLite makes only INTEGER PRIMARY KEY count by itself."""

UID = sa.String(64)
Text = sa.Text


patients = sa.Table(
    "patients",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    _text("patient_id"),
    _text("issuer"),
    _text("patient_name"),
    _text("patient_name_norm"),
    _text("patient_name_words"),
    _text("birth_date"),
    _text("sex"),
    _text("attributes"),
    _count("number_of_studies"),
    _count("number_of_series"),
    _count("number_of_instances"),
    _count("version"),
    sa.UniqueConstraint("patient_id", "issuer", name="uq_patients_identity"),
    sa.Index("ix_patients_name", "patient_name_norm", "id"),
    sa.Index("ix_patients_birth_date", "birth_date"),
    sqlite_autoincrement=True,
)

studies = sa.Table(
    "studies",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    sa.Column("study_instance_uid", UID, nullable=False, unique=True),
    sa.Column("patient_fk", Key, sa.ForeignKey("patients.id"), nullable=False),
    _text("facility"),
    _text("study_date"),
    _text("study_time"),
    _text("accession_number"),
    _text("study_id"),
    _text("study_description"),
    _text("referring_physician_name"),
    _text("referring_physician_name_norm"),
    _text("referring_physician_name_words"),
    _text("modalities"),
    _text("sop_classes"),
    _text("attributes"),
    _count("number_of_series"),
    _count("number_of_instances"),
    _count("version"),
    _when("first_received_at"),
    _when("last_received_at"),
    _count("availability"),
    sa.Index("ix_studies_patient", "patient_fk"),
    sa.Index("ix_studies_date", "study_date", "study_time", "id"),
    sa.Index("ix_studies_accession", "accession_number"),
    sa.Index("ix_studies_facility", "facility", "study_date", "study_time", "id"),
    sqlite_autoincrement=True,
)

series = sa.Table(
    "series",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    sa.Column("series_instance_uid", UID, nullable=False),
    sa.Column("study_fk", Key, sa.ForeignKey("studies.id"), nullable=False),
    _text("modality"),
    _text("series_description"),
    sa.Column("series_number", sa.BigInteger),
    _text("pps_start_date"),
    _text("pps_start_time"),
    _text("attributes"),
    _count("number_of_instances"),
    _count("version"),
    _when("last_received_at"),
    _count("availability"),
    sa.UniqueConstraint("study_fk", "series_instance_uid", name="uq_series_uid"),
    sa.Index("ix_series_uid", "series_instance_uid"),
    sa.Index("ix_series_study", "study_fk", "series_number", "id"),
    sa.Index("ix_series_modality", "modality"),
    sa.Index("ix_series_pps_start", "pps_start_date"),
    sqlite_autoincrement=True,
)

instances = sa.Table(
    "instances",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    sa.Column("sop_instance_uid", UID, nullable=False, unique=True),
    sa.Column("series_fk", Key, sa.ForeignKey("series.id"), nullable=False),
    sa.Column("sop_class_uid", UID, nullable=False),
    sa.Column("instance_number", sa.BigInteger),
    _text("content_date"),
    _text("content_time"),
    sa.Column("transfer_syntax_uid", UID, nullable=False),
    sa.Column("blob", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.LargeBinary(32), nullable=False),
    sa.Column("dataset_offset", sa.BigInteger, nullable=False),
    sa.Column("header_end", sa.BigInteger, nullable=False),
    _count("number_of_frames"),
    _text("door"),
    _text("source_ae"),
    _text("source_address"),
    _text("facility"),
    _when("received_at"),
    sa.Column("coercion_fk", Key, sa.ForeignKey("coercions.id")),
    _count("version"),
    _text("attributes"),
    sa.Column("header", sa.LargeBinary, nullable=False),
    sa.Column("frames", sa.LargeBinary, nullable=False),
    sa.Index("ix_instances_series", "series_fk", "instance_number", "id"),
    sqlite_autoincrement=True,
)
_COPIES = sa.text("door = 'fetch' AND blob <> ''")
sa.Index("ix_instances_copies", instances.c.received_at, sqlite_where=_COPIES, postgresql_where=_COPIES)
"""`attributes` are what searches know of it without the header; `header` is the bulk-free data set as DICOM JSON,
`frames` the frame and bulk offset tables, both compressed, both last so that scans skip them.

What is kept elsewhere has no `blob`. Before it was ever here it has no `size` either, and in `header` only what a
manifest says; `size` -1 says that it is not there where it should be. Otherwise `availability` of its series tells how
it can be had (`vna.model.instances.Availability`); a study's is the worst of its series."""

search_tags = sa.Table(
    "search_tags",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    sa.Column("path", sa.String(160), nullable=False, unique=True),
    sa.Column("level", sa.Integer, nullable=False),
    _text("state"),
    _when("created_at"),
    sqlite_autoincrement=True,
)
"""Attributes that searches know beside those of `vna.model.attributes`: tags with points between, from the top."""

tag_values = sa.Table(
    "tag_values",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    sa.Column("tag_fk", Key, sa.ForeignKey("search_tags.id", ondelete="CASCADE"), nullable=False),
    sa.Column("row_fk", Key, nullable=False),
    _text("value"),
    _text("element"),
    sa.UniqueConstraint("tag_fk", "row_fk", name="uq_tag_values"),
    sa.Index("ix_tag_values_row", "row_fk", "tag_fk"),
    sqlite_autoincrement=True,
)
"""What a search tag is of a study, series or instance: its values for matching, and the element as DICOM JSON."""

superseded = sa.Table(
    "superseded",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    sa.Column("sop_instance_uid", UID, nullable=False),
    sa.Column("transfer_syntax_uid", UID, nullable=False),
    sa.Column("blob", sa.Text, nullable=False, unique=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.LargeBinary(32), nullable=False),
    _text("source_ae"),
    _when("received_at"),
    _when("replaced_at"),
    sa.Index("ix_superseded_uid", "sop_instance_uid"),
    sqlite_autoincrement=True,
)
"""Older versions of replaced instances: their bytes stay."""

deleted = sa.Table(
    "deleted",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    sa.Column("study_instance_uid", UID, nullable=False),
    sa.Column("series_instance_uid", UID, nullable=False),
    sa.Column("sop_instance_uid", UID, nullable=False),
    sa.Column("blob", sa.Text, nullable=False, unique=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.LargeBinary(32), nullable=False),
    _text("door"),
    _text("source_ae"),
    _text("source_address"),
    _text("facility"),
    _when("received_at"),
    sa.Column("coercion_fk", Key, sa.ForeignKey("coercions.id")),
    _when("deleted_at"),
    _text("deleted_by"),
    _text("reason"),
    sa.Index("ix_deleted_study", "study_instance_uid", "id"),
    sa.Index("ix_deleted_uid", "sop_instance_uid"),
    sqlite_autoincrement=True,
)
"""Instances that were deleted: nothing finds them, and everything is there to put them back."""

conflicts = sa.Table(
    "conflicts",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    sa.Column("study_instance_uid", UID, nullable=False),
    sa.Column("patient_id", sa.Text, nullable=False),
    sa.Column("issuer", sa.Text, nullable=False),
    sa.Column("first_sop_instance_uid", UID, nullable=False),
    _text("source_ae"),
    _when("at"),
    sa.UniqueConstraint("study_instance_uid", "patient_id", "issuer", name="uq_conflicts"),
    sqlite_autoincrement=True,
)
"""A study that came under another patient than the one it is filed under."""

coercions = sa.Table(
    "coercions",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    sa.Column("rules", sa.Text, nullable=False, unique=True),
    sqlite_autoincrement=True,
)
"""Rule sets as they were when an instance came; never changed, so that an answer does not change with the AE table."""

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.String(32), nullable=False),
    _when("at"),
    sa.Column("study_instance_uid", UID, nullable=False, server_default=""),
    sa.Column("sop_instance_uid", UID, nullable=False, server_default=""),
    _text("actor"),
    _text("detail"),
    sa.Column("pending", sa.Integer, nullable=False, server_default="1"),
    sa.Column("sequence", sa.BigInteger, unique=True),
    sqlite_autoincrement=True,
)
"""`sequence` is given when an event is handed out, by one dispatcher at a time: on PostgreSQL ids are given before the
commit, so that a reader who remembers an id could miss what commits later under a smaller one."""
sa.Index("ix_events_pending", events.c.id, sqlite_where=events.c.pending == 1, postgresql_where=events.c.pending == 1)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("order_key", sa.String(128), nullable=False, server_default=""),
    _text("payload"),
    sa.Column("state", sa.String(16), nullable=False, server_default="ready"),
    sa.Column("priority", sa.Integer, nullable=False, server_default="0"),
    _count("attempts"),
    _when("run_after"),
    _text("last_error"),
    _when("created_at"),
    sa.Column("holder", sa.String(128), nullable=False, server_default=""),
    sa.Column("held_until", sa.Float, nullable=False, server_default="0"),
    sa.Index("ix_jobs_ready", "state", "priority", "id"),
    sa.Index("ix_jobs_order", "kind", "order_key", "state"),
    sqlite_autoincrement=True,
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("holder", sa.String(128), nullable=False),
    sa.Column("until", sa.Float, nullable=False),
)
"""Who does what only one may do at a time; `until` is seconds since 1970."""

peers = sa.Table(
    "peers",
    metadata,
    sa.Column("ae_title", sa.String(16), primary_key=True),
    _text("host"),
    _count("port"),
    _text("facility"),
    _text("rights"),
    _text("coercion"),
    _text("priority"),
    _text("addresses"),
    _text("certificates"),
    _count("tls"),
)

sources = sa.Table(
    "sources",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    _text("application"),
    _text("sending_facility"),
    _text("addresses"),
    _text("facility"),
    _text("ae_title"),
    _text("host"),
    _count("port"),
    _count("tls"),
    _text("tls_ca"),
    _text("tls_certificate"),
    _text("tls_key"),
    _text("wado_uri"),
    _text("wado_rs"),
    _text("qido_rs"),
    _text("rad69"),
    _text("repository_unique_id"),
    _text("user_name"),
    _text("password"),
    _text("token"),
    _text("retrieve_location_uid"),
    _text("retrieve_ae_title"),
    _count("priority"),
    sa.Column("bandwidth", sa.BigInteger, nullable=False, server_default="0"),
    _count("connections"),
    sa.Column("bulk_bandwidth", sa.BigInteger, nullable=False, server_default="0"),
    _count("bulk_connections"),
    _text("hl7_profile"),
    _text("hl7_character_set"),
    _text("hl7_host"),
    _count("hl7_port"),
    _count("hl7_tls"),
    _text("certificates"),
)
"""Systems elsewhere: what feeds us by HL7 messages (`addresses` is a comma list), and archives that we read from."""

users = sa.Table(
    "users",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    _text("password_hash"),
    _text("rights"),
    _text("facility"),
    _when("created_at"),
    _text("priority"),
    _text("role"),
    _text("person"),
    _text("addresses"),
    _when("password_at"),
    _count("temporary"),
)
"""`addresses` are those that its logins are taken from, `password_at` is when its password was set (empty: with the
account), `temporary` 1 when it has to be changed at the first login."""

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("token_id", sa.String(16), primary_key=True),
    sa.Column("digest", sa.LargeBinary(32), nullable=False, unique=True),
    sa.Column("user_name", sa.String(128), sa.ForeignKey("users.name", ondelete="CASCADE"), nullable=False),
    _text("description"),
    _text("rights"),
    _when("created_at"),
    _when("expires_at"),
    _text("priority"),
)

links = sa.Table(
    "links",
    metadata,
    sa.Column("link_id", sa.String(16), primary_key=True),
    sa.Column("digest", sa.LargeBinary(32), nullable=False, unique=True),
    sa.Column("study_instance_uid", UID, nullable=False),
    _text("description"),
    _count("uses_left"),
    _when("created_at"),
    _when("expires_at"),
    _text("reader"),
    _text("reader_facility"),
)
"""Access links, each to one study. `reader` is for whom it was made by a look-up, by national number."""

link_visits = sa.Table(
    "link_visits",
    metadata,
    sa.Column("digest", sa.LargeBinary(32), primary_key=True),
    sa.Column("link_id", sa.String(16), sa.ForeignKey("links.link_id", ondelete="CASCADE"), nullable=False),
    _when("expires_at"),
    sa.Index("ix_link_visits_link", "link_id"),
)
"""Browsers that opened a link and may look for a while."""

facts = sa.Table(
    "facts",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    _text("value"),
)
"""Small facts about the archive itself, such as whether settings have seeded the tables."""

patient_identifiers = sa.Table(
    "patient_identifiers",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    sa.Column("authority", sa.String(128), nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("merged_into", Key, sa.ForeignKey("patient_identifiers.id")),
    _when("registered_at"),
    sa.UniqueConstraint("authority", "value", name="uq_patient_identifiers"),
    sa.Index("ix_patient_identifiers_merged", "merged_into"),
    sqlite_autoincrement=True,
)
"""Patients that an identity feed told of; a merge is kept here and nowhere else."""

document_objects = sa.Table(
    "document_objects",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("entry_uuid", sa.String(45), nullable=False, unique=True),
    sa.Column("logical_id", sa.String(45), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("patient_fk", Key, sa.ForeignKey("patient_identifiers.id"), nullable=False),
    _text("unique_id"),
    _text("on_demand"),
    _text("class_code"),
    _text("type_code"),
    _text("format_code"),
    _text("healthcare_facility_type_code"),
    _text("practice_setting_code"),
    _text("content_type_code"),
    _text("confidentiality_codes"),
    _text("event_codes"),
    _text("codes"),
    _text("author_person"),
    _text("reference_ids"),
    _text("source_id"),
    _text("creation_time"),
    _text("service_start_time"),
    _text("service_stop_time"),
    _text("submission_time"),
    _text("last_update_time"),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("rendition", sa.LargeBinary),
    sa.Index("ix_document_objects_patient", "patient_fk", "kind", "status"),
    sa.Index("ix_document_objects_unique_id", "unique_id"),
    sa.Index("ix_document_objects_logical_id", "logical_id"),
    sqlite_autoincrement=True,
)
"""Document entries, submission sets and folders: `body` is the object as JSON, `rendition` what a door made of it, both
compressed, both last so that scans skip them. A column with many values has each between line feeds."""

sa.Index(
    "uq_document_objects_set",
    document_objects.c.unique_id,
    unique=True,
    sqlite_where=document_objects.c.kind == "SubmissionSet",
    postgresql_where=document_objects.c.kind == "SubmissionSet",
)

document_associations = sa.Table(
    "document_associations",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    sa.Column("entry_uuid", sa.String(45), nullable=False, unique=True),
    sa.Column("association", sa.String(32), nullable=False),
    sa.Column("source", sa.String(45), nullable=False),
    sa.Column("target", sa.String(45), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("rendition", sa.LargeBinary),
    sa.Index("ix_document_associations_source", "source", "association"),
    sa.Index("ix_document_associations_target", "target", "association"),
    sqlite_autoincrement=True,
)

held_documents = sa.Table(
    "held_documents",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    _text("repository_unique_id"),
    _text("unique_id"),
    _text("mime_type"),
    sa.Column("blob", Text, nullable=False, unique=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sha1", sa.LargeBinary(20), nullable=False),
    sa.Column("sha256", sa.LargeBinary(32), nullable=False),
    _when("received_at"),
    sa.Index("ix_held_documents_unique_id", "unique_id"),
    sqlite_autoincrement=True,
)
"""Documents of the repository, each time they were provided: one that comes again has a row and bytes of its own."""

publications = sa.Table(
    "publications",
    metadata,
    sa.Column("study_instance_uid", UID, primary_key=True),
    _count("number"),
    _text("digest"),
    _text("patient_id"),
    _text("unique_id"),
    _text("entry_uuid"),
    _text("pending"),
    sa.Index("ix_publications_entry_uuid", "entry_uuid"),
)
"""Manifests that were provided to a repository, the newest of each study; `pending` is one that is on its way."""

manifests = sa.Table(
    "manifests",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    sa.Column("sop_instance_uid", UID, nullable=False, unique=True),
    _text("series_instance_uid"),
    _text("study_instance_uid"),
    _text("door"),
    _text("facility"),
    _text("institution_name"),
    _text("entry_uuid"),
    _text("state"),
    _text("made_at"),
    _when("received_at"),
    _count("named"),
    _count("missing"),
    _text("problems"),
    _text("download"),
    _text("reason"),
    _when("download_at"),
    sa.Index("ix_manifests_study", "study_instance_uid"),
    sa.Index("ix_manifests_entry", "entry_uuid"),
    sqlite_autoincrement=True,
)
"""Manifests of archives elsewhere that came: which instances they keep. `problems` is a JSON list of sentences."""

manifest_series = sa.Table(
    "manifest_series",
    metadata,
    sa.Column("id", Key, primary_key=True, autoincrement=True),
    sa.Column("manifest_fk", Key, sa.ForeignKey("manifests.id", ondelete="CASCADE"), nullable=False),
    sa.Column("study_instance_uid", UID, nullable=False),
    sa.Column("series_instance_uid", UID, nullable=False),
    _text("retrieve_location_uid"),
    _text("retrieve_ae_title"),
    _count("named"),
    sa.Column("instances", sa.LargeBinary, nullable=False),
    sa.Index("ix_manifest_series_manifest", "manifest_fk"),
    sa.Index("ix_manifest_series_uid", "study_instance_uid", "series_instance_uid"),
    sqlite_autoincrement=True,
)
"""What a manifest says of a series: where it is, and in `instances` a packed JSON list of [SOP Class UID, SOP Instance
UID] pairs."""

GRAMS: dict[sa.Table, tuple[str, ...]] = {
    patients: ("patient_id", "patient_name_norm", "patient_name_words"),
    studies: (
        "accession_number",
        "study_id",
        "study_description",
        "referring_physician_name_norm",
        "referring_physician_name_words",
        "modalities",
    ),
    series: ("series_description",),
    tag_values: ("value",),
}
"""Columns in which text is found wherever it stands, by an index of trigrams (storage.index.grams)."""
