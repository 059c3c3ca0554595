"""Settings: from the environment, from dask's configuration, from `set_config`; workers of a cluster have them."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import dask
import pytest

import zarrds


@pytest.fixture(autouse=True)
def as_before():
    """Leave dask's configuration, and so the settings, as they were."""
    before = dict(dask.config.config.get("zarrds") or {})
    yield
    dask.config.config["zarrds"] = before


def test_set_config_and_dask_config_are_one() -> None:
    zarrds.set_config(threads=3)
    assert dask.config.get("zarrds.threads") == zarrds.get_config().threads == 3
    with dask.config.set({"zarrds.threads": 5, "zarrds.window-requests": 7}):
        assert (zarrds.get_config().threads, zarrds.get_config().window_requests) == (5, 7)
    assert zarrds.get_config().threads == 3
    with zarrds.config_context(threads=2), zarrds.config_context(attempts=4):
        assert (zarrds.get_config().threads, zarrds.get_config().attempts) == (2, 4)
    assert zarrds.get_config().threads == 3


def test_a_refused_setting_changes_nothing() -> None:
    before = zarrds.get_config()
    for wrong in ({"thread": 1}, {"attempts": 3, "threads": "many"}, {"threads": True}):
        with pytest.raises(zarrds.errors.ArgumentTypeError):
            zarrds.set_config(**wrong)
        assert zarrds.get_config() == before


@pytest.mark.parametrize("section", [{"thread": 1}, {"threads": "many"}])
def test_unknown_members_of_dask_config_are_ignored_with_a_warning(section) -> None:
    before = zarrds.get_config()
    with dask.config.set({"zarrds": section}):
        with pytest.warns(zarrds.errors.ConfigWarning, match=next(iter(section))):
            assert zarrds.get_config() == before
        assert zarrds.get_config() == before  # said once
    with dask.config.set({"zarrds": None}):
        assert dataclasses.asdict(zarrds.get_config()).keys() == dataclasses.asdict(before).keys()


def run(program: str, **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    return done.stdout.split()


def test_environment_yaml_and_what_is_set_before_dask(tmp_path) -> None:
    (tmp_path / "zarrds.yaml").write_text("zarrds:\n  attempts: 4\n  threads: 9\n")
    program = """
import sys, zarrds
zarrds.set_config(threads=3)
print("dask.config" in sys.modules, zarrds.get_config().threads, zarrds.get_config().window_bytes)
import dask.config
now = zarrds.get_config()
print(now.threads, now.attempts, now.concurrency, now.window_bytes, dask.config.get("zarrds.threads"))
"""
    found = run(
        program,
        DASK_CONFIG=str(tmp_path),
        ZARRDS_WINDOW_BYTES="1024",
        DASK_ZARRDS__CONCURRENCY="5",
        ZARRDS_ATTEMPTS="2",
    )
    assert found == ["False", "3", "1024", "3", "4", "5", "1024", "3"]


def test_a_wrong_environment_names_the_variable() -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run("import zarrds; zarrds.get_config()", ZARRDS_THREADS="many")
    assert "ZARRDS_THREADS" in caught.value.stderr


@pytest.mark.slow
def test_workers_have_the_settings_of_their_client() -> None:
    distributed = pytest.importorskip("distributed")
    zarrds.set_config(threads=3)
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        assert set(client.run(lambda: zarrds.get_config().threads).values()) == {3}
        client.run(zarrds.set_config, threads=2)
        assert set(client.run(lambda: zarrds.get_config().threads).values()) == {2}
