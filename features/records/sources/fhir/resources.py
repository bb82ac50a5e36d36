"""FHIR R4 resources as typed structs that hold only the fields we read. Unknown fields are skipped; a wrong type names
its path."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct, field


class Element(Struct, gc=False, omit_defaults=True, kw_only=True):
    """A piece of a resource."""


class Coding(Element):
    system: str | None = None
    code: str | None = None
    display: str | None = None


class CodeableConcept(Element):
    coding: list[Coding] = []
    text: str | None = None


class Identifier(Element):
    system: str | None = None
    value: str | None = None


class Reference(Element):
    reference: str | None = None
    identifier: Identifier | None = None


class Period(Element):
    start: str | None = None
    end: str | None = None


class Quantity(Element):
    value: float | None = None
    comparator: str | None = None
    unit: str | None = None
    code: str | None = None


class Extension(Element):
    url: str = ""
    extension: list[Extension] = []
    valueCode: str | None = None
    valueCoding: Coding | None = None
    valueCodeableConcept: CodeableConcept | None = None
    valueBoolean: bool | None = None


class Meta(Element):
    lastUpdated: str | None = None
    versionId: str | None = None
    security: list[Coding] = []
    profile: list[str] = []
    tag: list[Coding] = []


class Resource(Struct, gc=False, omit_defaults=True, kw_only=True, tag_field="resourceType", tag=True):
    """The fields that every resource has. ``contained`` is decoded only when a reference points into it."""

    id: str | None = None
    meta: Meta | None = None
    contained: list[Raw] = []
    extension: list[Extension] = []
    modifierExtension: list[Extension] = []


class Link(Element):
    other: Reference | None = None
    type: str | None = None


class Communication(Element):
    language: CodeableConcept | None = None
    extension: list[Extension] = []


class Patient(Resource):
    identifier: list[Identifier] = []
    birthDate: str | None = None
    gender: str | None = None
    deceasedBoolean: bool | None = None
    deceasedDateTime: str | None = None
    link: list[Link] = []
    communication: list[Communication] = []
    active: bool | None = None


class Location(Element):
    location: Reference | None = None


class Participant(Element):
    individual: Reference | None = None
    actor: Reference | None = None


class Hospitalization(Element):
    extension: list[Extension] = []
    dischargeDisposition: CodeableConcept | None = None


class Encounter(Resource):
    status: str | None = None
    class_: Coding | None = field(name="class", default=None)
    type: list[CodeableConcept] = []
    serviceType: CodeableConcept | None = None
    subject: Reference | None = None
    episodeOfCare: list[Reference] = []
    appointment: list[Reference] = []
    participant: list[Participant] = []
    period: Period | None = None
    hospitalization: Hospitalization | None = None
    serviceProvider: Reference | None = None


class Appointment(Resource):
    status: str | None = None
    cancelationReason: CodeableConcept | None = None
    serviceType: list[CodeableConcept] = []
    appointmentType: CodeableConcept | None = None
    reasonCode: list[CodeableConcept] = []
    start: str | None = None
    requestedPeriod: list[Period] = []
    created: str | None = None
    participant: list[Participant] = []


class StatusHistory(Element):
    status: str | None = None
    period: Period | None = None


class EpisodeOfCare(Resource):
    status: str | None = None
    statusHistory: list[StatusHistory] = []
    patient: Reference | None = None
    managingOrganization: Reference | None = None
    period: Period | None = None
    referralRequest: list[Reference] = []
    careManager: Reference | None = None
    team: list[Reference] = []


class ServiceRequest(Resource):
    status: str | None = None
    intent: str | None = None
    doNotPerform: bool | None = None
    category: list[CodeableConcept] = []
    code: CodeableConcept | None = None
    subject: Reference | None = None
    authoredOn: str | None = None
    performer: list[Reference] = []


class CareTeam(Resource):
    status: str | None = None
    name: str | None = None
    category: list[CodeableConcept] = []


class Organization(Resource):
    identifier: list[Identifier] = []
    active: bool | None = None
    name: str | None = None
    type: list[CodeableConcept] = []


class PractitionerRole(Resource):
    practitioner: Reference | None = None
    organization: Reference | None = None


class Medication(Resource):
    code: CodeableConcept | None = None
    status: str | None = None


class Repeat(Element):
    frequency: float | None = None
    period: float | None = None
    periodUnit: str | None = None


class Timing(Element):
    repeat: Repeat | None = None


class DoseAndRate(Element):
    doseQuantity: Quantity | None = None


class Dosage(Element):
    """Only the presence of ``text`` is checked: free text never becomes a dose."""

    text: str | None = None
    timing: Timing | None = None
    asNeededBoolean: bool | None = None
    asNeededCodeableConcept: CodeableConcept | None = None
    route: CodeableConcept | None = None
    doseAndRate: list[DoseAndRate] = []


class DispenseRequest(Element):
    validityPeriod: Period | None = None
    quantity: Quantity | None = None
    expectedSupplyDuration: Quantity | None = None


class MedicationRequest(Resource):
    identifier: list[Identifier] = []
    status: str | None = None
    statusReason: CodeableConcept | None = None
    intent: str | None = None
    doNotPerform: bool | None = None
    medicationCodeableConcept: CodeableConcept | None = None
    medicationReference: Reference | None = None
    subject: Reference | None = None
    authoredOn: str | None = None
    dosageInstruction: list[Dosage] = []
    dispenseRequest: DispenseRequest | None = None


class MedicationDispense(Resource):
    status: str | None = None
    medicationCodeableConcept: CodeableConcept | None = None
    medicationReference: Reference | None = None
    subject: Reference | None = None
    authorizingPrescription: list[Reference] = []
    type: CodeableConcept | None = None
    quantity: Quantity | None = None
    daysSupply: Quantity | None = None
    whenPrepared: str | None = None
    whenHandedOver: str | None = None
    dosageInstruction: list[Dosage] = []


class AdministrationDosage(Element):
    route: CodeableConcept | None = None
    dose: Quantity | None = None


class MedicationAdministration(Resource):
    status: str | None = None
    medicationCodeableConcept: CodeableConcept | None = None
    medicationReference: Reference | None = None
    subject: Reference | None = None
    effectiveDateTime: str | None = None
    effectivePeriod: Period | None = None
    request: Reference | None = None
    dosage: AdministrationDosage | None = None


class MedicationStatement(Resource):
    status: str | None = None
    subject: Reference | None = None
    effectiveDateTime: str | None = None
    effectivePeriod: Period | None = None
    dateAsserted: str | None = None
    medicationCodeableConcept: CodeableConcept | None = None
    medicationReference: Reference | None = None


class Component(Element):
    code: CodeableConcept | None = None
    valueQuantity: Quantity | None = None
    valueInteger: float | None = None
    valueString: str | None = None
    valueCodeableConcept: CodeableConcept | None = None
    valueBoolean: bool | None = None
    valueRange: Element | None = None
    valueRatio: Element | None = None
    dataAbsentReason: CodeableConcept | None = None


class Observation(Resource):
    status: str | None = None
    code: CodeableConcept | None = None
    subject: Reference | None = None
    effectiveDateTime: str | None = None
    effectivePeriod: Period | None = None
    effectiveInstant: str | None = None
    issued: str | None = None
    valueQuantity: Quantity | None = None
    valueCodeableConcept: CodeableConcept | None = None
    valueString: str | None = None
    valueBoolean: bool | None = None
    valueInteger: float | None = None
    valueRange: Element | None = None
    valueRatio: Element | None = None
    dataAbsentReason: CodeableConcept | None = None
    component: list[Component] = []
    hasMember: list[Reference] = []


class Condition(Resource):
    clinicalStatus: CodeableConcept | None = None
    verificationStatus: CodeableConcept | None = None
    code: CodeableConcept | None = None
    subject: Reference | None = None
    onsetDateTime: str | None = None
    recordedDate: str | None = None


class AllergyIntolerance(Resource):
    clinicalStatus: CodeableConcept | None = None
    verificationStatus: CodeableConcept | None = None
    code: CodeableConcept | None = None
    patient: Reference | None = None
    onsetDateTime: str | None = None
    recordedDate: str | None = None


class Flag(Resource):
    status: str | None = None
    code: CodeableConcept | None = None
    subject: Reference | None = None
    period: Period | None = None


class CarePlan(Resource):
    status: str | None = None
    intent: str | None = None
    category: list[CodeableConcept] = []
    subject: Reference | None = None
    period: Period | None = None
    created: str | None = None


class Provenance(Resource):
    target: list[Reference] = []
    recorded: str | None = None
    activity: CodeableConcept | None = None


class Head(Element):
    """The fields read from a resource of another type, and from a resource that could not be decoded."""

    resourceType: str | None = None
    id: str | None = None


class EntryRequest(Element):
    method: str | None = None
    url: str | None = None


class Entry(Element):
    fullUrl: str | None = None
    resource: Raw = Raw(b"")
    request: EntryRequest | None = None


class Bundle(Element):
    type: str | None = None
    timestamp: str | None = None
    meta: Meta | None = None
    entry: list[Entry] = []


READ = (
    Patient | Encounter | Appointment | EpisodeOfCare | ServiceRequest | CareTeam | Organization | PractitionerRole
    | Medication | MedicationRequest | MedicationDispense | MedicationAdministration | MedicationStatement
    | Observation | Condition | AllergyIntolerance | Flag | CarePlan | Provenance
)  # fmt: skip
TYPES: tuple[str, ...] = tuple(one.__name__ for one in READ.__args__)

decode = msgspec.json.Decoder(READ).decode
decode_head = msgspec.json.Decoder(Head).decode
decode_bundle = msgspec.json.Decoder(Bundle).decode
encode = msgspec.json.Encoder().encode
