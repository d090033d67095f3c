"""Figures about a group that no one of its accounts shows: what the group's score is made of.

Which figures: lockstep and narrow content as in CopyCatch (Beutel et al. 2013) and SynchroTrap (Cao
et al. 2014), sign-up and identity clusters as in LinkedIn's cluster-level classifier (Xiao,
Freeman and Hwa 2015). All are computed from sums of counts, so both engines give the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.stats import chi2

from jobs.campaigns.corpora import Corpus, explained
from jobs.campaigns.daily import LOGARITHMS, SUMS
from jobs.campaigns.evidence import KINDS, TEMPLATE, Evidence
from jobs.campaigns.links import Links, held
from jobs.campaigns.pairs import spread_keys
from jobs.campaigns.two_sample import (
    ENOUGH_MEMBERS,
    Crowd,
    between,
    discrepancy,
    profile_of,
    words_differ,
)
from jobs.catalog.policy import CampaignPolicy
from jobs.platform.compiling import compiled

Ints = NDArray[np.int64]
Narrow = NDArray[np.int32]
Floats = NDArray[np.float64]

#: Accounts of a group that must carry a token before it counts as the group's.
_COMMON = 3
#: Share of a member's requests from shared addresses under which it has a place of its own, and
#: share of such members from which on the shared ones are a roster.
_AWAY = 0.4
_ROSTER_SHOWS = 0.5
#: Days within which accounts of one hand begin.
_TOGETHER_DAYS = 3
#: Share of a token's carriers that are members before it counts as the group's own.
_OWN = 0.8
#: Confidence of the upper bound of a group's spread of load.
_SURE_OF_SPREAD = 0.9
#: Days within which another account takes over where one was stopped.
_TAKEN_OVER_DAYS = 3
_TEACHING = ("reasoning", "rubric", "censor", "synthesis", "tools", "agent", "multiple_choice")


@dataclass(frozen=True)
class Group:
    """One group, by index of account, with its figures (NaN: can't be had)."""

    members: Ints
    figures: dict[str, float]
    #: Share of its links that each axis of the policy binds.
    bound: dict[str, float]
    #: The teaching corpus that its prompts are nearest to; empty where none is known.
    corpus: str = ""


@dataclass(frozen=True)
class Population:
    """What all accounts of the window do on average, and their records as arrays."""

    rates: dict[str, float]
    created: Floats
    organization: NDArray[np.object_]
    vetted: NDArray[np.bool_]
    stopped: NDArray[np.bool_]
    untraceable: NDArray[np.bool_]
    #: Share of all accounts that were first seen on each day of the window.
    first_days: Floats
    #: Share of an account's prompts with a word of each bucket, on average.
    words: Floats

    def began(self, first_active: Ints) -> float:
        """Share of a group first seen within _TOGETHER_DAYS days, beyond what all accounts show.

        The window's first days are left out: whoever was there before begins on them.
        """
        days = np.bincount(first_active, minlength=len(self.first_days)) / len(first_active)
        seen = np.flatnonzero(self.first_days)
        start = int(seen[0]) + _TOGETHER_DAYS if len(seen) else 0
        beyond = (
            np.convolve((days - self.first_days)[start:], np.ones(_TOGETHER_DAYS), "valid")
            if len(days) - start >= _TOGETHER_DAYS
            else np.zeros(1)
        )
        return float(max(beyond.max(), 0.0))


def population_of(evidence: Evidence) -> Population:
    records = evidence.records

    def flag(name: str, values: tuple[object, ...]) -> NDArray[np.bool_]:
        column = records[name].to_pylist()
        return np.array([value in values for value in column], bool)

    created = pc.cast(records["created_at"], "int64").to_numpy().astype(np.float64) / 1e6
    created[records["created_at"].is_null().to_numpy()] = np.nan
    totals = {name: float(evidence.sums[name].sum()) for name in SUMS}
    prompts = max(totals["prompts_known"], 1.0)
    return Population(
        rates={
            "conversation": totals["later_turns"] / max(totals["turns_known"], 1.0),
            "output_tokens": totals["output_tokens"] / max(totals["requests"], 1.0),
            **{m: totals[f"asks_{m}"] / prompts for m in _TEACHING},
        },
        created=created,
        organization=np.array(records["organization_id"].to_pylist(), object),
        vetted=flag("verified_organization", (True,)) | flag("plan", ("enterprise",))
        | flag("payment_type", ("invoice",)),
        stopped=evidence.stopped,
        untraceable=flag("payment_type", ("prepaid", "crypto")),
        first_days=np.bincount(evidence.first_active, minlength=evidence.days)
        / max(len(evidence.accounts), 1),
        words=profile_of(evidence.words, evidence.sums["words_known"]),
    )  # fmt: skip


def describe(
    evidence: Evidence,
    people: Population,
    links: Links,
    group_of: Ints,
    groups: list[Ints],
    policy: CampaignPolicy,
    corpora: Sequence[Corpus] = (),
) -> list[Group]:
    """The figures of each group; `group_of` is each account's group or -1."""
    prompts = evidence.sums["words_known"]
    crowd = Crowd.of(evidence.words, prompts) if corpora else None
    within = np.flatnonzero(group_of[links.first] == group_of[links.second])
    within = within[np.argsort(group_of[links.first[within]], kind="stable")]
    of_link = group_of[links.first[within]]
    ends = np.searchsorted(of_link, np.arange(-1, len(groups)), side="right")
    # A group's tokens by number, of which a night has millions: made once, and left as it was.
    number = np.full(len(evidence.token_kind), -1, np.int32)
    described = []
    for members, low, high in zip(groups, ends[:-1], ends[1:], strict=True):
        holds = held(links.axes[within[low:high]], len(policy.axes))
        bound = {
            axis.name: float(holds[:, at].mean()) if len(holds) else 0.0
            for at, axis in enumerate(policy.axes)
        }
        figures = _figures(evidence, people, members, number)
        figures["strangers"] = _strangers(holds, figures["roster"], policy)
        figures["teaching_corpus"], nearest = float("nan"), ""
        if crowd is not None:
            figures["teaching_corpus"], nearest = explained(
                evidence.words[members], prompts[members], crowd, corpora
            )
        described.append(Group(members, figures, bound, nearest))
    return described


def _strangers(holds: NDArray[np.bool_], roster: float, policy: CampaignPolicy) -> float:
    """Share of a group's links on which two share work, and nothing that would explain it.

    A campus, a tool's users and a firm share openly what makes them share their content;
    customers who have nothing else in common have no such cause. Machines that show through
    behind the members' own exits (`roster`) are no such place.
    """
    if not len(holds):
        return 0.0
    on = {axis.name: holds[:, at] for at, axis in enumerate(policy.axes)}
    excused = on["tool"] | on["money"]
    if roster < _ROSTER_SHOWS:
        excused |= on["place"]
    return float((on["work"] & ~excused).mean())


def _figures(
    evidence: Evidence, people: Population, members: Ints, number: Narrow
) -> dict[str, float]:
    total = {name: float(evidence.sums[name][members].sum()) for name in SUMS}
    nan = float("nan")

    def share(part: float, whole: float) -> float:
        return part / whole if whole > 0 else nan

    prompts = total["prompts_known"]
    answer = share(total["output_tokens"], total["requests"])
    out = {
        "accounts": float(len(members)),
        "requests": total["requests"],
        "output_tokens_mean": answer,
        "output_ratio": answer / max(people.rates["output_tokens"], 1.0),
        "conversation": share(total["later_turns"], total["turns_known"]),
        "tool_results": share(total["tool_results"], total["with_tools"]),
        "web": share(total["on_web"], total["requests"]),
        "errors": share(total["errors"], total["requests"]),
    }
    for marker in _TEACHING:
        out[f"asks_{marker}"] = share(total[f"asks_{marker}"], prompts)
    out["teaching"] = (
        sum(max(out[f"asks_{m}"] - people.rates[m], 0.0) for m in _TEACHING) if prompts else nan
    )
    asked = evidence.words[members]
    out["words_differ"] = words_differ(asked, evidence.sums["words_known"][members])
    out["words_apart"] = discrepancy(asked.sum(axis=0), int(total["words_known"]), people.words)
    out |= _lives(evidence, people, members)
    out |= _shared(evidence, members, number)
    return out


def _lives(evidence: Evidence, people: Population, members: Ints) -> dict[str, float]:
    """Load, tenure, sign-up and standing."""
    nan = float("nan")
    hours = evidence.hours[members]
    requests = evidence.sums["requests"][members].astype(np.float64)
    day, row = hours.indices // 24, np.repeat(np.arange(len(members)), np.diff(hours.indptr))
    # Hours of a row are in order.
    another = np.diff(day, prepend=-1).astype(bool) | np.diff(row, prepend=-1).astype(bool)
    busy_days = np.bincount(row[another], minlength=len(members))
    daily = requests / np.maximum(busy_days, 1)
    # An account that ran for a day or two says little of how its load is spread.
    settled = busy_days >= 3
    tenure = evidence.last_active[members] - evidence.first_active[members] + 1
    created = np.sort(people.created[members])
    created = created[~np.isnan(created)]
    burst = nan
    if len(created):
        within = np.searchsorted(created, created + 86_400.0, side="right")
        burst = float((within - np.arange(len(created))).max()) / len(members)
    organizations, counts = np.unique(
        [o for o in people.organization[members] if o is not None] or [""], return_counts=True
    )
    common = organizations[int(np.argmax(counts))]
    in_common = np.array([o == common and o != "" for o in people.organization[members]])
    together = people.began(evidence.first_active[members])
    stopped = people.stopped[members]
    replaced = 0.0
    if stopped.any():
        first_stop = evidence.last_active[members][stopped].min()
        replaced = float((evidence.first_active[members] > first_stop).sum())
    return {
        "unevenness": _unevenness(daily[settled]) if settled.sum() >= ENOUGH_MEMBERS else nan,
        "daily_requests": float(np.median(daily)),
        "answers_differ": between(
            requests, *(evidence.logarithms[name][members] for name in LOGARITHMS)
        ),
        "active_days": float((busy_days[settled] / tenure[settled]).mean())
        if settled.any() else nan,
        "signup_burst": burst,
        "start_together": together,
        "organization": float(in_common.mean()),
        "organization_accounts": float(in_common.sum()),
        "vetted": float(people.vetted[members].mean()),
        "stopped": float(stopped.mean()),
        "stopped_accounts": float(stopped.sum()),
        "replacements": replaced,
        "taken_over": _taken_over(
            evidence.last_active[members][stopped], evidence.first_active[members], evidence.days
        ) / len(members),
        "untraceable": float(people.untraceable[members].mean()),
    }  # fmt: skip


def _taken_over(stops: Ints, starts: Ints, days: int) -> int:
    """Accounts that began within _TAKEN_OVER_DAYS days after another was last seen, which was
    stopped: one for each. Both are given by day of the window."""
    stopped = np.bincount(stops, minlength=days)
    began = np.bincount(starts, minlength=days)
    taken = 0
    for day in range(days):
        for after in range(day + 1, min(day + _TAKEN_OVER_DAYS, days - 1) + 1):
            pairs = min(int(stopped[day]), int(began[after]))
            stopped[day] -= pairs
            began[after] -= pairs
            taken += pairs
    return taken


def _unevenness(daily: Floats) -> float:
    """Spread of members' requests a day over their median: the interquartile range as a standard
    deviation, so that a few loud ones hide no schedule. Its upper bound, as of a standard deviation
    of so many normal values: of a handful of accounts some look alike by chance.
    """
    low, middle, high = np.quantile(daily, (0.25, 0.5, 0.75))
    freedom = len(daily) - 1
    bound = np.sqrt(freedom / chi2.ppf(1.0 - _SURE_OF_SPREAD, freedom))
    return float((high - low) / 1.349 / middle * bound)


def _places(
    hashes: Ints, token: Narrow, kind: Ints, row: Ints, common: NDArray[np.bool_], members: int
) -> dict[str, float]:
    """Where members work beside where they signed up. Of each entry of what they carry: its token
    (a place in `hashes` and in `common`, the tokens of the group's own), kind and member.

    A campus, a firm or an event signs up where it works. Who poses as many customers signs up from
    as many homes, and works from machines that nobody else uses.
    """

    def of(name: str) -> NDArray[np.bool_]:
        return kind == KINDS.index(name)

    # Both kinds of token are made alike: one network has one token.
    signed_up, works = np.flatnonzero(of("signup_network")), np.flatnonzero(of("network"))
    there, where = (spread_keys(row[some]) ^ hashes[token[some]] for some in (signed_up, works))
    # Arrow looks values up in a table; NumPy would sort both.
    signed_up = signed_up[pc.is_in(pa.array(there), value_set=pa.array(where)).to_numpy(False)]
    together = np.bincount(token[signed_up], minlength=len(hashes))
    open_ = np.zeros(members, bool)
    open_[row[signed_up[together[token[signed_up]] >= min(_COMMON, members)]]] = True
    own = np.zeros(members, bool)
    own[row[of("address") & common[token]]] = True
    return {"open_place": float(open_.mean()), "hidden_place": float((own & ~open_).mean())}


@compiled
def _renumbered(indices: Narrow, number: Narrow) -> tuple[Narrow, Narrow, Ints]:
    """The different tokens of a group's entries; of each entry its token's place among them, which
    `number` (-1 for all before) has as well; and how many entries each token has."""
    tokens, token = np.empty(len(indices), np.int32), np.empty(len(indices), np.int32)
    inside, known = np.zeros(len(indices), np.int64), 0
    for entry in range(len(indices)):
        if number[indices[entry]] < 0:
            number[indices[entry]] = known
            tokens[known] = indices[entry]
            known += 1
        token[entry] = number[indices[entry]]
        inside[token[entry]] += 1
    return tokens[:known], token, inside[:known]


@compiled
def _holders(row: Ints, kind: Ints, hit: NDArray[np.bool_], kinds: int) -> tuple[Ints, Ints]:
    """Of each kind: its entries, and the members with one that is a hit. Rows are in order."""
    entries, holders = np.zeros(kinds, np.int64), np.zeros(kinds, np.int64)
    last = np.full(kinds, -1, np.int64)
    for entry in range(len(row)):
        of = kind[entry]
        entries[of] += 1
        if hit[entry] and last[of] != row[entry]:
            last[of] = row[entry]
            holders[of] += 1
    return entries, holders


def _shared(evidence: Evidence, members: Ints, number: Narrow) -> dict[str, float]:
    """What members share with each other and with nobody else, kind by kind.

    For each kind: `<kind>_own`: the share of members that carry a token of the group's own;
    `<kind>_tokens`: how many such tokens; `<kind>_different`: all its different tokens.
    """
    rows = evidence.carried[members]
    tokens, token, inside = _renumbered(rows.indices, number)
    kind_met = evidence.token_kind[tokens]
    common = (inside >= min(_COMMON, len(members))) & (
        inside >= _OWN * evidence.token_accounts[tokens]
    )
    row = np.repeat(np.arange(len(members)), np.diff(rows.indptr))
    kind_of = kind_met[token].astype(np.int64)
    hit = common[token]
    out: dict[str, float] = {}
    variety = evidence.variety[members]
    went_through, carriers_of = variety.sum(axis=0), np.count_nonzero(variety, axis=0)
    entries, holders = _holders(row, kind_of, hit, len(KINDS))
    for code, kind in enumerate(KINDS):
        met = kind_met == code
        different = int(went_through[code]) - int(entries[code]) + int(met.sum())
        carriers = int(carriers_of[code])
        out[f"{kind}_own"] = int(holders[code]) / len(members)
        out[f"{kind}_holders"] = float(holders[code])
        out[f"{kind}_tokens"] = float((common & met).sum())
        # Members on the token that most of them have: one purse for all, or many.
        most = inside[met]
        out[f"{kind}_one"] = float(most.max()) / len(members) if len(most) else 0.0
        out[f"{kind}_different"] = float(different)
        out[f"{kind}_per_carrier"] = different / carriers if carriers else float("nan")
        # 1 where no two members ever have one in common, towards 0 where all have the same.
        out[f"{kind}_disjoint"] = (
            different / int(went_through[code]) if went_through[code] else float("nan")
        )
    requests = max(float(evidence.sums["requests"][members].sum()), 1.0)
    code = KINDS.index(TEMPLATE)
    on_own = float(rows.data[hit & (kind_of == code)].sum())
    out["own_template_requests"] = on_own / requests
    written = evidence.prompts[members]
    own = (common & (kind_met == code))[number[written.indices]]
    number[tokens] = -1
    own_prompts = float(written.data[own].sum())
    out["own_template_new"] = own_prompts / on_own if on_own else float("nan")
    # Purses, phones and mail domains that several members share, none of them all: accounts that
    # pose as many customers. What all share is one customer's.
    out["instruments"] = max(
        out[f"{kind}_own"] if out[f"{kind}_one"] <= 0.5 else 0.0
        for kind in ("payment", "phone", "email_domain")
    )
    out["one_customer"] = min(out["payment_one"], out["email_domain_one"])
    # Members that come from places of their own, and now and then from an address that only
    # the group knows: machines that show through behind their exits.
    sent = np.maximum(evidence.sums["requests"][members], 1)
    of_address = hit & (kind_of == KINDS.index("address"))
    away = (
        np.bincount(row[of_address], weights=rows.data[of_address], minlength=len(members)) / sent
    )
    out["roster"] = float(((away > 0) & (away <= _AWAY)).mean())
    out |= _places(evidence.token_hash[tokens], token, kind_of, row, common, len(members))
    # Members with a system prompt that no other member has: each a product of its own.
    code_sp = KINDS.index("system_prompt")
    alike = (kind_of == code_sp) & (inside[token] > 1)
    own_product = variety[:, code_sp] > 0
    own_product[row[alike]] = False
    out["own_products"] = float(own_product.mean())
    # Templates of its own that a member uses: of a list many, of a tool or a class few.
    own_templates = np.bincount(row[hit & (kind_of == code)], minlength=len(members))
    out["own_templates"] = float(np.median(own_templates))
    code = KINDS.index("settings")
    of_kind = kind_of == code
    by_token = np.bincount(token[of_kind], weights=rows.data[of_kind])
    out["same_settings"] = float(by_token.max()) / requests if of_kind.any() else 0.0
    return out
