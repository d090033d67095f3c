"""What an account or a campaign has in common with whom, tokens masked."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from jobs.catalog.measures import INDICATORS
from jobs.catalog.policy import CAMPAIGN_POLICY, SCORING
from jobs.plain_text import masked, plain

if TYPE_CHECKING:
    from jobs.platform.lake import Lake

#: Links, tokens, and accounts of one token that are listed: the heaviest and the rarest.
LINKS_SHOWN = 20
TOKENS_SHOWN = 30
OTHERS_SHOWN = 5
#: Tokens of the account's record, by the column that has them.
_OF_RECORD = {
    "payment": "payment_token", "phone": "phone_token", "email_domain": "email_domain_token",
    "signup_address": "signup_address_token", "signup_network": "signup_network_token",
}  # fmt: skip
_SHARED = pa.schema([(name, pa.string()) for name in ("account_id", "kind", "token")])


@dataclass(frozen=True)
class Link:
    """An account that it is linked with; of a campaign, its pairs that share one kind of thing."""

    other: str | None
    links: int
    weight: float
    kinds: list[str]
    families: list[str]


@dataclass(frozen=True)
class Shared:
    """A token that it has in common with others: how many have it, and some of them. `inside`
    counts the members of a campaign that have it."""

    kind: str
    token: str
    accounts: int
    inside: int
    others: list[str]


def links_of(
    lake: Lake, account: str | None, night: dt.date, members: set[str] | None = None
) -> list[Link]:
    """Links of an account on a night, heaviest first, or those between members."""
    if account is None:
        return _links_within(lake, night, members or set())
    found = []
    for own, other in (("account_a", "account_b"), ("account_b", "account_a")):
        rows = lake.rows("account_links", night, night, only={own: [account]}).to_pylist()
        found += [
            Link(plain(r[other], 80), 1, r["weight"], r["kinds"], r["families"]) for r in rows
        ]
    found.sort(key=lambda link: (-link.weight, link.other or ""))
    return found[:LINKS_SHOWN]


def _links_within(lake: Lake, night: dt.date, members: set[str]) -> list[Link]:
    if not members:
        return []
    rows = lake.rows("account_links", night, night, only={"account_a": members})
    inside = pa.array(sorted(members), pa.string())
    rows = rows.filter(pc.is_in(rows["account_b"], inside))
    if not rows.num_rows:
        return []
    pairs = pc.list_parent_indices(rows["kinds"].combine_chunks())
    each = pa.table({
        "kind": pc.list_flatten(rows["kinds"].combine_chunks()),
        "weight": rows["weight"].combine_chunks().take(pairs),
    })  # fmt: skip
    sums = each.group_by("kind").aggregate([("weight", "count"), ("weight", "sum")]).to_pylist()
    family = {kind: axis.family for axis in CAMPAIGN_POLICY.axes for kind, _ in axis.kinds}
    made = [
        Link(None, r["weight_count"], r["weight_sum"], [r["kind"]], [family[r["kind"]]])
        for r in sums
    ]  # fmt: skip
    made.sort(key=lambda link: (-link.links, link.kinds))
    return made


def shared_by(
    lake: Lake, account: str | None, night: dt.date, members: set[str] | None = None
) -> list[Shared]:
    """Tokens of an account, or of two members and more, that others have too: of its record on
    the night, and of its requests in the scored window. What fewest others have comes first."""
    own = {account} if account is not None else members or set()
    if not own:
        return []
    least = 1 if account is not None else 2
    pieces = [_of_requests(lake, own, night), _of_records(lake, own, night)]
    rows = pa.concat_tables([piece.cast(_SHARED) for piece in pieces if piece is not None])
    if not rows.num_rows:
        return []
    rows = rows.append_column("inside", pc.is_in(rows["account_id"], pa.array(sorted(own))))
    rows = rows.group_by(["kind", "token", "account_id", "inside"]).aggregate([])
    counts = rows.group_by(["kind", "token"]).aggregate([("account_id", "count"),
                                                         ("inside", "sum")])  # fmt: skip
    counts = counts.filter(
        pc.and_(pc.greater(counts["account_id_count"], 1),
                pc.greater_equal(counts["inside_sum"], least))
    )  # fmt: skip
    inside = counts["inside_sum"].cast(pa.float64())
    outside = pc.divide(counts["account_id_count"].cast(pa.float64()), inside)
    counts = counts.append_column("outside", outside)
    order = [("account_id_count", "ascending")] if account is not None else [
        ("outside", "ascending"), ("inside_sum", "descending")]  # fmt: skip
    chosen = counts.sort_by([*order, ("kind", "ascending"), ("token", "ascending")])
    made = []
    for row in chosen.slice(0, TOKENS_SHOWN).to_pylist():
        of = rows.filter(pc.and_(pc.equal(rows["kind"], row["kind"]),
                                 pc.equal(rows["token"], row["token"])))  # fmt: skip
        others = of.filter(pc.invert(of["inside"]))["account_id"].to_pylist()
        made.append(
            Shared(row["kind"], masked(row["token"]), row["account_id_count"], row["inside_sum"],
                   [plain(other, 80) for other in sorted(others)[:OTHERS_SHOWN]])
        )  # fmt: skip
    return made


def _of_requests(lake: Lake, own: set[str], night: dt.date) -> pa.Table | None:
    caps = {i.kind: i.link_cap for i in INDICATORS}
    first = night - dt.timedelta(days=SCORING.window_days - 1)
    columns = ["account_id", "kind", "token"]
    mine = lake.rows("account_indicators", first, night, columns, only={"account_id": own})
    kinds = [kind for kind in set(mine["kind"].to_pylist()) if kind in caps and kind != "model"]
    mine = mine.filter(pc.is_in(mine["kind"], pa.array(kinds, pa.string())))
    if not mine.num_rows:
        return None
    tokens = set(pc.unique(mine["token"]).to_pylist())
    rows = lake.rows("account_indicators", first, night, columns, only={"token": tokens})
    # The same token under another kind is another thing.
    return rows.filter(pc.is_in(rows["kind"], pa.array(kinds, pa.string()))).select(columns)


def _of_records(lake: Lake, own: set[str], night: dt.date) -> pa.Table:
    pieces = [_SHARED.empty_table()]
    columns = ["account_id", *_OF_RECORD.values()]
    mine = lake.rows("accounts", night, night, columns, only={"account_id": own})
    for kind, column in _OF_RECORD.items():
        tokens = set(pc.unique(pc.drop_null(mine[column])).to_pylist())
        if not tokens:
            continue
        rows = lake.rows("accounts", night, night, ["account_id", column], only={column: tokens})
        pieces.append(pa.table({
            "account_id": rows["account_id"],
            "kind": pa.array([kind] * rows.num_rows, pa.string()),
            "token": rows[column],
        }))  # fmt: skip
    return pa.concat_tables(pieces)
