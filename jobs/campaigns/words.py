"""Reasons and summaries in plain sentences, each with the figures that a person can check."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from jobs.catalog.sketch import MARKERS

Figures = dict[str, float]

#: Share of the members that a sentence must speak of, and sentences that a person will read.
_SAID_SHARE = 0.2
_SAID_MOST = 14

_KIND_SAID = {
    "distillation": "taken for distillation",
    "resale": "taken for resale",
    "benign_group": "taken for an honest group",
    "unknown": "of unknown purpose",
}
_MARKER_SAID = {marker.name: marker.about for marker in MARKERS}


def summary_of(
    figures: Figures,
    kind: str,
    score: float,
    resale_score: float,
    families: list[str],
    requests: int,
) -> str:
    """The group in one sentence, with the score that speaks for its kind."""
    bound = f" bound by {_listed(families)} evidence" if families else ""
    named = (
        f"resale score {resale_score:.2f}" if kind == "resale"
        else f"distillation score {score:.2f}"
    )  # fmt: skip
    return (
        f"{figures['accounts']:,.0f} accounts{bound} sent {requests:,} requests on the night; "
        f"{_KIND_SAID[kind]} ({named})."
    )


def reasons_of(
    figures: Figures,
    bound: dict[str, float],
    weights: dict[str, float],
    everyone: dict[str, float],
    labels: Mapping[str, int],
    corpus: str = "",
) -> list[str]:
    """What binds the group and what speaks for its kind, strongest first.

    `labels` counts the members that people last gave each label; `corpus` is the teaching corpus
    that the group's prompts are nearest to.
    """
    said: list[tuple[float, str]] = []
    for name, count in sorted(labels.items()):
        said.append((10.0 + count, f"people labelled {count:,} of its accounts as {name}"))
    n = figures["accounts"]
    for kind, axis, sentence in _BOUND:
        holders, tokens = figures[f"{kind}_holders"], figures[f"{kind}_tokens"]
        share = holders / n
        if holders >= 2 and tokens >= 1 and share >= _SAID_SHARE and bound[axis] > 0:
            said.append((3.0 * bound[axis] * share, sentence(figures, holders, tokens)))
    if bound["time"] >= 0.2:
        said.append(
            (
                2.0 * bound["time"],
                f"{bound['time']:.0%} of its linked pairs are active in "
                "the same hours of the same days far more than time zone and weekday explain",
            )
        )
    for figure, weight in weights.items():
        if abs(weight) >= 0.25 and not math.isnan(figures[figure]):
            if figure in _SHARES:
                said.append((abs(weight), f"{_percent(figures[figure])} {_SHARES[figure]}"))
            elif figure in _SENTENCES:
                said.append((abs(weight), _SENTENCES[figure](figures, everyone)))
            elif figure in _NAMED:
                said.append((abs(weight), _NAMED[figure](figures, corpus)))
    said.sort(key=lambda pair: (-round(pair[0], 6), pair[1]))
    return [sentence for _, sentence in said[:_SAID_MOST]]


def figure_behind(reason: str) -> str | None:
    """The column of `campaigns` that a reason says in words, None for what several make."""
    after = reason.partition("% ")[2]
    return next((figure for figure, words in _SHARES.items() if words == after), None)


def _listed(words: list[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return ", ".join(words[:-1]) + " and " + words[-1]


def _many(count: float, one: str, several: str | None = None) -> str:
    return f"{count:,.0f} {one if round(count) == 1 else several or one + 's'}"


def _templates(f: Figures, holders: float, tokens: float) -> str:
    networks = f["network_different"]
    come = f" from {_many(networks, 'network')}" if networks else ""
    return (f"{holders:,.0f} accounts sent the same {_many(tokens, 'prompt template')}{come}, "
            "which hardly anyone else uses")  # fmt: skip


def _together(what: str, several: str | None = None) -> Callable[[Figures, float, float], str]:
    def sentence(f: Figures, holders: float, tokens: float) -> str:
        return (f"{holders:,.0f} of {f['accounts']:,.0f} accounts share "
                f"{_many(tokens, what, several)} that hardly anyone else has")  # fmt: skip

    return sentence


#: Kind, its axis, and what is said of members that share tokens of the group's own.
_BOUND: tuple[tuple[str, str, Callable[[Figures, float, float], str]], ...] = (
    ("template", "work", _templates),
    ("template_end", "work", _together("prompt ending")),
    ("payment", "money", _together("payment instrument")),
    ("phone", "money", _together("phone number")),
    ("address", "place", _together("client address", "client addresses")),
    ("network", "place", _together("client network")),
    ("signup_address", "place", _together("sign-up address", "sign-up addresses")),
    ("signup_network", "place", _together("sign-up network")),
    ("email_domain", "signup", _together("e-mail domain")),
    ("signup_hour", "signup", lambda f, holders, tokens: (
        f"{holders:,.0f} of {f['accounts']:,.0f} accounts were opened in {_many(tokens, 'hour')} "
        "with the same form of e-mail address")),
    ("client", "tool", _together("client build")),
    ("system_prompt", "tool", _together("system prompt")),
    ("settings", "tool", _together("set of sampling settings", "sets of sampling settings")),
)  # fmt: skip


def _percent(value: float) -> str:
    return f"{value:.0%}"


#: What is said of a figure that weighs in the score, of those that are shares: the share, and this.
_SHARES: dict[str, str] = {
    "strangers": "of its linked pairs send the same work and have neither network nor client nor "
    "payment in common that would explain it",
    "roster": "of its accounts, each with addresses of its own, now and then come from machines "
    "that only this group uses",
    "start_together":
    "of its accounts, beyond what all accounts show, were first seen within the same "
    "three days",
    "instruments":
    "of its accounts share payment instruments, phone numbers or e-mail domains in several small "
    "sets",
    "hidden_place": "of its accounts work from addresses that only this group uses, and signed up "
    "elsewhere",
    "open_place": "of its accounts work in a network in which several of them signed up",
    "words_differ": "of the spread of its prompts' words lies between its accounts, each of which "
    "has subjects of its own",
    "taken_over": "of its accounts began within three days after another of them was stopped, one "
    "for each",
    "own_products": "of its accounts have a system prompt that no other of them has",
    "one_customer":
    "of its accounts share one payment instrument and one e-mail domain, in the open",
    "web": "of its requests came by the web interface",
    "answers_differ": "of the spread of its answers' lengths lies between its accounts, each of "
    "which has work of a kind of its own",
    "signup_burst": "of its accounts were opened within 24 hours",
    "own_template_requests": "of its requests follow templates of its own",
    "same_settings": "of its requests carry the very same sampling settings",
    "vetted": "of its accounts are verified or under contract",
    "untraceable": "of its accounts pay by prepaid card or crypto currency",
}  # fmt: skip
#: And of the others, in words of their own.
_SENTENCES: dict[str, Callable[[Figures, Figures], str]] = {
    "own_templates": lambda f, e: "half of its accounts or more use "
    f"{_many(f['own_templates'], 'template')} of the group's own each",
    "own_template_new": lambda f, e: f"{_percent(1 - f['own_template_new'])} of its requests on "
    "templates of its own repeat a prompt of the same day",
    "conversation": lambda f, e: f"{_percent(f['conversation'])} of its requests go on with a "
    f"conversation (all accounts: {_percent(e['conversation'])})",
    # Of the figure, which is a standard deviation's estimate, back to the quartiles.
    "unevenness": lambda f, e: "in requests a day the middle half of its accounts differ by "
    f"{_percent(1.349 * f['unevenness'])} of the median at most, with doubt for how few they are",
    "active_days": lambda f, e: f"its accounts sent traffic on {_percent(f['active_days'])} of "
    "the days between their first and last",
    "stopped": lambda f, e: f"{_many(f['stopped_accounts'], 'account')} of it stopped by "
    f"suspension or closure, and {_many(f['replacements'], 'account')} began after the first of "
    "them",
    "teaching": lambda f, e: _teaching(f, e),
    "shingle_disjoint": lambda f, e: f"only {_percent(f['shingle_disjoint'])} of the phrases that "
    "its accounts sent differ from each other's",
    "organization": lambda f, e: f"{_many(f['organization_accounts'], 'account')} of "
    f"{f['accounts']:,.0f} belong to one organization, {_percent(f['vetted'])} verified or under "
    "contract",
    "output_ratio": lambda f, e: f"its answers have {f['output_tokens_mean']:,.0f} tokens on "
    f"average (all accounts: {e['output_tokens']:,.0f})",
    "daily_requests": lambda f, e: f"its accounts send {f['daily_requests']:,.0f} requests on an "
    "active day",
}  # fmt: skip
#: And of those that name a corpus.
_NAMED: dict[str, Callable[[Figures, str], str]] = {
    "teaching_corpus": lambda f, corpus: f"its prompts are distributed as those of the corpus "
    f"{corpus}, which explains {_percent(f['teaching_corpus'])} of what sets them apart from "
    "other prompts",
}  # fmt: skip


def _teaching(figures: Figures, everyone: Figures) -> str:
    marker = max(
        (name for name in sorted(everyone) if f"asks_{name}" in figures),
        key=lambda name: (figures[f"asks_{name}"] - everyone[name], name),
    )
    return (f"{_percent(figures[f'asks_{marker}'])} of its prompts: each {_MARKER_SAID[marker]} "
            f"(all accounts: {_percent(everyone[marker])})")  # fmt: skip
