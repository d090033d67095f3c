"""Figures of a campaign: what a group of accounts shows and no one of its accounts does.

Each is a column of `campaigns`, made by `jobs/campaigns/facts.py`; those that a term of the policy
weighs are features of the classifier too, in the direction in which the policy weighs them.
"""

from __future__ import annotations

from dataclasses import dataclass

from jobs.catalog.types import Family


@dataclass(frozen=True)
class Figure:
    """One column of `campaigns`: a double, null where what it is made of can't be had."""

    name: str
    about: str
    unit: str
    family: Family


FIGURES: tuple[Figure, ...] = (
    # What binds it
    Figure("strangers", "Linked pairs that share work and nothing that would explain it.",
           "share", "content"),
    Figure("roster", "Members with places of their own that also use the group's machines.",
           "share", "infrastructure"),
    Figure("open_place", "Members that work in a network in which they and others signed up.",
           "share", "infrastructure"),
    Figure("hidden_place", "Members that work from addresses that only the group has, and signed "
           "up elsewhere.", "share", "infrastructure"),
    Figure("instruments", "Members that share one of several payment instruments, phones or e-mail "
           "domains.", "share", "identity"),
    Figure("one_customer", "Members on one payment instrument and one e-mail domain.",
           "share", "identity"),
    Figure("payment_own", "Members with a payment instrument that only the group has.",
           "share", "identity"),
    Figure("phone_own", "Members with a phone number that only the group has.",
           "share", "identity"),
    Figure("client_own", "Members with a client build that only the group has.",
           "share", "behaviour"),
    Figure("address_per_carrier", "Different client addresses for each member that has any.",
           "addresses", "infrastructure"),
    # What it asks
    Figure("own_template_requests", "Requests on templates that only the group has.",
           "share", "content"),
    Figure("own_templates", "Templates of the group's own that a median member uses.",
           "templates", "content"),
    Figure("own_template_new", "Different prompts of a day for each request on own templates.",
           "ratio", "content"),
    Figure("shingle_disjoint", "Different phrases over all that members sent.",
           "ratio", "content"),
    Figure("teaching", "Prompts that look like teaching data, beyond what all accounts ask.",
           "share", "content"),
    Figure("own_products", "Members with a system prompt that no other member has.",
           "share", "content"),
    # How it works
    Figure("conversation", "Requests that go on with a conversation.", "share", "behaviour"),
    Figure("same_settings", "Requests with the group's most common sampling settings.",
           "share", "behaviour"),
    Figure("output_ratio", "Mean answer over that of all accounts.", "ratio", "behaviour"),
    Figure("tool_results", "Tool results for each request that offers tools.",
           "ratio", "behaviour"),
    Figure("web", "Requests by the web interface.", "share", "behaviour"),
    Figure("daily_requests", "Requests of a median member on an active day.",
           "requests a day", "behaviour"),
    Figure("unevenness", "Interquartile range over 1.349, over the median, of members' requests a "
           "day.", "ratio", "time"),
    Figure("active_days", "Days with traffic between a member's first and last.",
           "share", "time"),
    Figure("start_together", "Members first seen within three days, beyond all accounts.",
           "share", "time"),
    Figure("signup_burst", "Members that signed up within 24 hours.", "share", "identity"),
    Figure("answers_differ", "Spread of answer lengths that lies between members.",
           "share", "content"),
    Figure("words_differ", "Spread of the prompts' words that lies between members.",
           "share", "content"),
    Figure("words_apart", "Distance of the prompts' words from those of all accounts (maximum "
           "mean discrepancy, over their spread).", "ratio", "content"),
    Figure("teaching_corpus", "Part of the prompts' distance from those of all accounts, and of "
           "ordinary corpora, that the nearest teaching corpus explains.", "share", "content"),
    # Who it is
    Figure("organization", "Members of the most common organization.", "share", "identity"),
    Figure("vetted", "Members that are verified, under contract or pay by invoice.",
           "share", "identity"),
    Figure("stopped", "Members suspended or closed.", "share", "identity"),
    Figure("taken_over", "Members that began within three days after another was stopped, one for "
           "each.", "share", "lineage"),
    Figure("untraceable", "Members that pay by prepaid card or crypto currency.",
           "share", "identity"),
)  # fmt: skip
FIGURES_BY_NAME: dict[str, Figure] = {figure.name: figure for figure in FIGURES}
