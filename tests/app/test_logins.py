import asyncio
import time

import pytest

from app import logins
from app.logins import Logins, read_logins

SOURCES = [
    # nobody
    ([], None, None, {}),
    # the command line; a password may hold colons and spaces
    (["anna:a:b c", "bert:2"], None, None, {"anna": "a:b c", "bert": "2"}),
    # a file, with empty lines, a byte order mark and the line ends of Windows
    ([], "\ufeffanna:1\r\n\r\nbert:ü\r\n", None, {"anna": "1", "bert": "ü"}),
    # the environment, and all together
    ([], None, "anna:1\nbert:2", {"anna": "1", "bert": "2"}),
    (["a:1"], "b:2\n", "c:3", {"a": "1", "b": "2", "c": "3"}),
]


@pytest.mark.parametrize(("given", "file", "environment", "expected"), SOURCES)
def test_where_passwords_come_from(given, file, environment, expected, tmp_path):
    if file is not None:
        (tmp_path / "logins").write_bytes(file.encode())
    assert read_logins(given, file and str(tmp_path / "logins"), environment) == expected


MISTAKES = [
    (["hidden"], None, None, "--auth: expected NAME:PASSWORD"),
    ([":hidden"], None, None, "--auth: expected"),
    (["hidden:"], None, None, "--auth: expected"),
    ([], b"anna:1\nhidden\n", None, "line 2: expected NAME:PASSWORD"),
    # a source with nobody in it must not open the page to everyone
    ([], b"\n", None, "holds no line NAME:PASSWORD"),
    ([], None, "", "FER_AUTH: holds no line NAME:PASSWORD"),
    ([], b"anna:\xff", None, "UTF-8"),
]


@pytest.mark.parametrize(("given", "file", "environment", "message"), MISTAKES)
def test_mistakes_are_told_without_the_password(given, file, environment, message, tmp_path):
    if file is not None:
        (tmp_path / "logins").write_bytes(file)
    with pytest.raises(ValueError, match=message) as error:
        read_logins(given, file and str(tmp_path / "logins"), environment)
    assert "hidden" not in str(error.value)


def test_a_file_that_is_missing(tmp_path):
    with pytest.raises(ValueError, match="no: No such file"):
        read_logins([], str(tmp_path / "no"), None)


@pytest.fixture
def delays(monkeypatch) -> list[float]:
    """The delays of wrong answers, which are not waited for."""
    waited, sleep = [], asyncio.sleep

    async def note(seconds: float) -> None:
        waited.append(seconds)
        await sleep(0)

    monkeypatch.setattr(logins.asyncio, "sleep", note)
    return waited


CHECKS = [("anna", "secret", True), ("anna", "wrong", False), ("anna", "", False), ("bert", "", False)]
CHECKS += [("bert", "secret", False), ("", "", False), ("anna", "s\u00e9cret", False)]


@pytest.mark.parametrize(("name", "password", "expected"), CHECKS)
def test_who_may_enter(delays, name, password, expected):
    assert asyncio.run(Logins({"anna": "secret"}).check(name, password)) is expected
    assert delays == ([] if expected else [0.5])


@pytest.mark.parametrize("name", ["anna", "nobody"])
def test_wrong_passwords_are_answered_later_each_time(delays, name):
    doors = Logins({"anna": "secret", "bert": "other"})

    async def guess() -> None:
        for i in range(7):
            await doors.check(name, str(i))
        assert await doors.check("bert", "other")  # others are not slower for it
        await doors.check("anna", "secret")
        await doors.check("anna", "x")

    asyncio.run(guess())
    assert delays == [0.5, 1, 2, 4, 8, 10, 10, 0.5]


def test_guesses_at_once_wait_for_one_another():
    doors = Logins({"anna": "secret", "bert": "other"})

    async def guess() -> tuple[float, float]:
        begin = time.monotonic()
        wrong = [asyncio.create_task(doors.check("anna", "x")) for _ in range(2)]
        await asyncio.sleep(0.05)
        assert await doors.check("bert", "other")
        other = time.monotonic() - begin
        await asyncio.gather(*wrong)
        return other, time.monotonic() - begin

    other, all_of_them = asyncio.run(guess())
    assert other < 0.4 and all_of_them >= 1.5


def test_wrong_names_are_forgotten_and_right_ones_are_not(delays, monkeypatch):
    monkeypatch.setattr(logins, "NAMES", 3)
    doors = Logins({"anna": "secret"})

    async def guess() -> None:
        for name in ("anna", "a", "b", "c", "d", "a", "anna"):
            await doors.check(name, "x")

    asyncio.run(guess())
    assert delays == [0.5] * 6 + [1]
