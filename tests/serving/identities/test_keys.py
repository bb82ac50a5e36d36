"""A sealed name opens only for its own person, with the keys of one file that only its owner may read."""

from __future__ import annotations

import pytest

from serving.identities.keys import IdentityKeyProblem, IdentityKeys, NotOpened, new_keys, write_new_key

OLD, NEW = "ab" * 32, "cd" * 32


def key_file(folder, text, mode=0o600):
    path = folder / "identity.key"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_sealed_name_opens_for_its_person_only(tmp_path):
    keys = IdentityKeys.read(key_file(tmp_path, f"k1:{OLD}\n"))
    sealed = keys.seal(b"Sam Exampleton", "N00")
    assert keys.open(sealed, "N00", "k1") == b"Sam Exampleton"
    assert b"Exampleton" not in sealed
    for moved in (("N01", sealed), ("N00", sealed[:-1] + bytes([sealed[-1] ^ 1])), ("N00", b"short")):
        with pytest.raises(NotOpened):
            keys.open(moved[1], moved[0], "k1")


def test_the_same_name_sealed_twice_is_not_the_same():
    keys = new_keys()
    assert keys.seal(b"Sam", "N00") != keys.seal(b"Sam", "N00")


def test_the_first_key_seals_and_the_others_only_open(tmp_path):
    before = IdentityKeys.read(key_file(tmp_path, f"k1:{OLD}\n"))
    sealed = before.seal(b"Sam", "N00")
    both = IdentityKeys.read(key_file(tmp_path, f"k2:{NEW}\nk1:{OLD}\n"))
    assert (both.current, both.open(sealed, "N00", "k1")) == ("k2", b"Sam")
    alone = IdentityKeys.read(key_file(tmp_path, f"k2:{NEW}\n"))
    with pytest.raises(NotOpened, match="holds no key k1"):
        alone.open(sealed, "N00", "k1")


@pytest.mark.parametrize(
    "text", ["", "no key at all", "k1:abcd", f"K 1:{OLD}", f"k1:{OLD}\nk1:{NEW}", f"{OLD}"], ids=range(6)
)
def test_a_key_file_that_is_wrong_says_what_it_should_hold_and_never_a_key(tmp_path, text):
    with pytest.raises(IdentityKeyProblem) as found:
        IdentityKeys.read(key_file(tmp_path, text))
    assert "<key id>:<64 hex digits>" in str(found.value) and OLD not in str(found.value)


def test_a_key_file_that_everybody_may_read_is_refused(tmp_path):
    with pytest.raises(IdentityKeyProblem, match="chmod 600"):
        IdentityKeys.read(key_file(tmp_path, f"k1:{OLD}\n", mode=0o604))


def test_a_new_key_file_is_its_owners_and_one_that_is_there_stays(tmp_path):
    path = tmp_path / "identity.key"
    write_new_key(path)
    first = path.read_text()
    write_new_key(path)
    assert path.read_text() == first and path.stat().st_mode & 0o777 == 0o600
    assert "secrets" not in repr(IdentityKeys.read(path))
