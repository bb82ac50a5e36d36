"""A draft is sealed with a key that is not in the database, and opens for nothing but what it is about."""

from __future__ import annotations

import stat

from serving.drafts.sealing import KEY_FILE, Sealer


def test_what_was_sealed_is_opened_again_also_after_a_restart(tmp_path):
    sealed = Sealer.of_home(tmp_path).seal("medicines: yes", "somebody\nN00")
    assert b"medicines" not in sealed
    assert Sealer.of_home(tmp_path).open(sealed, "somebody\nN00") == "medicines: yes"


def test_nothing_opens_for_another_person_with_another_key_or_after_a_change(tmp_path):
    (tmp_path / "other").mkdir()
    sealer = Sealer.of_home(tmp_path)
    sealed = sealer.seal("answers", "somebody\nN00")
    assert sealer.open(sealed, "somebody\nN01") is None
    assert sealer.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), "somebody\nN00") is None
    assert sealer.open(b"", "somebody\nN00") is None
    assert Sealer.of_home(tmp_path / "other").open(sealed, "somebody\nN00") is None


def test_only_the_account_of_the_service_reads_the_key(tmp_path):
    Sealer.of_home(tmp_path)
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE], "nothing is left beside"


def test_a_home_that_cannot_be_written_still_seals_for_as_long_as_the_service_runs(tmp_path):
    sealer = Sealer.of_home(tmp_path / "absent")
    assert sealer.open(sealer.seal("answers", "N00"), "N00") == "answers"
