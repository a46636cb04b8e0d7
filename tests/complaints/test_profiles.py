import pytest
from sqlalchemy.orm import Session

from supervise.complaints.fields import FIELD_NAMES
from supervise.complaints.models import Channel, ImportProfile
from supervise.complaints.profiles import (
    EmptyMappingError,
    ProfileNameTakenError,
    RetiredProfileError,
    UnknownFieldError,
    mapping_of,
    profile_versions,
    profiles_in_use,
    retire_profile,
    save_profile,
)
from supervise.errors import NotFoundError
from supervise.files.mapping import ColumnMapping
from supervise.phone import NumberingPlan


def test_every_channel_of_files_has_a_profile_that_contradicts_nothing(session: Session) -> None:
    profiles = profiles_in_use(session)

    assert {profile.channel for profile in profiles} == set(Channel) - {Channel.WALK_IN}
    for profile in profiles:
        mapping = mapping_of(profile)
        assert set(mapping.fields) <= set(FIELD_NAMES)
        assert mapping.required


def test_a_12321_export_is_recognised_in_any_order_of_its_columns(session: Session) -> None:
    [profile] = [one for one in profiles_in_use(session) if one.code == "12321"]

    columns = mapping_of(profile).columns(["举报描述", "来电时间", "通话时长", "被举报号码", "举报人号码", "转办编号"])

    assert columns.places["caller_number"] == 3
    assert columns.places["number"] == 4
    assert columns.places["external_ref"] == 5
    assert columns.unused == []


def test_a_saved_mapping_is_a_new_profile_and_its_change_a_new_version(session: Session) -> None:
    first = ColumnMapping({"caller_number": ("From",)}, plan=NumberingPlan.OTHER)
    saved = save_profile(session, name="FTC", channel=Channel.REPORT_12321, mapping=first, actor_id=7)

    second = ColumnMapping({"caller_number": ("Caller",)}, plan=NumberingPlan.OTHER)
    changed = save_profile(
        session, name="FTC", channel=Channel.REPORT_12321, mapping=second, actor_id=7, code=saved.code
    )

    assert (saved.version, changed.version) == (1, 2)
    assert [one.version for one in profile_versions(session, saved.code)] == [2, 1]
    in_use = [one for one in profiles_in_use(session) if one.code == saved.code]
    assert in_use == [changed]
    assert mapping_of(changed).plan is NumberingPlan.OTHER


def save(session: Session, *, plan: NumberingPlan = NumberingPlan.CHINA, actor_id: int = 7) -> ImportProfile:
    mapping = ColumnMapping({"content": ("内容",)}, plan=plan)
    return save_profile(session, name="地市台账", channel=Channel.HOTLINE, mapping=mapping, actor_id=actor_id)


def test_who_maps_a_file_again_under_the_same_name_makes_the_next_version(session: Session) -> None:
    wrong = save(session)

    right = save(session, plan=NumberingPlan.OTHER)

    assert (right.code, right.version) == (wrong.code, 2)
    assert [one for one in profiles_in_use(session) if one.name == "地市台账"] == [right]


def test_a_colleagues_profile_is_not_replaced_by_its_name(session: Session) -> None:
    theirs = save(session, actor_id=8)

    with pytest.raises(ProfileNameTakenError):
        save(session)

    assert theirs.retired_at is None


def test_two_profiles_of_one_name_have_two_codes_once_the_first_is_retired(session: Session) -> None:
    first = save(session)
    retire_profile(session, first.id, actor_id=7)

    second = save(session)

    assert (second.version, second.code == first.code) == (1, False)


def test_a_mapping_without_substance_is_refused(session: Session) -> None:
    with pytest.raises(EmptyMappingError):
        save_profile(session, name="x", channel=Channel.MEDIA, mapping=ColumnMapping({"region": ("地区",)}), actor_id=7)


def test_a_field_that_complaints_do_not_have_is_refused(session: Session) -> None:
    mapping = ColumnMapping({"content": ("内容",), "salary": ("工资",)})

    with pytest.raises(UnknownFieldError):
        save_profile(session, name="x", channel=Channel.MEDIA, mapping=mapping, actor_id=7)


def test_a_profile_retires_once(session: Session) -> None:
    profile = profiles_in_use(session)[0]
    retire_profile(session, profile.id, actor_id=7)

    assert profile not in profiles_in_use(session)
    with pytest.raises(RetiredProfileError):
        retire_profile(session, profile.id, actor_id=7)


def test_an_unknown_profile_is_not_found(session: Session) -> None:
    with pytest.raises(NotFoundError):
        retire_profile(session, 999_999, actor_id=7)
