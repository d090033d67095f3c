"""The policy file: what it says is in force, and what is amiss with it is said in one line."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from jobs.catalog.enforcement import (
    LADDER,
    POLICY,
    SHIPPED,
    PolicyFault,
    parse_policy,
    read_policy,
)

TEXT = SHIPPED.read_text(encoding="utf-8")


def changed(old: str, new: str, nth: int = 0) -> str:
    """The shipped file with the nth occurrence of some text changed."""
    parts = TEXT.split(old)
    assert len(parts) > nth + 1, old
    return old.join(parts[: nth + 1]) + new + old.join(parts[nth + 1 :])


def test_the_shipped_file_is_a_policy() -> None:
    assert tuple(rung.action for rung in POLICY.rungs) == LADDER
    assert POLICY.version.startswith("2026-11-4+") and len(POLICY.version) == len("2026-11-4+") + 8
    assert POLICY.rung("suspend").decided_by == "person"
    assert POLICY.families_needed == 2


def test_any_change_is_another_version() -> None:
    assert parse_policy(TEXT + "\n# a word\n").version != POLICY.version
    assert parse_policy(TEXT).version == POLICY.version


def test_an_allow_list_has_who_answers_for_it_and_until_when() -> None:
    listed = (
        '\n[[allow_list]]\nsubject = "org_1"\nreason = "contract"\nowner = "ana"\n'
        "expires = 2027-01-31\n"
    )
    (one,) = parse_policy(TEXT + listed).allow_list
    assert (one.subject, one.expires) == ("org_1", dt.date(2027, 1, 31))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (changed("floor = 0.60", "floor = 0.20"), "0.2 is below watch's 0.3: floors rise"),
        (changed("floor = 0.60", 'floor = "high"'), "'high' is not a number"),
        (changed("floor = 0.60", "flour = 0.60"), "no such setting"),
        (changed("floor = 0.60\n", ""), "floor is missing"),
        (changed("2e-3", "2e-2"), "a harder action may not be wrong more often"),
        (changed('"suspend"', '"ban"'), "the ladder is watch, limit, challenge, review, ban"),
        (changed('decided_by = "person"', 'decided_by = "policy"', 0), "a person decides"),
        (changed("families = 0", "families = 0\ncolour = 1"), "no such setting"),
        (changed("expires_days = 7", "expires_days = 0"), "holds for a day or more"),
        (changed("expires_days = 7", "expires_days = 7\nfamilies = 1", 1), "on one clue"),
        (changed("expires_days = 14", "expires_days = true"), "True is not a whole number"),
        (changed('instead = "limit"', 'instead = "ban"'), "of watch, limit, challenge"),
        (changed("accounts = 5000", "accounts = -1"), "no fewer than none"),
        (TEXT + '\n[[allow_list]]\nsubject = "org_1"\nreason = ""\nowner = "ana"\n'
         "expires = 2027-01-31\n", "say whom, why and who answers for it"),
        (TEXT + '\n[[allow_list]]\nsubject = "org_1"\nreason = "x"\nowner = "ana"\n'
         'expires = "soon"\n', "'soon' is not a date as 2027-01-31"),
    ],
)  # fmt: skip
def test_what_is_amiss_is_said_with_its_line(text: str, said: str) -> None:
    with pytest.raises(PolicyFault) as caught:
        parse_policy(text)
    message = str(caught.value)
    assert said in message and "\n" not in message
    assert message.startswith("line ")


def test_the_line_is_that_of_the_setting() -> None:
    text = changed("floor = 0.80", "floor = 0.10")
    line = text.splitlines().index("floor = 0.10") + 1
    with pytest.raises(PolicyFault, match=f"^line {line}: rungs.3.floor: "):
        parse_policy(text)


def test_a_file_that_is_no_toml_or_not_there_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "policy.toml"
    with pytest.raises(PolicyFault, match=r"policy\.toml can't be read: No such file"):
        read_policy(broken)
    broken.write_text("version = \n", encoding="utf-8")
    with pytest.raises(PolicyFault, match=r"policy\.toml is not TOML: .*line 1"):
        read_policy(broken)
    broken.write_bytes(b"\xff\xfe")
    with pytest.raises(PolicyFault, match=r"policy\.toml can't be read: it is not UTF-8"):
        read_policy(broken)
