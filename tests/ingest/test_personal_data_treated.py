"""What becomes of addresses, user agents, domains and texts, against Python's own libraries."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from landing_days import KEY_HEX, LandingDays, account, ingest, request
from pyspark.sql import Column
from pyspark.sql import functions as F

from jobs.ingest import privacy, validation
from jobs.platform.keys import TokenKey

KEY = TokenKey(bytes.fromhex(KEY_HEX))
FEW = settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])

v4 = st.integers(0, 2**32 - 1).map(lambda n: str(ipaddress.IPv4Address(n)))
v6_number = st.one_of(
    st.integers(0, 2**128 - 1),
    st.lists(st.sampled_from([0, 0, 0, 1, 0xFF, 0xFFFF, 0x0DB8]), min_size=8, max_size=8).map(
        lambda parts: sum(part << (16 * n) for n, part in enumerate(parts))
    ),
).filter(lambda n: ipaddress.IPv6Address(n).ipv4_mapped is None)


@st.composite
def v6(draw: Callable) -> str:
    """One of the spellings of an address: zeros padded or not, in either case, `::` or not."""
    address = ipaddress.IPv6Address(draw(v6_number))
    text = draw(st.sampled_from([address.compressed, address.exploded]))
    if "::" not in text and draw(st.booleans()):
        text = ":".join(part.lstrip("0") or "0" for part in text.split(":"))
    return text.upper() if draw(st.booleans()) else text


def over(session, texts: Sequence[str], expression: Callable[[Column], Column]) -> list:
    frame = session.createDataFrame([(n, text) for n, text in enumerate(texts)], "n int, t string")
    found = frame.select("n", expression(F.col("t")).alias("v")).toArrow().to_pylist()
    return [row["v"] for row in sorted(found, key=lambda row: row["n"])]


@given(st.lists(st.one_of(v4, v6()), min_size=20, max_size=60))
@FEW
def test_one_address_has_one_spelling_and_one_network(session, texts):
    canonical = over(session, texts, privacy.canonical_address)
    parsed = [ipaddress.ip_address(text) for text in texts]
    assert [ipaddress.ip_address(text) for text in canonical] == parsed
    spelling: dict = {}
    for text, address in zip(canonical, parsed, strict=True):
        assert spelling.setdefault(address, text) == text
    networks = over(session, canonical, privacy.network)
    wanted = [
        ipaddress.ip_network((address, 24 if address.version == 4 else 64), strict=False)
        for address in parsed
    ]
    assert [ipaddress.ip_network(text) for text in networks] == wanted
    assert len(set(networks)) == len(set(wanted))


def test_a_mapped_address_is_the_address_that_it_maps(session):
    texts = ["::ffff:198.51.100.7", "::FFFF:198.51.100.7", "198.51.100.7"]
    assert set(over(session, texts, privacy.canonical_address)) == {"198.51.100.7"}


@given(st.lists(st.one_of(
    v4, v6(), st.text("0123456789abcdefF:.", max_size=24),
    st.from_regex(r"\A([0-9A-F]{0,4}:){1,8}[0-9A-F]{0,4}\Z"),
    st.from_regex(r"\A[0-9]{1,3}(\.[0-9]{1,3}){3}\Z"),
), min_size=30, max_size=60))  # fmt: skip
@FEW
def test_an_address_is_what_python_takes_for_one(session, texts):
    texts = [text for text in texts if text and not (":" in text and "." in text)]
    found = over(session, texts, lambda t: t.rlike(validation.IPV4) | t.rlike(validation.IPV6))

    def is_address(text: str) -> bool:
        try:
            ipaddress.ip_address(text)
        except ValueError:
            return False
        return True

    assert dict(zip(texts, found, strict=True)) == {text: is_address(text) for text in texts}


def hmac_of(kind: str, text: str, key: bytes = KEY.secret) -> str:
    return hmac.new(key, f"{kind}:{text}".encode(), hashlib.sha256).hexdigest()[:32]


@given(st.lists(st.text(max_size=200), min_size=10, max_size=30),
       st.binary(min_size=32, max_size=100))  # fmt: skip
@FEW
def test_a_token_is_hmac_sha256(session, texts, secret):
    texts = [text.replace("\x00", "") for text in texts]
    found = over(session, texts, lambda t: privacy.token(TokenKey(secret), "phone", t))
    assert found == [hmac_of("phone", text, secret) for text in texts]


def test_no_text_has_no_token(session):
    frame = session.createDataFrame([(None,)], "t string")
    assert frame.select(privacy.token(KEY, "phone", F.col("t")).alias("v")).toArrow()[
        "v"].to_pylist() == [None]  # fmt: skip


@pytest.fixture(scope="module")
def night_of(session, tmp_path_factory):
    """Requests and accounts with one of each kind of personal data."""
    root = tmp_path_factory.mktemp("treated")
    landing = LandingDays(root / "landing")
    landing.put("requests/x.jsonl", [
        request(1, client_address="2001:db8::1", user_agent="curl/8.5.0 (x)", tls_ja4="ja"),
        request(2, client_address="2001:DB8:0:0::0001", user_agent="curl/8.5.0"),
        request(3, client_address="2001:db8::2", user_agent=None),
        request(4, client_address="tok_1", user_agent="jane@example.org"),
    ])  # fmt: skip
    common = [account(f"c{n}", email_domain="Mail.example", email_local_shape="jane.doe1990",
                      declared_use=None) for n in range(10)]  # fmt: skip
    one = account("one", email_domain="janedoe.example", phone_token="+4915112345678",
                  payment_fingerprint="4111 1111 1111 1111")  # fmt: skip
    # Ten records of one account are one account, and an address is no domain.
    numbers = [account(f"n{n}", email_domain="198.51.100.7") for n in range(12)]
    landing.put("accounts/x.jsonl", [*common, *([one] * 12), *numbers])
    return ingest(session, landing.root, root / "lake")


def test_addresses_become_tokens_of_address_and_network(night_of):
    rows = night_of.requests()
    full = "2001:db8:0:0:0:0:0:1"
    assert rows["r1"]["address_token"] == hmac_of("address", full)
    assert rows["r2"]["address_token"] == rows["r1"]["address_token"]
    assert rows["r3"]["address_token"] != rows["r1"]["address_token"]
    assert rows["r3"]["network_token"] == hmac_of("network", "2001:db8:0:0::/64")
    assert rows["r1"]["network_token"] == rows["r3"]["network_token"]
    assert rows["r4"]["address_token"] == hmac_of("address", "tok_1")


def test_rows_name_the_key_that_made_their_tokens(night_of):
    assert {row["key_id"] for row in night_of.rows("requests")} == {KEY.id}
    assert {row["key_id"] for row in night_of.rows("accounts")} == {KEY.id}
    assert KEY.id not in KEY_HEX


def test_a_user_agent_is_a_product_and_a_token(night_of):
    rows = night_of.requests()
    assert [rows[f"r{n}"]["client"] for n in range(1, 5)] == ["curl/8.5.0", "curl/8.5.0", None,
                                                              None]  # fmt: skip
    assert rows["r1"]["user_agent_token"] == hmac_of("user_agent", "curl/8.5.0 (x)")
    assert rows["r4"]["user_agent_token"] == hmac_of("user_agent", "jane@example.org")


def test_a_domain_is_in_clear_only_where_many_accounts_use_it(night_of):
    by_id = {row["account_id"]: row for row in night_of.rows("accounts")}
    assert by_id["ac3"]["email_domain"] == "mail.example"
    assert by_id["aone"]["email_domain"] is None
    assert by_id["an3"]["email_domain"] is None
    assert by_id["ac3"]["email_domain_token"] == hmac_of("email_domain", "mail.example")
    assert by_id["aone"]["email_domain_token"] == hmac_of("email_domain", "janedoe.example")


def test_an_account_keeps_tokens_shapes_and_lengths(night_of):
    by_id = {row["account_id"]: row for row in night_of.rows("accounts")}
    assert by_id["aone"]["phone_token"] == hmac_of("phone", "+4915112345678")
    assert by_id["aone"]["payment_token"] == hmac_of("payment", "4111 1111 1111 1111")
    assert by_id["ac1"]["email_local_shape"] == "aaaa.aaa9999"
    assert by_id["ac1"]["declared_use_chars"] == 0


@pytest.mark.parametrize(("user_agent", "product"), [
    ("OpenAI-Python/1.2.3", "OpenAI-Python/1.2.3"),
    ("curl/8.5.0 libz/1.2", "curl/8.5.0"),
    ("agent/2026.5.1.10 x", "agent/2026.5.1.10"),
    ("agent/4915112345678", None),
    ("agent/1.2-jane@example.org", None),
    ("jane doe/1.0", None),
    ("10.1.2.3/8", None),
    ("/1.0", None),
    ("agent", None),
    ("", None),
    ("x" * 60 + "/1.0", None),
])  # fmt: skip
def test_a_products_name_is_told_from_other_text(session, user_agent, product):
    assert over(session, [user_agent, "a/1"], privacy.product) == [product, "a/1"]


@given(st.lists(st.text(max_size=60), min_size=10, max_size=40))
@FEW
def test_a_shape_holds_no_letter_or_digit_of_the_text(session, texts):
    texts = [text.replace("\x00", "") for text in texts]
    found = over(session, texts, privacy.shape)
    assert found == [privacy.shape_of(text) for text in texts]
    assert all(set(shape) <= set("a9x") | set(" !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
               for shape in found)  # fmt: skip
    assert [len(shape) for shape in found] == [len(text) for text in texts]


def test_a_refused_record_shows_words_and_small_numbers_only(session, tmp_path):
    landing = LandingDays(tmp_path / "landing").quiet()
    landing.put("requests/x.jsonl", [
        request("secret9", status_code=999, account_id="jane-doe", input_tokens=4915112345678,
                temperature=0.5, prompt_text="Call Jane on +49 151 1234567 " * 5,
                client_address="198.51.100.7", conversation_id="555.1234"),
    ])  # fmt: skip
    landing.put("requests/y.jsonl", b'{"request_id": "jane@example.org", "phone": +49151\n')
    row, line = sorted(
        ingest(session, landing.root, tmp_path / "lake").rows("quarantine"),
        key=lambda row: row["file"],
    )
    shown = dict(pair.split("=", 1) for pair in row["record"].split(", "))
    assert shown["request_id"] == "aaaaaaa9"
    assert shown["account_id"] == "aaaa-aaa"
    assert shown["client_address"] == "999.99.999.9"
    assert shown["conversation_id"] == "999.9999"
    assert shown["input_tokens"] == "9999999999999"
    assert shown["prompt_text"] == "aaaa aaaa aa +99 999 9999999 aaaa aaaa a"
    assert (shown["channel"], shown["temperature"], shown["status_code"], shown["timestamp"]) == (
        "first_party", "0.5", "999", "2026-05-03T10:20:30.123456Z")  # fmt: skip
    assert line["record"] == '{"aaaaaaa_aa": "aaaa@aaaaaaa.aaa", "aaaaa": +99999'
