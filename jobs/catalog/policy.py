"""What detection goes by: how accounts are linked, grouped and explained; when a model is trained.

Every number that is tuned stands here with its reason. What is done to whom stands in
`enforcement.toml`.
"""

from __future__ import annotations

from dataclasses import dataclass

from jobs.catalog.types import Family

#: Families that fail independently of each other, by the name that every table and page gives
#: them, and what each is about: an action above `watch` needs two.
FAMILIES_ABOUT: dict[str, str] = {
    "infrastructure": "networks and machines that requests come from",
    "identity": "sign-up, phone and payment",
    "time": "when requests come",
    "content": "what prompts say and ask for",
    "behaviour": "programs, settings and manner of use",
    "lineage": "accounts that were stopped before it",
    "label": "what people said of the account before",
}
EVIDENCE_FAMILIES: tuple[str, ...] = tuple(FAMILIES_ABOUT)


@dataclass(frozen=True)
class ScoringPolicy:
    #: Days without a request after which an account is no longer scored.
    window_days: int = 7
    #: Below this nobody asks why: reasons and evidence are worked out from here up.
    explain_score: float = 0.10
    #: Log-odds that a feature adds before it is named as a reason.
    least_contribution: float = 0.15
    #: Log-odds that a family's features add together before it counts as evidence: alone it
    #: would nearly double the odds.
    family_contribution: float = 0.60
    #: A campaign's families count for its members from this score of the campaign on.
    campaign_evidence_score: float = 0.50
    #: Reasons that an account is given: of its campaign, then of its own.
    campaign_reasons: int = 3
    own_reasons: int = 3

    @property
    def traffic(self) -> str:
        """The feature that is over 0 for the accounts that are scored."""
        return f"requests_{self.window_days}d"


@dataclass(frozen=True)
class TrainingSchedule:
    """When a challenger is trained. What promotes it is declared in `models.definitions`."""

    #: Nights between two trainings.
    every_nights: int = 7
    #: Fewer labelled distillation accounts than this train nothing: the prior goes on scoring.
    minimum_positives: int = 30
    #: Known campaigns that a training needs: one to learn from, one to be judged on.
    minimum_campaigns: int = 2


@dataclass(frozen=True)
class Axis:
    """Kinds of indicator that one honest cause explains together: a shared place, a shared tool.

    A carrier's gateway explains address and network at once, an open-source client explains
    build, settings and system prompt at once: kinds of one axis never make a link by themselves.
    `kinds` gives each kind's cap in nats, `cap` the axis's own.
    """

    name: str
    family: Family
    kinds: tuple[tuple[str, float], ...]
    cap: float


@dataclass(frozen=True)
class Term:
    """One figure of a group: no nats where it is ordinary, all of them where it is telling."""

    figure: str
    ordinary: float
    telling: float
    nats: float
    reason: str


@dataclass(frozen=True)
class CampaignPolicy:
    """How accounts are linked, grouped, named and scored as groups."""

    # Links

    #: Days of rollups that links are drawn from: replaced accounts of four weeks still meet.
    window_days: int = 28
    axes: tuple[Axis, ...] = (
        # A carrier or campus explains where accounts sign up as well as where they work.
        Axis(
            "place",
            "infrastructure",
            (("address", 6.0), ("network", 5.0), ("signup_address", 6.0), ("signup_network", 5.0)),
            7.0,
        ),
        Axis(
            "tool", "behaviour", (("client", 4.0), ("settings", 3.0), ("system_prompt", 4.0)), 5.0
        ),
        Axis("money", "identity", (("payment", 7.0), ("phone", 7.0)), 8.0),
        Axis("signup", "identity", (("email_domain", 4.0), ("signup_hour", 6.0)), 7.0),
        Axis("work", "content", (("template", 6.0), ("template_end", 6.0), ("shingle", 5.0)), 7.0),
        Axis("time", "time", (("time", 4.0),), 4.0),
    )
    #: Neighbours to each side that an account is compared with on each token it shares: edges
    #: grow with accounts, not with their square, and a random ring is an expander, so that a
    #: group of thousands still hangs together.
    ring: int = 4
    #: The same on a token of more accounts than its declared cap.
    hub_ring: int = 2
    #: Partners with whom an account proposes pairs, at most; others may propose it. A sample of
    #: links keeps what holds a group together where each cut is left with some 3 ln N of them
    #: (Karger 1999): 40 for a million accounts. With 64 by lot a network of 2,000 accounts was in
    #: nine pieces, with 96 and more as below in one. With 256 the groups of the demo are those of
    #: no bound; with 192 up to 155 accounts of 5,700 stood in another group.
    partners: int = 256
    #: How many of these are those for whom most speaks; the others are drawn by lot. Few true
    #: partners among many by chance need the first. Where most are, a network may fall into a group
    #: for each pool of its exits.
    nearest: int = 64
    #: A token of more than this share of all accounts proposes no pairs: a popular client, a public
    #: phrase. An operation of a tenth of all accounts, and its machines, are still seen.
    hub_share: float = 0.12
    #: Nats that a token must bring between two accounts like this one, for it to count at all:
    #: a phrase met once in a hundred requests only costs time.
    token_nats: float = 0.5
    #: Nats that an axis must bring to count as one, and axes that a link needs.
    axis_nats: float = 1.5
    axes_needed: int = 2
    #: How many times as often as by chance two shared things go together in all accounts, and
    #: the surprise of that in nats: some hundred thousand couples are tried each
    #: night (2 ln N where there are few accounts).
    lift: float = 4.0
    together_nats: float = 12.0
    #: Different rare pieces of content that two accounts must have in common, and the surprise in
    #: nats of so many, before they are taken to work off one list; that alone then links them.
    #: What it is a list of (homework, a tool's prompts, training data) is for the group to say.
    list_tokens: int = 3
    list_nats: float = 14.0
    #: A closed circle: prompts of different templates that each of its accounts shares with others
    #: of it, their share of all that it sent, and the share of a template's senders that must be
    #: of the circle.
    circle_pieces: int = 20
    circle_share: float = 0.5
    circle_exclusive: float = 0.5
    #: Nats of a link: about the logarithm of the accounts that a chance partner is drawn from, so
    #: fewer where there are fewer accounts (ln N + 2).
    link_nats: float = 8.0

    # Groups

    #: Accounts of the smallest group that is reported.
    group_accounts: int = 4
    #: Links inside the group that a member needs, and the share of its link weight.
    member_links: int = 2
    member_share: float = 0.5
    #: How firmly a member must belong: its link weight inside over the group's median, by its share
    #: of all its links. Who shares one thing with three of a hundred members is a bystander.
    member_strength: float = 0.2
    #: Two groups are pieces of one where, on enough axes, this share of the members of each carries
    #: a token of which this share of all carriers are theirs, or those of so many largest groups.
    piece_share: float = 0.5
    own_share: float = 0.8
    pieces_most: int = 8
    #: Members of a group that say who else works off its list, nats that they must have in common
    #: with each other for that, and the share of it that an account with a link must reach.
    admitting: int = 48
    admit_nats: float = 4.5
    admit_share: float = 0.85
    #: Rounds in which parts of the accounts move at once, before only unlinked ones do.
    rounds: int = 20

    # Scores

    #: Share of a group's links on which an axis must hold before it is named as binding it.
    binding_share: float = 0.2
    #: Log-odds before any figure is known: most groups are a campus, a tool or a firm.
    base_nats: float = 0.0
    # What is habit (conversations, the web, a system prompt for each account) is cheap to copy and
    # weighs little; what costs an operation its pace (idle days, uneven accounts) weighs much.
    terms: tuple[Term, ...] = (
        Term("strangers", 0.20, 0.60, 0.4, "one work list, and nothing that would explain it"),
        Term("roster", 0.30, 0.70, 1.8, "one set of machines behind exits that pose as homes"),
        Term("hidden_place", 0.30, 0.80, 1.6, "one set of machines for who signed up all over"),
        Term("open_place", 0.30, 0.80, -2.5, "a campus or an event signs up where it works"),
        Term("words_differ", 0.03, 0.08, -3.0, "each asks of subjects of its own"),
        Term("own_products", 0.30, 0.80, -0.4, "each has a product of its own"),
        Term("own_template_requests", 0.10, 0.50, 0.2, "one work list has one phrasing"),
        Term("own_templates", 2.0, 8.0, 0.7, "a list has many templates, a tool or a class few"),
        Term("own_template_new", 0.70, 0.40, -2.0, "a test set or a bot repeats, a list goes on"),
        Term("start_together", 0.20, 0.60, 1.0, "accounts that begin together have one hand"),
        Term("signup_burst", 0.30, 0.80, 0.2, "accounts opened together were opened by one hand"),
        Term("conversation", 0.30, 0.05, 0.3, "teaching data is asked for, not talked about"),
        Term("conversation", 0.35, 0.60, -0.2, "people and tools go on with what is answered"),
        Term("unevenness", 0.50, 0.15, 2.9, "a scheduler spreads load evenly; people do not"),
        Term("active_days", 0.70, 0.95, 0.6, "a schedule has no days off"),
        Term("active_days", 0.60, 0.40, -3.6, "people have days without a question"),
        Term("unevenness", 0.60, 1.00, -1.1, "customers differ in how much they need"),
        Term("answers_differ", 0.10, 0.30, -1.4, "each has work of a kind of its own"),
        Term("daily_requests", 8.0, 20.0, 0.8, "a class or a hobby asks a few questions a day"),
        Term("stopped", 0.05, 0.25, 2.0, "others of the group were found out before"),
        Term("taken_over", 0.02, 0.15, 0.7, "where one was stopped another went on"),
        Term("untraceable", 0.15, 0.60, 1.0, "a prepaid card hides who pays"),
        Term("instruments", 0.20, 0.80, 1.8, "a few purses for accounts that pose as many"),
        Term("teaching", 0.03, 0.15, 0.4, "what teaching data looks like, beyond what all ask"),
        # Half is what length and language explain, or half of the members; an honest customer of
        # the corpus's own subject has it too, so that it weighs less than what costs pace.
        Term("teaching_corpus", 0.50, 0.90, 0.6, "what is asked is a published training set"),
        Term("same_settings", 0.60, 0.95, 0.1, "one program has one configuration"),
        Term("client_own", 0.30, 0.80, 0.8, "a build that nobody else has"),
        Term("output_ratio", 1.5, 3.0, 1.2, "answers are what is bought: long ones"),
        Term("one_customer", 0.60, 0.95, -4.0, "one purse and one mail domain hide nothing"),
        Term("accounts", 12.0, 5.0, -2.2, "of many small groups a few look alike by chance"),
        Term("organization", 0.20, 0.80, -2.5, "a firm's accounts share what the firm has"),
        Term("vetted", 0.20, 0.80, -3.0, "a person checked who they are"),
        Term("web", 0.10, 0.50, -0.2, "people at a web page"),
        Term("tool_results", 0.5, 2.0, -1.8, "tools whose results come back are used, not taught"),
        Term(
            "shingle_disjoint",
            0.10,
            0.03,
            -1.5,
            "the same few questions, as in a classroom, teach a model little",
        ),
    )
    resale_base_nats: float = -6.5
    # A relay's accounts look like an operation's that pays and works from one place; what they ask
    # is what customers ask, on every day and in every length.
    resale_terms: tuple[Term, ...] = (
        Term("payment_own", 0.20, 0.80, 2.5, "the reseller pays for all of them"),
        Term("phone_own", 0.20, 0.80, 0.6, "the reseller verifies all of them"),
        Term("instruments", 0.20, 0.80, 2.0, "a few purses for accounts that pose as many"),
        Term("client_own", 0.30, 0.80, 0.7, "one relay program"),
        Term("untraceable", 0.15, 0.60, 2.0, "a prepaid card hides who pays"),
        Term("hidden_place", 0.30, 0.80, 2.8, "one set of machines for who signed up all over"),
        Term("open_place", 0.30, 0.80, -1.0, "a campus or an event signs up where it works"),
        Term("roster", 0.30, 0.70, 1.6, "requests leave by the relay's own exits"),
        Term("conversation", 0.10, 0.30, 1.2, "behind a relay sit people who talk"),
        Term("same_settings", 0.80, 0.98, -1.0, "each customer of a relay sets his own"),
        Term("unevenness", 0.20, 0.50, 0.8, "nobody schedules customers"),
        Term("active_days", 0.80, 0.97, 2.0, "of many customers some ask on any day"),
        Term("answers_differ", 0.02, 0.10, -1.7, "each account carries customers of all kinds"),
        Term("words_differ", 0.03, 0.08, -0.9, "each account carries customers of all kinds"),
        Term("shingle_disjoint", 0.70, 0.80, 1.7, "customers do not repeat each other"),
        Term("own_template_requests", 0.20, 0.05, 1.2, "customers ask what they like"),
        Term("own_template_requests", 0.30, 0.80, -1.1, "customers of a relay have no list"),
        Term("organization", 0.20, 0.80, -4.0, "a firm's accounts share what the firm has"),
        Term("vetted", 0.20, 0.80, -3.0, "a person checked who they are"),
        Term("web", 0.10, 0.50, -2.2, "people at a web page need no relay"),
    )
    #: Log-odds that labels of all its members would weigh, labels that count as doubt, and the
    #: same as a share of its accounts: one customer who was looked at says little of fifty others.
    label_nats: float = 6.0
    label_prior: float = 2.0
    label_share: float = 0.1
    #: From these shares on, a group is one checked firm's, and its score ends here.
    organization_share: float = 0.8
    vetted_share: float = 0.5
    contract_score: float = 0.2

    # Names

    #: Nights back in which a group may be found again.
    memory_nights: int = 14
    #: Share of the smaller of two groups that must be common for one name.
    same_share: float = 0.2


SCORING = ScoringPolicy()
TRAINING = TrainingSchedule()
CAMPAIGN_POLICY = CampaignPolicy()
