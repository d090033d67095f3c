"""What did people decide about accounts, and what does that mean on a night?

People write rows of `decisions` at the desk or by the command; nothing ever changes one, a later
one answers it. Steps read what stands on their night: labels to learn from, actions that people
took, and evidence that they looked at and that acts on nobody again.
A decision counts from its `date` on, the night after the last that had been scored when it was
made: a night that is run again reads the same decisions as the first time.
"""

from jobs.verdicts.deciding import (
    DecidedAlready,
    VerdictError,
    may_not_answer,
    members_of,
    next_night,
    open_appeals,
    record,
    same_person,
    set_mode,
)
from jobs.verdicts.in_force import (
    SAID_BY_PERSON,
    actions_in_force,
    campaign_of,
    enforcing,
    mode_on,
)
from jobs.verdicts.standing import (
    ABOUT_ACCOUNTS,
    CLEARING,
    cleared_by,
    decisions_by,
    decisions_on,
    labels_known,
    labels_of,
    pending,
    standing,
)

__all__ = [
    "ABOUT_ACCOUNTS",
    "CLEARING",
    "SAID_BY_PERSON",
    "DecidedAlready",
    "VerdictError",
    "actions_in_force",
    "campaign_of",
    "cleared_by",
    "decisions_by",
    "decisions_on",
    "enforcing",
    "labels_known",
    "labels_of",
    "may_not_answer",
    "members_of",
    "mode_on",
    "next_night",
    "open_appeals",
    "pending",
    "record",
    "same_person",
    "set_mode",
    "standing",
]
