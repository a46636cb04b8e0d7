"""The keyed hashes of many texts, made where Python's lock does not hold up what is read beside.

``Keyring.blind_index`` makes the same of one text: its 32 digits are the first half of the hash.
"""

import functools

import duckdb
import pyarrow as pa

#: HMAC (RFC 2104) over SHA-256 takes in its key as a block of so many bytes, changed in two ways.
_BLOCK_BYTES = 64
_INNER, _OUTER = 0x36, 0x5C
_HASHES = "SELECT sha256($outer || unhex(sha256($inner || text))) AS hash FROM texts"


class KeyedHashes:
    """HMAC-SHA256 under *key* (at most 64 bytes); for one thread at a time."""

    def __init__(self, key: bytes) -> None:
        if len(key) > _BLOCK_BYTES:
            raise ValueError("a longer key would have to be hashed first")
        block = key.ljust(_BLOCK_BYTES, b"\0")
        self._keys = {"inner": bytes(byte ^ _INNER for byte in block), "outer": bytes(byte ^ _OUTER for byte in block)}

    @functools.cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        # In one thread the answers come in the order of the texts.
        return duckdb.connect(":memory:", config={"threads": 1})

    def of(self, texts: pa.Array) -> pa.Array:
        """Return the hash of each text, 64 hex digits; NULL for NULL."""
        self._connection.register("texts", pa.table({"text": texts.cast(pa.binary())}))
        answer: pa.Array = self._connection.sql(_HASHES, params=self._keys).to_arrow_table()["hash"].combine_chunks()
        return answer
