"""The fields of a statement of reasons in the DSA Transparency Database (Regulation (EU) 2022/2065,
articles 17 and 24(5)), as far as an action on an account needs them, and what they may hold.

After the Commission's API documentation (https://transparency.dsa.ec.europa.eu/page/
api-documentation) and the checks of the database itself (github.com/digital-services-act/
transparency-database, app/Http/Requests/StatementStoreRequest.php and app/Models/Statement.php, as
of 2026-06-24). Personal data must not be sent: no account's and no request's id.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

DECISION_PROVISIONS = (
    "DECISION_PROVISION_PARTIAL_SUSPENSION", "DECISION_PROVISION_TOTAL_SUSPENSION",
    "DECISION_PROVISION_PARTIAL_TERMINATION", "DECISION_PROVISION_TOTAL_TERMINATION",
)  # fmt: skip
DECISION_ACCOUNTS = ("DECISION_ACCOUNT_SUSPENDED", "DECISION_ACCOUNT_TERMINATED")
FULLY, PARTIALLY = "AUTOMATED_DECISION_FULLY", "AUTOMATED_DECISION_PARTIALLY"

#: Values of fields that hold one of a few, or a list of them; None: the field may be left empty.
VALUES: dict[str, tuple[str | None, ...]] = {
    "decision_visibility": (
        None, "DECISION_VISIBILITY_CONTENT_REMOVED", "DECISION_VISIBILITY_CONTENT_DISABLED",
        "DECISION_VISIBILITY_CONTENT_DEMOTED", "DECISION_VISIBILITY_CONTENT_AGE_RESTRICTED",
        "DECISION_VISIBILITY_CONTENT_INTERACTION_RESTRICTED",
        "DECISION_VISIBILITY_CONTENT_LABELLED", "DECISION_VISIBILITY_OTHER",
    ),
    "decision_monetary": (
        None, "DECISION_MONETARY_SUSPENSION", "DECISION_MONETARY_TERMINATION",
        "DECISION_MONETARY_OTHER",
    ),
    "decision_provision": (None, *DECISION_PROVISIONS),
    "decision_account": (None, *DECISION_ACCOUNTS),
    "account_type": (None, "ACCOUNT_TYPE_BUSINESS", "ACCOUNT_TYPE_PRIVATE"),
    "decision_ground": ("DECISION_GROUND_ILLEGAL_CONTENT", "DECISION_GROUND_INCOMPATIBLE_CONTENT"),
    "incompatible_content_illegal": ("Yes", "No"),
    "content_type": (
        "CONTENT_TYPE_APP", "CONTENT_TYPE_AUDIO", "CONTENT_TYPE_IMAGE", "CONTENT_TYPE_PRODUCT",
        "CONTENT_TYPE_SYNTHETIC_MEDIA", "CONTENT_TYPE_TEXT", "CONTENT_TYPE_VIDEO",
        "CONTENT_TYPE_OTHER",
    ),
    "category": (
        "STATEMENT_CATEGORY_ANIMAL_WELFARE", "STATEMENT_CATEGORY_CONSUMER_INFORMATION",
        "STATEMENT_CATEGORY_CYBER_VIOLENCE", "STATEMENT_CATEGORY_CYBER_VIOLENCE_AGAINST_WOMEN",
        "STATEMENT_CATEGORY_DATA_PROTECTION_AND_PRIVACY_VIOLATIONS",
        "STATEMENT_CATEGORY_ILLEGAL_OR_HARMFUL_SPEECH",
        "STATEMENT_CATEGORY_INTELLECTUAL_PROPERTY_INFRINGEMENTS",
        "STATEMENT_CATEGORY_NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_ELECTIONS",
        "STATEMENT_CATEGORY_NOT_SPECIFIED_NOTICE", "STATEMENT_CATEGORY_OTHER_VIOLATION_TC",
        "STATEMENT_CATEGORY_PROTECTION_OF_MINORS", "STATEMENT_CATEGORY_RISK_FOR_PUBLIC_SECURITY",
        "STATEMENT_CATEGORY_SCAMS_AND_FRAUD", "STATEMENT_CATEGORY_SELF_HARM",
        "STATEMENT_CATEGORY_UNSAFE_AND_PROHIBITED_PRODUCTS", "STATEMENT_CATEGORY_VIOLENCE",
    ),
    "source_type": (
        "SOURCE_ARTICLE_16", "SOURCE_TRUSTED_FLAGGER", "SOURCE_TYPE_OTHER_NOTIFICATION",
        "SOURCE_VOLUNTARY",
    ),
    "automated_detection": ("Yes", "No"),
    "automated_decision": (FULLY, PARTIALLY, "AUTOMATED_DECISION_NOT_AUTOMATED"),
}  # fmt: skip
#: Fields of which one at least has to say what was restricted.
RESTRICTIONS = ("decision_visibility", "decision_monetary", "decision_provision",
                "decision_account")  # fmt: skip
LISTS = frozenset(("decision_visibility", "content_type"))
REQUIRED = ("decision_ground", "content_type", "category", "content_date", "application_date",
            "decision_facts", "source_type", "automated_detection", "automated_decision",
            "puid")  # fmt: skip
#: Dates and the first that the database takes; the last of all is 2038-01-01.
DATES = {
    "content_date": dt.date(2000, 1, 1), "application_date": dt.date(2020, 1, 1),
    "end_date_account_restriction": dt.date.min, "end_date_service_restriction": dt.date.min,
}  # fmt: skip
_LAST_DATE = dt.date(2038, 1, 1)
#: Free texts and their most characters.
TEXTS = {"decision_facts": 5000, "incompatible_content_ground": 500,
         "incompatible_content_explanation": 2000, "puid": 500}  # fmt: skip


def faults_of(record: dict[str, Any]) -> list[str]:
    """What the database would refuse of a record, a line each; none where it takes it."""
    known = {*VALUES, *DATES, *TEXTS}
    said = [f"{name}: no such field" for name in record if name not in known]
    said += [f"{name}: missing" for name in REQUIRED if not record.get(name)]
    if not any(record.get(name) for name in RESTRICTIONS):
        said.append("one restriction at least has to be named")
    if record.get("decision_ground") == "DECISION_GROUND_INCOMPATIBLE_CONTENT":
        said += [
            f"{name}: missing"
            for name in ("incompatible_content_ground", "incompatible_content_explanation")
            if not record.get(name)
        ]
    for name, allowed in VALUES.items():
        if name in record:
            given = record[name]
            if name in LISTS and given is not None and not isinstance(given, list):
                said.append(f"{name}: not a list")
                continue
            for value in given if isinstance(given, list) else [given]:
                if value not in allowed:
                    said.append(f"{name}: {value!r} is not allowed")
    for name, first in DATES.items():
        if record.get(name):
            try:
                day = dt.date.fromisoformat(record[name])
            except (TypeError, ValueError):
                said.append(f"{name}: no date")
                continue
            if not first <= day <= _LAST_DATE or len(record[name]) != 10:
                said.append(f"{name}: {day} is out of range")
    for name, most in TEXTS.items():
        if len(record.get(name) or "") > most:
            said.append(f"{name}: over {most} characters")
    if not re.fullmatch(r"[a-zA-Z0-9_-]+", record.get("puid") or ""):
        said.append("puid: letters, digits, - and _ only")
    return said
