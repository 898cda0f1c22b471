import pytest
from hypothesis import event, example, given, strategies as st

from django_piggy_verify import recipients

LOCALS = st.text("aZ09!#$%&'*+/=?^_`{|}~-.", min_size=1, max_size=8)
LABELS = st.text(
    st.sampled_from("aZ0-\u00ad")
    | st.characters(categories=["L", "N", "Mn", "Cf"], codec="utf-8"),
    min_size=1,
    max_size=5,
)
DOMAINS = st.lists(LABELS, min_size=2, max_size=3).map(".".join)


def other_spellings(character):
    """Return other spellings of the same domain, by the mapping of UTS 46."""
    if character == ".":
        return ".。．｡"
    upper, wide = character.upper(), chr(ord(character) + 0xFEE0)
    return [
        character,
        f"{character}\u00ad",
        *([upper] if upper.lower() == character else []),
        *([wide] if character.isascii() and character.isalnum() else []),
    ]


@st.composite
def spelled_twice(draw):
    """An address and another spelling of it."""
    local, domain = draw(LOCALS), draw(DOMAINS)
    typed = (draw(st.sampled_from(other_spellings(each))) for each in domain)
    around = draw(
        st.sampled_from(["", " ", "\n", "\u3000", "\ufeff", " \u200b\u2060 "])
    )
    at = draw(st.sampled_from("@\uff20\ufe6b"))
    address = f"{around}{local.swapcase()}{at}{''.join(typed)}{around}"
    shape = draw(st.sampled_from(["{}", "<{}>", "Ann <{}>", "\ufeffAnn Lee<{}> "]))
    return f"{local}@{domain}", shape.format(address)


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("ann@example.com", "ann@example.com"),
        ("  ann@example.com\n", "ann@example.com"),
        ("Ann.Lee+shop@Example.COM", "Ann.Lee+shop@example.com"),
        ("ann@ｅｘａｍｐｌｅ.com", "ann@example.com"),
        ("ann@exam\u00adple.com", "ann@example.com"),
        ("ann@example。com", "ann@example.com"),
        ("ann@BÜCHER.example", "ann@xn--bcher-kva.example"),
        ("ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example"),
        ("ann@faß.de", "ann@xn--fa-hia.de"),
        ("ann@fass.de", "ann@fass.de"),
        ("ann@XN--BCHER-KVA.example", "ann@xn--bcher-kva.example"),
        ("ann@ＸＮ－－Bcher-kva.example", "ann@xn--bcher-kva.example"),
        ("ann@bu\u0308cher.example", "ann@xn--bcher-kva.example"),
        ("\ufeffann@example.com", "ann@example.com"),
        ("ann@example.com\u200d", "ann@example.com"),
        ("\u202a ann@example.com \u202c", "ann@example.com"),
        ("\u2800ann@example.com\u3164\ufe0f", "ann@example.com"),
        ("ann\uff20example.com", "ann@example.com"),
        ("ann\ufe6bexample.com", "ann@example.com"),
        ("mailto:ann@example.com", "ann@example.com"),
        (" MailTo: Ann+x@example.com", "Ann+x@example.com"),
        ("Ann <ann@example.com>", "ann@example.com"),
        ("<ann@example.com>", "ann@example.com"),
        ("Ann<\ufeff ann\uff20EXAMPLE.com >", "ann@example.com"),
        ('"Lee, Ann (shop)" <ann@example.com>', "ann@example.com"),
        ("\u2068\u00c4nn\u2069 <mailto:ann@example.com>", "ann@example.com"),
        ("a%b?c@example.com", "a%b?c@example.com"),
    ],
    ids=ascii,
)
def test_an_address_has_one_spelling(typed, address):
    assert recipients.normalise(typed) == address


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "ann",
        "@example.com",
        "ann@",
        "vıctim@example.com",
        "ann\u200b@example.com",
        "ann\uff20evil.example@example.com",
        "mailto:",
        "mailto:ann@example.com?subject=Hi",
        "mailto:a?b@example.com",
        "mailto:ann%40evil.example%3E@example.com",
        "mailto:ann@example.com,bob@example.com",
        "mailto:ann@example.com?cc=bob@example.com",
        "mailto:mailto:ann@example.com",
        "mail to:ann@example.com",
        "a@example.com <b@example.com>",
        "ann@example.com <ann@example.com>",
        "ann\uff20example.com <b@example.com>",
        "Ann <a@example.com> <b@example.com>",
        "Ann <a@example.com>, Bob <b@example.com>",
        "Ann <<ann@example.com>>",
        "Ann <ann@example.com> b@example.com",
        "Ann <ann@example.com",
        "Ann ann@example.com>",
        "<Ann> ann@example.com",
        "ann@example.com <Ann>",
        "Ann <>",
        "Ann\r\nBcc: Bob <ann@example.com>",
        "Ann\x00 <ann@example.com>",
        "Ann <ann@example.com\r\nBcc: bob@example.com>",
        "Ann <ann\r\n@example.com>",
        "Ann <\u00e4nn@example.com>",
        "n" * 500 + "<ann@example.com>",
        '"ann"@example.com',
        '"<b>"@example.com',
        "a..b@example.com",
        ".a@example.com",
        "ann@[127.0.0.1]",
        "ann@127.0.0.1",
        "ann@localhost",
        "ann@example.com.",
        "ann@bücher.example.",
        "ann@bücher.example。",
        "ann@xn--bücher.example",
        "ann@a\u200db.example",
        "ann@xn--example-.com",
        "ann@exa mple.com",
        "ann@-example.com",
        "ann@example.com\r\nBcc: bob@example.com",
        "ann\x00@example.com",
        "ann@example\x00.com",
        "\ud800@example.com",
        "ann@\ud800.com",
        "a" * 65 + "@example.com",
        "a@" + "b" * 64 + ".com",
        "a" * 10_000 + "@example.com",
        "ann@" + "é" * 10_000 + ".com",
        "\ufeff" * 1_000_000 + "ann@example.com",
        "<" * 1_000_000,
    ],
    ids=lambda typed: ascii(typed[:50]),
)
def test_an_ambiguous_address_is_refused(typed):
    with pytest.raises(ValueError, match=r"."):
        recipients.normalise(typed)


@given(st.builds("{}@{}".format, LOCALS, DOMAINS) | st.text(max_size=80))
def test_normalising_is_idempotent_and_plain(typed):
    try:
        address = recipients.normalise(typed)
    except ValueError:
        return

    event("accepted")
    assert recipients.normalise(address) == address
    assert address.isascii()
    assert address.isprintable()


@given(spelled_twice())
@example(("ann@bücher.example", " ANN@B\u00adÜＣHER。Example\n"))
def test_all_spellings_of_an_address_have_one_key(spellings):
    try:
        address, other = map(recipients.normalise, spellings)
    except ValueError:
        return

    event("accepted")
    assert (
        other == address.swapcase().rpartition("@")[0] + address[address.rindex("@") :]
    )
    assert recipients.key(other) == recipients.key(address)


ADDRESSES = st.builds(
    "{}@{}.com".format, st.text("ab", min_size=1), st.text("xy", min_size=1)
)


@given(
    ADDRESSES,
    ADDRESSES,
    st.sampled_from([" ", "", ",", ";", "<", ">", " <", "\n", "?"]),
)
def test_a_text_with_two_addresses_is_refused(one, other, between):
    for typed in (f"{one}{between}{other}", f"{one}{between}<{other}>"):
        for text in (typed, f"mailto:{typed}", f"Ann <{typed}>", f"<{typed}"):
            with pytest.raises(ValueError, match=r"."):
                recipients.normalise(text)


def test_the_key_folds_the_case_of_the_local_part():
    assert recipients.key("Ann@example.com") == recipients.key("aNN@example.com")


SPELLINGS = {"kim@example.com": True, "KIM@Example.com": True}
SPELLINGS |= {"\N{KELVIN SIGN}im@example.com": False, "kim@example.org": False}


@pytest.mark.parametrize(("text", "is_spelling"), SPELLINGS.items())
def test_a_vendor_may_write_an_address_in_another_case_only(text, is_spelling):
    assert recipients.is_spelling(text, "kim@example.com") == is_spelling


def test_tags_and_dots_stay():
    assert recipients.key("a.nn+x@example.com") == "a.nn+x@example.com"


def test_the_masked_address_shows_one_letter_and_the_domain():
    assert recipients.masked("ann@example.com") == "a***@example.com"
