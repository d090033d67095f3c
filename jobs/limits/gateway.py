"""Rate limits in the forms that gateways read: Envoy's rate limit service, and plain JSON.

What `jobs.limits.now` finds in force: limits of the last night, and what people decided since.
Envoy's service
(envoyproxy/ratelimit) reads a YAML file a domain: nested descriptors of key and value, a limit with
one unit at each end. The gateway sends, for each request, the descriptors
(account_id, per), (account_id, capability, per) where it knows what is asked for, and
(campaign_id, per) where it knows the account's campaign; to the domain of tokens the same with
the tokens as `hits_addend`. While enforcement only observes, every limit is in `shadow_mode`: the
service counts and refuses nothing.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from jobs.catalog.desk_tables import ENFORCE, OBSERVE
from jobs.catalog.limit_policy import GATEWAY
from jobs.catalog.limit_tables import ALL, REQUEST_LIMITS, TOKEN_LIMITS
from jobs.limits.now import LimitsNow
from jobs.platform.errors import StillwatchError
from jobs.platform.storage import Place

DOMAIN, TOKENS_DOMAIN = "stillwatch", "stillwatch_tokens"
#: The service holds a limit in 32 bits without a sign.
_MOST = 2**32 - 1
#: Characters of an id that goes into a descriptor: more is no id, and fills the service's cache.
_LONGEST_ID = 512
_UNITS = ("minute", "hour", "day")


def as_json(limits: LimitsNow) -> str:
    """The plain form; ids as they are, in ASCII."""
    accounts: list[dict[str, Any]] = []
    for row in limits.accounts:
        if not accounts or accounts[-1]["account_id"] != row["account_id"]:
            accounts.append({
                "account_id": row["account_id"],
                "campaign_id": row["campaign_id"],
                "step": row["step"],
                "expires": row["expires"].isoformat(),
                "decision_id": row["decision_id"],
                "limits": [],
            })  # fmt: skip
        accounts[-1]["limits"].append(
            {name: row[name] for name in ("capability", *REQUEST_LIMITS, *TOKEN_LIMITS, "reason")}
        )
    campaigns = [
        {name: budget[name] for name in ("campaign_id", "accounts", "requests_a_day",
                                         "tokens_a_day", "counted_by", "step")}
        for budget in limits.campaigns
    ]  # fmt: skip
    versions = {row["policy_version"] for row in limits.accounts}
    return json.dumps({
        "night": limits.night,
        "mode": ENFORCE if limits.enforce else OBSERVE,
        "policy_versions": sorted(versions),
        "accounts": accounts,
        "campaigns": campaigns,
    }, indent=1) + "\n"  # fmt: skip


def as_envoy(limits: LimitsNow, tokens: bool) -> str:
    """One domain of Envoy's rate limit service: of requests, or of tokens."""
    import yaml

    class Dumper(yaml.CSafeDumper):
        """Values in double quotes: one that reads as a number ends the service's loading."""

    Dumper.add_representer(
        _Value, lambda dumper, value: dumper.represent_scalar(
            "tag:yaml.org,2002:str", str(value), style='"'
        ),
    )  # fmt: skip
    names = TOKEN_LIMITS if tokens else REQUEST_LIMITS
    shadow = {} if limits.enforce else {"shadow_mode": True}
    nodes: dict[str, dict[str, Any]] = {}
    for row in limits.accounts:
        if not fits(row["account_id"]):
            continue
        node = nodes.setdefault(row["account_id"], _node("account_id", row["account_id"], []))
        ends = list(_ends(zip(_UNITS, (row[name] for name in names), strict=True), shadow))
        if row["capability"] == ALL:
            node["descriptors"].extend(ends)
        else:
            node["descriptors"].append(_node("capability", row["capability"], ends))
    unit = "tokens_a_day" if tokens else "requests_a_day"
    budgets = [
        _node("campaign_id", budget["campaign_id"], list(_ends([("day", budget[unit])], shadow)))
        for budget in limits.campaigns
        if budget["counted_by"] == GATEWAY and fits(budget["campaign_id"])
    ]
    said = "these limits are to be enforced" if limits.enforce else (
        "enforcement is in observe mode: every limit is in shadow_mode and refuses nothing"
    )  # fmt: skip
    head = (
        f"# Rate limits of Stillwatch after the night of {limits.night}: {said}.\n"
        f"# {'Tokens, by hits_addend' if tokens else 'Requests'}. Written anew after each night "
        "and decision; do not edit.\n"
    )
    whole = {"domain": TOKENS_DOMAIN if tokens else DOMAIN,
             "descriptors": [*nodes.values(), *budgets]}  # fmt: skip
    return head + yaml.dump(whole, Dumper=Dumper, sort_keys=False, width=10_000)


def fits(name: str) -> bool:
    """Whether an id can stand in a descriptor. An empty value would hold for every account, one
    with an asterisk for all that begin alike; nothing with control characters is ever sent."""
    return (
        0 < len(name) <= _LONGEST_ID
        and "*" not in name
        and not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name)
    )


def unfit(limits: LimitsNow) -> int:
    """Accounts that have a limit and no place in an Envoy file."""
    return len({row["account_id"] for row in limits.accounts if not fits(row["account_id"])})


def write(limits: LimitsNow, to: Place, form: str) -> list[Place]:
    """Writes one file for JSON, two for Envoy; each as a whole or not at all.

    Raises:
        StillwatchError: it can't be written there.
    """
    files = {to: as_json(limits)} if form == "json" else {
        to: as_envoy(limits, tokens=False),
        tokens_file(to): as_envoy(limits, tokens=True),
    }  # fmt: skip
    for place, text in files.items():
        try:
            place.write_text(text)
        except OSError as error:
            raise StillwatchError(
                f"{place} can't be written: {error.strerror or error}; choose another place"
            ) from error
    return list(files)


def tokens_file(to: Place) -> Place:
    """`limits.yaml` → `limits-tokens.yaml`: the service takes one domain a file."""
    path = PurePosixPath(to.name)
    return Place(f"{to.address[: -len(to.name)]}{path.stem}-tokens{path.suffix}")


class _Value(str):
    """A descriptor's value, which comes from outside."""


def _node(key: str, value: str, below: list[dict[str, Any]]) -> dict[str, Any]:
    return {"key": key, "value": _Value(value), "descriptors": below}


def _ends(
    amounts: Iterable[tuple[str, int]], shadow: Mapping[str, bool]
) -> Iterator[dict[str, Any]]:
    for unit, most in amounts:
        yield {
            "key": "per", "value": unit,
            "rate_limit": {"unit": unit, "requests_per_unit": min(most, _MOST)}, **shadow,
        }  # fmt: skip
