"""The step `campaigns`: which accounts work together, under which name, and what for.

Reads the rollups of a window that ends on the night, the night's accounts, the labels known by
then and the members of earlier nights; writes account_links, campaigns, campaign_members and
campaign_events.
If it is late, scores lose the evidence of groups: each account of a spread operation alone looks
like a customer.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobs.platform.lake import Lake


def run(lake: Lake, date: dt.date) -> None:
    """Link, group, score and name the accounts of one night, and say what happened to names."""
    # Late, so that a command's help does not pay for scipy.
    from jobs.campaigns.events import members_of, newly_stopped, what_happened
    from jobs.campaigns.evidence import gather
    from jobs.campaigns.groups import find_groups
    from jobs.campaigns.identity import match_names, recall
    from jobs.campaigns.links import find_links
    from jobs.campaigns.lists import lists_of
    from jobs.campaigns.scoring import score_groups
    from jobs.campaigns.tables import links_tables, publish
    from jobs.campaigns.traces import traces_of
    from jobs.campaigns.unions import admit, join_pieces
    from jobs.catalog.policy import CAMPAIGN_POLICY

    evidence = gather(lake, date, CAMPAIGN_POLICY)
    traces = traces_of(evidence, CAMPAIGN_POLICY)
    lists = lists_of(traces, CAMPAIGN_POLICY)
    links = find_links(evidence, traces, lists, CAMPAIGN_POLICY)
    groups = find_groups(evidence.account_keys, links, CAMPAIGN_POLICY)
    groups = join_pieces(evidence, groups, CAMPAIGN_POLICY)
    groups = admit(evidence, traces, lists, links, groups, CAMPAIGN_POLICY)
    findings = score_groups(lake, date, evidence, links, groups, CAMPAIGN_POLICY)
    past = recall(lake, date, CAMPAIGN_POLICY)
    members = [finding.members for finding in findings]
    names = match_names(date, members, past.memberships, past.born, CAMPAIGN_POLICY.same_share)
    events = what_happened(
        names, members_of(past), newly_stopped(lake, past, evidence), CAMPAIGN_POLICY
    )
    lake.replace_night("account_links", date, links_tables(evidence, links, CAMPAIGN_POLICY))
    publish(lake, date, findings, names, events)
