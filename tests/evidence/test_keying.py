"""The keyed hashes of many texts are HMAC-SHA256, and a number's begins with its blind index."""

import hashlib
import hmac

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervise.cipher import Keyring
from supervise.evidence.keying import KeyedHashes


@settings(max_examples=25)
@given(st.lists(st.none() | st.text(), max_size=20), st.binary(min_size=1, max_size=64))
def test_each_hash_is_what_the_standard_library_makes_of_its_text(texts: list[str | None], key: bytes) -> None:
    expected = [text if text is None else hmac.new(key, text.encode(), hashlib.sha256).hexdigest() for text in texts]

    assert KeyedHashes(key).of(pa.array(texts, pa.string())).to_pylist() == expected


def test_a_number_keyed_among_many_has_its_blind_index(keyring: Keyring) -> None:
    numbers = [f"139{n:08d}" for n in range(5_000)]

    hashes = KeyedHashes(keyring.index_key).of(pa.array(numbers)).to_pylist()

    assert [text[:32] for text in hashes] == [keyring.blind_index(number) for number in numbers]


def test_a_key_that_is_longer_than_a_block_is_refused() -> None:
    with pytest.raises(ValueError, match="longer key"):
        KeyedHashes(b"k" * 65)
