"""S3 behind a proxy that loses, cuts, delays and repeats: results are exact, or errors say what failed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult

import fsspec
import numpy as np
import pytest
from fsspec.implementations.dirfs import DirFileSystem

import zarrds
from tests.faults.toxic import KINDS, Asked, Proxy, ever, once, some_of, toxic
from tests.servers import S3
from zarrds.errors import StoreConnectionError, StoreError, ZarrdsError
from zarrds.storage import FSStore, ObstoreStore, Store

pytestmark = [pytest.mark.service, pytest.mark.usefixtures("waits")]

DATA = np.arange(1, 241).reshape(24, 10)
# values of a URL go through obstore, so that one of both is enough in the default suite
CLIENTS = pytest.mark.parametrize(
    "client", ["url", *[pytest.param(name, marks=pytest.mark.slow) for name in ("s3fs", "obstore")]]
)
"""A URL, whose values go through obstore; the same through s3fs alone; an object of obstore."""
PASSING = [kind for kind in KINDS if kind != "shorten"]
SILENT = "shorten"
"""What no client can notice: a whole value that is cut, with a length that fits."""


@dataclass(frozen=True)
class Places:
    """One place in S3, as it is and behind a proxy."""

    s3: S3
    behind: S3
    bucket: str
    proxy: Proxy

    @property
    def bucket_name(self) -> str:
        return self.bucket.removeprefix("s3://")

    @property
    def direct(self) -> FSStore:
        return FSStore(f"{self.bucket}/root", **self.s3.options)

    def store(self, client: str) -> Store:
        if client != "obstore":
            with zarrds.config_context(transport="fsspec" if client == "s3fs" else "obstore"):
                return FSStore(f"{self.bucket}/root", **self.behind.options)
        return ObstoreStore(self.quick_obstore())

    def quick_obstore(self) -> Any:
        from datetime import timedelta

        from obstore.store import S3Store

        wait = timedelta(milliseconds=1)
        return S3Store(
            self.bucket_name,
            prefix="root",
            endpoint=self.behind.address,
            access_key_id="dummy-key",
            secret_access_key="dummy-secret",
            region="us-east-1",
            client_options={"allow_http": True},
            retry_config={"max_retries": 9, "backoff": {"init_backoff": wait, "max_backoff": wait, "base": 2}},
        )


@pytest.fixture
def places(s3: S3) -> Iterator[Places]:
    with toxic(s3.address) as proxy:
        yield Places(s3, S3(proxy.address, s3.asked), s3.bucket(f"b{uuid.uuid4().hex[:12]}"), proxy)


# --- listings ---------------------------------------------------------------------------------------------------------


@CLIENTS
def test_listings_are_repeated_page_by_page(client: str, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"g/{number:03}" for number in range(60)]
    places.direct.set_many([(name, b"x") for name in names])
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "3")
    store = places.store(client)
    for ask in (lambda: sorted(store.keys_below()), lambda: ["g/" + name for name in store.listdir("g")]):
        places.proxy.plan = lambda asked: None
        places.proxy.forget()
        assert ask() == names
        pages = len(places.proxy.asked)
        assert pages >= 20
        places.proxy.forget()
        places.proxy.plan = some_of(0.3, ["503"], ignore=places.bucket_name)
        assert ask() == names
        assert len(places.proxy.asked) == pages + len(places.proxy.done)
        assert pages * 1.1 < len(places.proxy.asked) < pages * 2


@pytest.mark.parametrize("kind", ["503", "lose request", "lose reply", "cut head", "cut body", "shorten"])
def test_listings_that_fail_are_errors(kind: str, places: Places) -> None:
    places.direct.set_many([(f"g/{number}", b"x") for number in range(9)])
    store = places.store("s3fs")
    places.proxy.plan = ever(kind)
    for ask in (lambda: list(store), lambda: store.listdir("g"), lambda: store.getsize("g"), lambda: store.rmdir("g")):
        with zarrds.config_context(attempts=3), pytest.raises(StoreError) as caught:
            pytest.fail(f"gave {ask()}")
        assert caught.value.attempts == 3
        assert "in 3 attempts" in str(caught.value)
    assert len(places.direct) == 9


# --- values -----------------------------------------------------------------------------------------------------------

OPTIONS: dict[str, dict[str, Any]] = {
    "v2": {"zarr_format": 2, "chunks": (5, 10)},
    "v3": {"zarr_format": 3, "chunks": (5, 10)},
    "shards": {"zarr_format": 3, "chunks": (2, 10), "shards": (4, 10)},
}
LAYOUTS = pytest.mark.parametrize("layout", ["v2", "shards", pytest.param("v3", marks=pytest.mark.slow)])
"""Shards are of Zarr v3: what it adds is in the default suite with them."""


@CLIENTS
@LAYOUTS
def test_faults_that_pass_change_nothing(client: str, layout: str, places: Places) -> None:
    places.proxy.plan = some_of(0.2, PASSING, seed=3, ignore=places.bucket_name)
    store = places.store(client)
    z = zarrds.open_array(store, mode="w", shape=(20, 10), dtype=DATA.dtype, **OPTIONS[layout])
    z[:] = DATA[:20]
    z.append(DATA[20:])
    z[3:7, 2:4] = -DATA[3:7, 2:4]
    z.attrs["title"] = "toxic"
    expected = DATA.copy()
    expected[3:7, 2:4] *= -1
    np.testing.assert_array_equal(zarrds.open_array(store, mode="r")[:], expected)
    stored = zarrds.open_array(places.direct, mode="r")
    np.testing.assert_array_equal(stored[:], expected)
    assert stored.attrs.asdict()["title"] == "toxic"
    asked = places.proxy.asked
    assert sum(places.proxy.plan(one) is not None for one in asked) > len(asked) / 20


@CLIENTS
@pytest.mark.parametrize("kind", KINDS)
def test_the_first_answer_to_each_request_fails(client: str, kind: str, places: Places) -> None:
    store = places.store(client)
    if kind != SILENT:
        places.proxy.plan = once(kind)
    z = zarrds.open_array(store, mode="w", shape=DATA.shape, dtype=DATA.dtype, chunks=(6, 10), compressor=None)
    z[:] = DATA
    places.proxy.forget()
    places.proxy.plan = once(kind)
    try:
        found = zarrds.open_array(store, mode="r")[:]
    except ZarrdsError:
        assert kind == SILENT
    else:
        np.testing.assert_array_equal(found, DATA)
    assert zarrds.open_array(places.direct, mode="r")[:].tolist() == DATA.tolist()


@pytest.mark.parametrize(
    ("act", "kind"),
    [  # each act, and each kind, at least once in the default suite
        pytest.param(act, kind, marks=() if kind == "503" or act == "get" else pytest.mark.slow)
        for act in ("get", "range", "set", "set_if", "delete")
        for kind in ("503", "lose request", "lose reply", "cut head", "cut body")
    ],
)
def test_what_never_answers_is_asked_a_bounded_number_of_times(kind: str, act: str, places: Places) -> None:
    """One try is one request; the HTTP client sends it twice where the connection is lost (see docs/stores.md)."""
    places.direct["k"] = b"0123456789"
    store = places.store("s3fs")
    acts: dict[str, Any] = {
        "get": lambda: store["k"],
        "range": lambda: store.get_many([("k", zarrds._base.types.ByteRange(2, 5))]),
        "set": lambda: store.set_many([("k", b"new")]),
        "set_if": lambda: store.set_if("k", b"new", b"0123456789"),
        "delete": lambda: store.delete_many(["k"]),
    }
    assert len(store["k"]) == 10
    assert store.can_set_if
    places.proxy.forget()
    places.proxy.plan = ever(kind)
    if kind == "cut body" and act in ("set", "delete"):
        return  # their answers have no body
    with zarrds.config_context(attempts=4), pytest.raises(StoreError) as caught:
        pytest.fail(f"gave {acts[act]()}")
    assert (caught.value.attempts, caught.value.key) == (4, "k")
    assert "in 4 attempts" in str(caught.value)
    assert 4 <= len(places.proxy.asked) <= 8
    assert places.direct.get_many([("k", None)])[0] in (b"0123456789", b"new", None)


def test_a_given_file_system_sends_no_more_and_stays_as_it_is(places: Places) -> None:
    fs = fsspec.filesystem("s3", **places.behind.options)
    kept = (fs.retries, dict(fs.config_kwargs))
    stores = [
        FSStore(f"{places.bucket}/root", fs=fs),
        FSStore(f"{places.bucket}/root", **places.behind.options),
        zarrds.storage.as_store(fs.get_mapper(f"{places.bucket}/root")),
        FSStore("root", fs=DirFileSystem(places.bucket.removeprefix("s3://"), fs)),
    ]
    assert FSStore(f"{places.bucket}/root", fs=fs).fs == fs
    places.proxy.plan = ever("503")
    for store in stores:
        places.proxy.forget()
        with zarrds.config_context(attempts=2), pytest.raises(StoreError):
            store["k"]
        assert len(places.proxy.asked) == 2
    assert (fs.retries, dict(fs.config_kwargs)) == kept


def test_nobody_listens(s3: S3, waits: list[float]) -> None:
    url = "http://127.0.0.1:9"
    nowhere = {**s3.options, "client_kwargs": {"endpoint_url": url}}
    with pytest.raises(StoreConnectionError) as caught:
        zarrds.open_array("s3://b/root", mode="r", storage_options=nowhere)
    attempts = zarrds.get_config().connect_attempts
    assert caught.value.attempts == attempts
    assert len(waits) == attempts - 1  # and nobody else has waited
    assert sum(waits) < 4
    assert url in str(caught.value)
    assert "endpoint_url" in str(caught.value)


# --- conditional writes -----------------------------------------------------------------------------------------------


@CLIENTS
@pytest.mark.parametrize(
    ("before", "kind"),
    [  # what passes through unharmed, or is refused at once, is the same whatever was there before
        pytest.param(before, kind, marks=() if before or kind in ("lose reply", "repeat") else pytest.mark.slow)
        for before in (None, b"old")
        for kind in PASSING
    ],
)
def test_conditional_writes_whose_answer_fails(client: str, kind: str, before: bytes | None, places: Places) -> None:
    store = places.store(client)
    if before is not None:
        places.direct["k"] = before
    places.proxy.plan = once(kind, "PUT")
    assert store.set_if("k", b"new", before)
    assert places.direct["k"] == b"new"
    assert not store.set_if("k", b"newer", before)
    assert places.direct["k"] == b"new"


@CLIENTS
def test_a_lost_answer_is_not_taken_for_a_lost_race(client: str, places: Places) -> None:
    """Others may replace the object before the writer whose answer was lost asks again."""
    store, other = places.store(client), places.direct
    other["k"] = b"0"
    assert store.can_set_if  # the service was asked before the plan begins
    assert other.can_set_if
    places.proxy.forget()

    def plan(asked: Asked) -> str | None:
        return "lose reply" if asked.method == "PUT" and not asked.before else None

    # the second writer comes between the lost answer and the repeat: at the next request of the first one
    done: list[bool] = []

    def between(asked: Asked) -> str | None:
        if any(one.method == "PUT" for one in places.proxy.asked[:-1]) and not done:
            done.append(other.set_if("k", b"second", b"first"))
        return plan(asked)

    places.proxy.plan = between
    assert store.set_if("k", b"first", b"0")
    assert done == [True]
    assert other["k"] == b"second"


@CLIENTS
@LAYOUTS
def test_appends_whose_answers_are_lost_are_there_once(client: str, layout: str, places: Places) -> None:
    zarrds.open_array(places.direct, mode="w", shape=(0, 10), dtype=DATA.dtype, **OPTIONS[layout])
    z = zarrds.open_array(places.store(client), mode="r+")
    places.proxy.plan = once("lose reply", "PUT")
    for first in range(0, 24, 6):
        z.append(DATA[first : first + 6])
        zarrds.open_array(places.direct, mode="r+").append(-DATA[first : first + 6])
        z = zarrds.open_array(places.store(client), mode="r+")
    found = zarrds.open_array(places.direct, mode="r")[:]
    assert sorted(found[:, 0].tolist()) == sorted([*DATA[:, 0], *-DATA[:, 0]])


# --- services that ignore conditions ----------------------------------------------------------------------------------

CONDITIONS = ("if-match", "if-none-match")


@CLIENTS
def test_a_service_is_asked_once_whether_it_obeys_conditions(client: str, places: Places) -> None:
    for number in range(3):
        store = places.store(client)
        assert store.set_if("k", b"%d" % number, None if number == 0 else b"%d" % (number - 1))
        assert not store.set_if("k", b"other", b"other than it is")
    asked = [one for one in places.proxy.asked if ".zarrds-conditions" in one.target]
    assert [one.method for one in asked if one.method != "DELETE"] == ["PUT"] * 3
    assert list(places.direct) == ["k"]


@CLIENTS
def test_a_service_of_amazon_is_asked_with_one_request(
    client: str, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "zarrds._store.backends.conditions.urlsplit", lambda url: SplitResult("", "s3.amazonaws.com", "", "", "")
    )
    assert places.store(client).can_set_if
    assert [one.method for one in places.proxy.asked if ".zarrds-conditions" in one.target] == ["PUT"]


@CLIENTS
def test_a_service_that_ignores_if_none_match_alone_is_not_trusted(client: str, places: Places) -> None:
    places.proxy.ignored = ("if-none-match",)
    store = places.store(client)
    with pytest.warns(UserWarning, match="ignores the header If-None-Match.*synchronizer"):
        assert not store.can_set_if
    assert not places.store(client).can_set_if
    with pytest.raises(StoreError, match="compared and set in one step"):
        store.set_if("k", b"new", None)
    assert list(places.direct) == []


def test_who_may_not_delete_leaves_what_nobody_takes_for_data(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    store = places.store("s3fs")

    def denied(keys: Any) -> None:
        raise StoreError("denied")

    with monkeypatch.context() as patched:
        patched.setattr(store, "delete_many", denied)
        assert store.can_set_if
    (left,) = places.direct
    assert left.startswith(".zarrds-conditions-")
    zarrds.open_array(places.direct, mode="w", shape=3)  # no foreign file
    zarrds.open_array(places.direct, mode="w", shape=3)
    assert zarrds.open_array(places.direct, mode="r").shape == (3,)


@CLIENTS
def test_reading_asks_nothing_of_the_kind(client: str, places: Places) -> None:
    zarrds.open_array(places.direct, mode="w", shape=4, dtype="i4")[:] = 1
    places.proxy.forget()
    assert zarrds.open_array(places.store(client), mode="r")[:].tolist() == [1, 1, 1, 1]
    assert not any("conditions" in one.target or one.method == "PUT" for one in places.proxy.asked)


@CLIENTS
def test_a_service_that_ignores_conditions_is_not_trusted(client: str, places: Places) -> None:
    places.proxy.ignored = CONDITIONS
    store = places.store(client)
    with pytest.warns(UserWarning, match="ignores the header If-Match.*synchronizer"):
        assert not store.can_set_if
    assert not places.store(client).can_set_if  # known by now: no second warning, as warnings are errors here
    with pytest.raises(StoreError, match="compared and set in one step"):
        store.set_if("k", b"new", None)
    assert list(places.direct) == []
    assert [one.method for one in places.proxy.asked if one.method in ("PUT", "DELETE", "POST")] in (
        ["PUT", "DELETE"],
        ["PUT", "POST"],
    )


@CLIENTS
@LAYOUTS
def test_one_appender_at_a_time_where_conditions_are_ignored(client: str, layout: str, places: Places) -> None:
    places.proxy.ignored = CONDITIONS
    z = zarrds.open_array(places.store(client), mode="w", shape=(0, 10), dtype=DATA.dtype, **OPTIONS[layout])
    with pytest.warns(UserWarning, match="one writer"):
        z.append(DATA[:6])
    for first in range(6, 24, 6):
        z.append(DATA[first : first + 6])
    z.attrs["title"] = "toxic"
    found = zarrds.open_array(places.direct, mode="r")
    assert (found[:].tolist(), found.attrs["title"]) == (DATA.tolist(), "toxic")


@pytest.mark.parametrize(("status", "trusted"), [(403, True), (412, True), (404, True), (501, False)])
def test_other_answers_to_the_question_about_conditions(
    status: int, trusted: bool, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    from botocore.exceptions import ClientError

    store = places.store("s3fs")
    assert isinstance(store, FSStore)
    answer = {"Error": {"Code": "NoSuchKey" if status == 404 else str(status)}}
    error = ClientError({**answer, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject")  # type: ignore[arg-type]

    async def refuse(*args: Any, **options: Any) -> Any:
        from s3fs.errors import translate_boto_error

        raise translate_boto_error(error)

    monkeypatch.setattr(store.fs, "_call_s3", refuse)
    monkeypatch.setattr(store, "delete_many", lambda keys: None)
    if trusted:
        assert store.can_set_if
    else:
        with pytest.warns(UserWarning, match="ignores"):
            assert not store.can_set_if
