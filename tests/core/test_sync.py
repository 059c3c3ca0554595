"""Synchronizers: concurrent writers of parts of the same chunks, and appenders, lose nothing."""

from __future__ import annotations

import multiprocessing
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zarrds
from zarrds.sync import DistributedSynchronizer, ProcessSynchronizer, ThreadSynchronizer

LENGTH, WRITERS = 60, 4


def write_comb(z: Any, start: int) -> None:
    """Write every fourth element, one by one: each writer touches every chunk."""
    for index in range(start, LENGTH, WRITERS):
        z[index] = index + 1


def append_numbers(z: Any, start: int, count: int) -> None:
    for number in range(start, start + count):
        z.append([number])


def write_in_process(folder: str, locks: str, start: int) -> None:
    write_comb(zarrds.open_array(folder, mode="r+", synchronizer=ProcessSynchronizer(locks)), start)


def append_in_process(folder: str, locks: str, start: int, count: int) -> None:
    append_numbers(zarrds.open_array(folder, mode="r+", synchronizer=ProcessSynchronizer(locks)), start, count)


def in_processes(function: Any, *arguments: tuple[Any, ...]) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=function, args=args) for args in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
    assert [process.exitcode for process in processes] == [0] * len(processes)


class Meeting:
    """A synchronizer that counts how many hold the lock of one key at once, around another."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.inside, self.most = inner, dict[str, int](), 0

    def __getitem__(self, key: str) -> Any:
        return _Guard(self, key)


class _Guard:
    def __init__(self, meeting: Meeting, key: str) -> None:
        self.meeting, self.key, self.lock = meeting, key, meeting.inner[key]

    def __enter__(self) -> None:
        self.lock.__enter__()
        inside = self.meeting.inside
        inside[self.key] = inside.get(self.key, 0) + 1
        self.meeting.most = max(self.meeting.most, inside[self.key])

    def __exit__(self, *error: Any) -> None:
        self.meeting.inside[self.key] -= 1
        self.lock.__exit__(*error)


@pytest.fixture(params=["thread", "process"])
def synchronizer(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return ThreadSynchronizer() if request.param == "thread" else ProcessSynchronizer(str(tmp_path / "locks"))


@pytest.mark.parametrize("store", [None, "folder"])
def test_threads_write_parts_of_the_same_chunks(synchronizer: Any, store: Any, tmp_path: Path) -> None:
    place = None if store is None else str(tmp_path / "z.zarr")
    meeting = Meeting(synchronizer)
    z = zarrds.zeros(LENGTH, chunks=20, dtype="i4", store=place, synchronizer=meeting)
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write_comb, [z] * WRITERS, range(WRITERS)))
    assert z[:].tolist() == list(range(1, LENGTH + 1))
    assert meeting.most == 1
    assert set(meeting.inside) == {"0", "1", "2"}


def test_threads_append(synchronizer: Any, tmp_path: Path) -> None:
    z = zarrds.zeros(0, chunks=7, dtype="i4", store=str(tmp_path / "z.zarr"), synchronizer=synchronizer)
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(append_numbers, [z] * WRITERS, [100 * n for n in range(WRITERS)], [25] * WRITERS))
    assert z.shape == (100,)
    assert sorted(z[:].tolist()) == [100 * n + k for n in range(WRITERS) for k in range(25)]


def test_each_opener_appends_to_what_the_others_left(tmp_path: Path) -> None:
    place, synchronizer = str(tmp_path / "z.zarr"), ProcessSynchronizer(str(tmp_path / "locks"))
    zarrds.zeros(2, chunks=3, dtype="i4", store=place)
    first, second = (zarrds.open_array(place, mode="r+", synchronizer=synchronizer) for _ in range(2))
    assert first.append([1, 2]) == (4,)
    assert second.append([3]) == (5,)
    assert first.append([4]) == (6,)
    assert zarrds.open_array(place)[:].tolist() == [0, 0, 1, 2, 3, 4]


def test_a_late_writer_of_a_new_chunk_keeps_what_others_appended_to_it() -> None:
    class Late(ThreadSynchronizer):
        def __getitem__(self, key: str) -> Any:
            if key == "1" and others:
                others.pop()()
            return super().__getitem__(key)

    store: dict[str, bytes] = {}
    zarrds.zeros(4, chunks=4, dtype="i4", store=store)
    others = [lambda: zarrds.open_array(store, mode="r+").append([2])]
    assert zarrds.open_array(store, mode="r+", synchronizer=Late()).append([1]) == (5,)
    assert zarrds.open_array(store)[:].tolist() == [0, 0, 0, 0, 1, 2]


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_appending_with_locks_along_any_axis(synchronizer: Any, axis: int) -> None:
    model = np.arange(35).reshape(5, 7)
    z = zarrds.array(model, chunks=(3, 4), synchronizer=synchronizer)
    for part in (model, model[:, :7] * 2):
        z.append(part, axis=axis)
    np.testing.assert_array_equal(z[:], np.concatenate([model, model, model * 2], axis=axis))


def test_attributes_set_by_threads(synchronizer: Any, tmp_path: Path) -> None:
    z = zarrds.zeros(1, store=str(tmp_path / "z.zarr"), synchronizer=synchronizer)
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(lambda n: z.attrs.update({f"a{n}": n}), range(40)))
    assert zarrds.open_array(str(tmp_path / "z.zarr")).attrs.asdict() == {f"a{n}": n for n in range(40)}


def test_a_write_takes_the_locks_of_its_chunks_alone() -> None:
    taken: list[str] = []

    class Listening(ThreadSynchronizer):
        def __getitem__(self, key: str) -> Any:
            taken.append(key)
            return super().__getitem__(key)

    z = zarrds.zeros((40, 40), chunks=10, path="a/b", synchronizer=Listening())
    taken.clear()
    z[5:15, 25:] = 1
    assert sorted(taken) == ["a/b/0.2", "a/b/0.3", "a/b/1.2", "a/b/1.3"]
    taken.clear()
    z[:]
    assert taken == []
    z.attrs["x"] = 1
    z.append(np.ones((1, 40)))
    assert taken[:2] == ["a/b/.zattrs", "a/b/.zarray"]


def test_processes_write_parts_of_the_same_chunks(tmp_path: Path) -> None:
    folder, locks = str(tmp_path / "z.zarr"), str(tmp_path / "locks")
    zarrds.zeros(LENGTH, chunks=30, dtype="i4", store=folder)
    in_processes(write_in_process, *((folder, locks, start) for start in range(2)))
    written = zarrds.open_array(folder)[:]
    expected = [n + 1 if n % WRITERS < 2 else 0 for n in range(LENGTH)]
    assert written.tolist() == expected


@pytest.mark.slow
def test_four_processes_append_250_times_each(tmp_path: Path) -> None:
    folder, locks = str(tmp_path / "z.zarr"), str(tmp_path / "locks")
    zarrds.zeros(0, chunks=64, dtype="i4", store=folder)
    in_processes(append_in_process, *((folder, locks, 1000 * n, 250) for n in range(4)))
    found = zarrds.open_array(folder)[:].tolist()
    assert sorted(found) == [1000 * n + k for n in range(4) for k in range(250)]
    for n in range(4):  # each process's own numbers are in its order
        own = [number for number in found if number // 1000 == n]
        assert own == sorted(own)


def test_pickled_thread_synchronizers_work_on_their_own() -> None:
    one = ThreadSynchronizer()
    one["a"]
    other = pickle.loads(pickle.dumps(one))
    assert isinstance(other, ThreadSynchronizer)
    with one["a"], other["a"]:
        pass


def test_pickled_process_synchronizers_lock_each_other(tmp_path: Path) -> None:
    one = ProcessSynchronizer(str(tmp_path / "locks"))
    other = pickle.loads(pickle.dumps(one))
    assert other == one
    assert hash(other) == hash(one)
    assert other.path == one.path
    reached = threading.Event()

    def enter() -> None:
        with other["a/0.0"]:
            reached.set()

    with one["a/0.0"]:
        thread = threading.Thread(target=enter)
        thread.start()
        assert not reached.wait(0.1)
    assert reached.wait(240)
    thread.join()
    assert (tmp_path / "locks" / "a" / "0.0").is_file()


def test_different_keys_do_not_wait_for_each_other(synchronizer: Any) -> None:
    with synchronizer["a"], synchronizer["b"]:
        pass


def test_locks_are_free_after_an_error(synchronizer: Any) -> None:
    z = zarrds.zeros(4, chunks=2, dtype=object, object_codec=zarrds.JSON(), synchronizer=synchronizer)
    with pytest.raises(TypeError):
        z[:] = [object()] * 4
    z[:] = 1
    assert z[:].tolist() == [1] * 4


def test_pickled_distributed_synchronizers_are_equal() -> None:
    one = DistributedSynchronizer("ocean")
    other = pickle.loads(pickle.dumps(one))
    assert other == one
    assert hash(other) == hash(one)
    assert other != DistributedSynchronizer("land")


def comb_on_worker(folder: str, start: int) -> None:
    write_comb(zarrds.open_array(folder, mode="r+", synchronizer=DistributedSynchronizer("comb")), start)


def append_on_worker(folder: str, start: int, count: int) -> None:
    append_numbers(zarrds.open_array(folder, mode="r+", synchronizer=DistributedSynchronizer("app")), start, count)


@pytest.mark.slow
def test_workers_of_a_cluster(cluster_client: Any, tmp_path: Path) -> None:
    folder = str(tmp_path / "z.zarr")
    zarrds.zeros(LENGTH, chunks=20, dtype="i4", store=folder)
    client = cluster_client
    client.gather([client.submit(comb_on_worker, folder, start, pure=False) for start in range(WRITERS)])
    assert zarrds.open_array(folder)[:].tolist() == list(range(1, LENGTH + 1))
    more = str(tmp_path / "more.zarr")
    zarrds.zeros(0, chunks=7, dtype="i4", store=more)
    client.gather([client.submit(append_on_worker, more, 100 * n, 10, pure=False) for n in range(WRITERS)])
    found = zarrds.open_array(more)[:].tolist()
    assert sorted(found) == [100 * n + k for n in range(WRITERS) for k in range(10)]
