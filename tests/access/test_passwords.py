"""What a password must be, and that no answer tells whether a user exists."""

import pytest

from supervise.access.passwords import Passwords, WeakPasswordError, check_strength, initial_password
from supervise.labels import use_locale

CHEAP = Passwords(rounds=1, memory_kib=8)


def test_a_password_fits_its_hash_and_no_other_does() -> None:
    stored = CHEAP.hash("correct horse battery")

    assert stored.startswith("$argon2id$")
    assert CHEAP.matches(stored, "correct horse battery")
    assert not CHEAP.matches(stored, "correct horse batterz")


def test_full_width_letters_of_a_chinese_keyboard_are_the_same_password() -> None:
    assert CHEAP.matches(CHEAP.hash("passphrase-2026"), "ｐａｓｓｐｈｒａｓｅ－２０２６")


def test_without_a_user_a_hash_is_computed_all_the_same_and_never_fits() -> None:
    assert not CHEAP.matches(None, "correct horse battery")


def test_a_damaged_hash_fits_nothing() -> None:
    assert not CHEAP.matches("not a hash", "correct horse battery")


def test_a_hash_of_another_cost_is_outdated() -> None:
    dearer = Passwords(rounds=2, memory_kib=8)

    assert dearer.is_outdated(CHEAP.hash("correct horse battery"))
    assert not CHEAP.is_outdated(CHEAP.hash("correct horse battery"))


@pytest.mark.parametrize("password", ["correct horse battery", "客户 服务 第一 二零二六 年", "x1!x2!y3?z4?"])
def test_a_long_password_of_several_characters_is_taken(password: str) -> None:
    check_strength(password, "wang")


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("elevenchars", "at least 12"),
        ("x" * 129, "at most 128"),
        ("Wang-secret-2026", "user name"),
        ("abababababab", "different characters"),
    ],
)
def test_a_weak_password_is_refused_with_the_reason(password: str, why: str) -> None:
    with pytest.raises(WeakPasswordError) as refusal:
        check_strength(password, "wang")

    assert refusal.value.status == 422
    with use_locale("en"):
        assert why in str(refusal.value)


def test_initial_passwords_are_strong_and_never_the_same() -> None:
    made = {initial_password() for _ in range(50)}

    assert len(made) == 50
    for password in made:
        check_strength(password, "wang")
