"""Values that a stored encoding cannot express are refused before they are written; the others are taken."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import zarrds
from xarray_backend import open_zarrds, to_zarrds
from xarray_backend.exact import cast_exactly
from zarrds.errors import EncodingError

pytestmark = [
    pytest.mark.usefixtures("zarr_format"),
    pytest.mark.filterwarnings("ignore:saving variable:xarray.SerializationWarning"),
]


def series(values, **attrs):
    """A dataset of one variable."""
    return xr.Dataset({"v": ("t", np.asarray(values), attrs)})


def days(count=2, step="D", start="2000-01-01"):
    """Times one step apart."""
    return pd.date_range(start, periods=count, freq=step).values


def cftimes(count=2, calendar="noleap", step="D"):
    """Times of another calendar."""
    return xr.date_range("2000-01-01", periods=count, freq=step, calendar=calendar, use_cftime=True).values


IN_DAYS = {"units": "days since 2000-01-01", "dtype": "i8"}
LONG = {"units": "days", "dtype": "i8"}
PACKED = {"dtype": "i1", "scale_factor": 0.1, "add_offset": 5.0, "_FillValue": -128}
FILLED = {"dtype": "i4", "_FillValue": -1}

LOST = [
    # stored values, their encoding, values that do not fit, words of the error
    (days(), IN_DAYS, days(2, "6h", "2000-01-03"), "days since 2000-01-01.*hours"),
    (days(), IN_DAYS, days(2, "90min"), "minutes"),
    (days(), IN_DAYS, np.array([1, 2]), "'v' has numbers, but times are stored"),
    (days(), IN_DAYS, np.array([1, 2], "m8[D]"), "'v' has durations, but times"),
    (days(), {**IN_DAYS, "dtype": "i1"}, days(2, start="2001-01-01"), "'v'"),
    (days(), {**IN_DAYS, "dtype": "f4"}, days(2, "7s", "2023-01-01"), "days since 2000"),
    (days(), IN_DAYS, cftimes(), "days since 2000-01-01.*noleap"),
    (cftimes(), {"units": "days since 2000-01-01", "calendar": "noleap"}, cftimes(2, "360_day"), "noleap"),
    (
        cftimes(),
        {"units": "days since 2000-01-01", "calendar": "noleap"},
        cftimes(2, step="6h"),
        "days since 2000-01-01",
    ),
    (np.array([], "M8[ns]"), {}, days(2, "6h"), "days since 1970-01-01"),
    (np.array([1, 2], "m8[D]"), LONG, np.array([90], "m8[m]"), "'days'.*minutes"),
    (np.array([1, 2], "m8[D]"), LONG, np.array([1, 2]), "'v' has numbers, but durations"),
    (np.array([1, 2], "i1"), {}, np.array([300]), "int8.*300"),
    (np.array([1, 2], "u1"), {}, np.array([-1]), "uint8.*-1"),
    (np.array([1], "i4"), {}, np.array([2**40]), "int32"),
    (np.array([1], "i4"), {}, np.array([np.nan]), "int32.*nan"),
    (np.array([1], "i4"), {}, np.array([np.inf]), "int32.*inf"),
    (np.array([1], "i4"), {}, np.array([1.5]), "int32.*1.5"),
    (np.array([1.0], "f4"), {}, np.array([2**24 + 1]), "float32"),
    (np.array([1.0], "f8"), {}, np.array([2**53 + 1]), "float64"),
    (np.array([1.0], "f4"), {}, np.array([1e300]), "float32"),
    (np.array([1.0], "f4"), {}, np.array([1j]), "complex"),
    (np.array([1.0, np.nan]), FILLED, np.array([1.5]), "int32"),
    (np.array([1.0, np.nan]), FILLED, np.array([2.0**40]), "int32"),
    (np.array([5.0, 6.0]), PACKED, np.array([100.0]), "int8.*scale_factor 0.1"),
    (np.array([5.0, 6.0]), PACKED, np.array([np.inf]), "scale_factor"),
    (np.array([5.0, 6.0]), {"dtype": "i2", "scale_factor": 0.1}, np.array([np.nan]), "scale_factor"),
    (np.array([1, 2]), {}, np.array(["1"]), "'v' has texts, but numbers"),
    (np.array([1, 2]), {}, days(), "'v' has times, but numbers"),
    (np.array([1.0]), {}, np.array([1], "m8[s]"), "'v' has durations, but numbers"),
    (np.array(["a", "bb"]), {}, np.array(["long"]), "<U2.*long"),
    (np.array([b"a", b"bb"]), {}, np.array([b"long"]), "long"),
    (np.array(["a", "bb"]), {}, np.array([1]), "'v' has numbers, but texts"),
    (np.array(["a", "bb"]), {}, days(), "'v' has times, but texts"),
    (np.array([True]), {}, np.array([2]), "'v'"),
    (np.array([1, 2]), {}, np.array([{}], object), "'v'"),
]


def ways(more, length):
    """All ways of writing to what is stored; those of whole arrays need as many values."""
    yield {"append_dim": "t"}
    yield {"append_dim": "t", "mode": "a-"}
    if length:
        yield {"region": {"t": slice(0, len(more))}}
        yield {"region": {"t": slice(0, len(more))}, "mode": "a"}
        yield {"region": "auto"}
    if length == len(more):
        yield {"mode": "a"}
        yield {"mode": "r+"}


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(("values", "encoding", "more", "words"), LOST)
@pytest.mark.filterwarnings("ignore:Times can't be serialized faithfully:UserWarning")
def test_what_would_be_lost_is_refused(values, encoding, more, words, lazy):
    store: dict[str, bytes] = {}
    if lazy and more.dtype.kind == "O":
        pytest.skip("xarray looks at objects when it encodes them")
    to_zarrds(series(values), store, encoding={"v": encoding} if encoding else None)
    before = dict(store)
    part = series(more)
    for way in ways(more, len(values)):
        if way.get("region") == "auto" and len(more) != len(values):
            continue
        with pytest.raises(EncodingError, match=f"(?s){words}"):
            to_zarrds(part.chunk() if lazy else part, store, **way, safe_chunks=False)
        if not lazy or "append_dim" in way:
            assert store == before
        store, found = dict(before), store
        np.testing.assert_array_equal(open_zarrds(found).v[: len(values)], series(values).v)


KEPT = [
    (days(), IN_DAYS, days(3, start="2100-01-01")),
    (days(), IN_DAYS, np.array(["2000-05-01", "NaT"], "M8[s]")),
    (days(), {**IN_DAYS, "dtype": "f8"}, days(3, "7s", "2023-01-01")),
    (days(), {**IN_DAYS, "dtype": "f4"}, days(3, "6h", "2023-01-01")),
    (days(2, "h"), {}, days(2, "h", "2020-01-01")),
    (cftimes(), {"units": "days since 2000-01-01", "calendar": "noleap"}, cftimes(4)),
    (np.array([], "M8[ns]"), {}, days()),
    (np.array([1, 2], "m8[D]"), LONG, np.array([48], "m8[h]")),
    (np.array([1, 2], "i1"), {}, np.array([127, -128])),
    (np.array([1, 2], "i1"), {}, np.array([1.0, -3.0])),
    (np.array([1, 2], "u8"), {}, np.array([2**64 - 1], "u8")),
    (np.array([1], "i8"), {}, np.array([-(2.0**63)])),
    (np.array([1.0], "f4"), {}, np.array([2**24, -3])),
    (np.array([1.0], "f8"), {}, np.array([2**60])),
    (np.array([1.0], "f4"), {}, np.array([0.1, np.nan, np.inf, 1e-300])),
    (np.array([1.0], "f2"), {}, np.array([0.1, 6e4, 1e-9])),
    (np.array([1 + 1j], "c8"), {}, np.array([0.1 + 2j, 3])),
    (np.array([1.0, np.nan]), FILLED, np.array([np.nan, 2.0, -1.0])),
    (np.array([1.0, 2.0], "f4"), {"_FillValue": -9999.0}, np.array([0.1, np.nan])),
    (np.array([5.0, 6.0]), PACKED, np.array([5.03, np.nan, -7.7, 17.7])),
    (np.array([299.0, 301.0]), {"dtype": "i2", "scale_factor": 1e-3, "add_offset": 300.0}, np.array([299.99951])),
    (np.array([200, 250], "u1"), {"dtype": "i1", "_Unsigned": "true", "_FillValue": -1}, np.array([130], "u1")),
    (np.array(["a", "bb"]), {}, np.array(["c", "d"], "U9")),
    (np.array(["a", "bb"]), {}, np.array(["c", "dd"], object)),
    (np.array(["a", "bb"], object), {}, np.array(["longer"])),
    (np.array([b"a", b"bb"]), {}, np.array([b"c"], "S9")),
    (np.array([True, False]), {}, np.array([True])),
    (np.array([0, 1], "i2"), {}, np.array([True])),
]


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(("values", "encoding", "more"), KEPT)
def test_what_is_kept_is_written(values, encoding, more, lazy):
    store: dict[str, bytes] = {}
    if lazy and more.dtype.kind == "O":
        pytest.skip("xarray looks at objects when it encodes them")
    to_zarrds(series(values), store, encoding={"v": encoding} if encoding else None)
    part = series(more)
    to_zarrds(part.chunk() if lazy else part, store, append_dim="t", safe_chunks=False)
    found = open_zarrds(store).v.values[len(values) :]
    if found.dtype.kind in "fc":
        more = np.where(more == -1, np.nan, more) if encoding is FILLED else more
        atol = encoding.get("scale_factor", 0) * 0.51
        np.testing.assert_allclose(found, more, rtol=1e-3 if found.dtype == "f2" else 1e-6, atol=max(atol, 1e-7))
    elif found.dtype.kind == "M":
        assert (np.isnat(found) == np.isnat(more)).all()
        assert not (np.abs(found - more) > np.timedelta64(1, "us")).any()
    else:
        np.testing.assert_array_equal(found, more)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(
    ("values", "encoding"),
    [
        (np.array([300]), {"dtype": "i1"}),
        (np.array([-1]), {"dtype": "u2"}),
        (np.array([1e10]), {"dtype": "i4"}),
        (np.array([np.nan]), {"dtype": "i4"}),
        (np.array([100.0]), {"dtype": "i1", "scale_factor": 0.1}),
        (np.array([np.nan]), {"dtype": "i2", "scale_factor": 0.1}),
        (np.array([1e300]), {"dtype": "f4"}),
        (days(2, start="2300-01-01"), {"units": "hours since 2000-01-01", "dtype": "i1"}),
    ],
)
def test_encodings_of_new_variables_hold_what_they_are_for(values, encoding, lazy):
    store: dict[str, bytes] = {}
    part = series(values)
    with pytest.raises(ValueError, match="'v'"):
        to_zarrds(part.chunk() if lazy else part, store, encoding={"v": encoding})
    assert lazy or not store


def test_a_dtype_that_is_asked_for_rounds():
    store: dict[str, bytes] = {}
    to_zarrds(series([1.4, 2.6]), store, encoding={"v": {"dtype": "i4"}})
    assert open_zarrds(store).v.values.tolist() == [1, 3]


@pytest.mark.parametrize("lazy", [False, True])
def test_a_variable_without_elements_takes_another_encoding(lazy):
    store: dict[str, bytes] = {}
    to_zarrds(series(np.array([], "M8[ns]")).assign(w=("t", np.zeros(0, "i1"))), store)
    part = series(days(4, "6h")).assign(w=("t", [300, 1, 2, 3]))
    encoding = {"v": {"units": "hours since 2000-01-01", "dtype": "i4"}, "w": {"dtype": "i4", "chunks": (2,)}}
    to_zarrds(part.chunk(t=2) if lazy else part, store, append_dim="t", encoding=encoding)
    found = open_zarrds(store)
    assert found.equals(part)
    assert found.v.encoding["units"] == "hours since 2000-01-01"
    with pytest.raises(ValueError, match="keeps its encoding"):
        to_zarrds(part, store, append_dim="t", encoding=encoding)


# --- blocks of another dtype than promised ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "promised", "given"),
    [
        (["a", "bb"], "U2", ["longer", "c"]),
        ([1, 2], "i8", [1.5, 2.0]),
        ([1, 2], "i8", [np.nan, 2.0]),
        ([1.0, 2.0], "f8", ["x", "y"]),
        ([1, 2], "i2", [2**40, 1]),
        ([1, 2], "i8", [None, 1]),
    ],
)
@pytest.mark.parametrize("mode", ["w", "a", "r+"])
def test_blocks_of_another_dtype_than_promised(values, promised, given, mode):
    store: dict[str, bytes] = {}
    to_zarrds(series(values).astype(promised), store)
    lying = da.zeros(2, dtype="f8").map_blocks(lambda _: np.array(given), dtype=promised, meta=np.empty(0, promised))
    with pytest.raises(EncodingError, match=r"(?s)'v'"):
        to_zarrds(xr.Dataset({"v": ("t", lying)}), store if mode != "w" else {}, mode=mode)
    np.testing.assert_array_equal(open_zarrds(store).v, values)


# --- data that are encoded already -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "encoding"),
    [
        ([1.0, 2.0], {"dtype": "i2", "scale_factor": 0.5, "add_offset": 10.0}),
        (days(), IN_DAYS),
        ([1.0, np.nan], FILLED),
    ],
)
@pytest.mark.parametrize("way", [{"append_dim": "t"}, {"mode": "a"}, {"region": {"t": slice(None)}}])
def test_undecoded_data_are_written_as_they_are(values, encoding, way):
    store: dict[str, bytes] = {}
    to_zarrds(series(values, long_name="speed"), store, encoding={"v": encoding})
    raw = xr.open_dataset(store, engine="zarrds", decode_cf=False).load()
    to_zarrds(raw, store, **way)
    found = open_zarrds(store).v
    for start in range(0, found.size, 2):
        np.testing.assert_array_equal(found[start : start + 2], values)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("calendar", ["standard", "proleptic_gregorian", "noleap", "360_day"])
def test_dates_of_cftime(calendar, lazy):
    days = xr.date_range("2000-01-03", periods=4, freq="6h", calendar=calendar, use_cftime=True).values
    ds = series(days[:2])
    store: dict[str, bytes] = {}
    to_zarrds(ds.chunk(t=1) if lazy else ds, store)
    later = series(days[2:])
    if not lazy or calendar in ("noleap", "360_day"):
        to_zarrds(later.chunk() if lazy else later, store, mode="a")
        days = np.concatenate([days[2:], days[:0]])
    found = xr.open_dataset(store, engine="zarrds", decode_times=xr.coders.CFDatetimeCoder(use_cftime=True)).v
    assert found.values.tolist() == days[: found.size].tolist()


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(
    ("values", "attrs"),
    [
        (np.array([-1, 0, 2], "i2"), {"_FillValue": np.int16(-1), "scale_factor": 0.1, "add_offset": 10.0}),
        (np.array([-1, -127, 0], "i1"), {"_FillValue": np.int8(-1), "_Unsigned": "true", "scale_factor": 0.1}),
        (np.array([0, 40, 2], "i4"), {"units": "days since 2000-01-01", "calendar": "noleap"}),
        (np.array([0, -1, 7], "i4"), {"missing_value": np.int32(-1), "add_offset": 0.25}),
    ],
)
def test_undecoded_data_make_a_new_store(values, attrs, lazy):
    ds = series(values, **attrs)
    store: dict[str, bytes] = {}
    to_zarrds(ds.chunk(t=2) if lazy else ds, store)
    xr.testing.assert_identical(xr.open_dataset(store, engine="zarrds", decode_cf=False).load().v, ds.v)


@pytest.mark.parametrize(
    ("attrs", "words"),
    [
        ({"scale_factor": 0.25, "add_offset": 10.0}, "scale_factor 0.5.*decode"),
        ({"scale_factor": 0.5}, "add_offset 10.*decode"),
        ({"_FillValue": -2.0}, "_FillValue"),
    ],
)
def test_data_that_are_encoded_otherwise_are_refused(attrs, words):
    store: dict[str, bytes] = {}
    encoding = {"dtype": "i2", "scale_factor": 0.5, "add_offset": 10.0, "_FillValue": -1}
    to_zarrds(series([1.0, 2.0]), store, encoding={"v": encoding})
    with pytest.raises(ValueError, match=f"(?s){words}"):
        to_zarrds(series([1, 2], **attrs), store, append_dim="t")


@pytest.mark.parametrize("fill", [np.nan, -1.0])
def test_a_fill_value_attribute_equal_to_the_stored_one_does_no_harm(fill):
    store: dict[str, bytes] = {}
    ds = series([3.0], _FillValue=fill)
    for way in ({}, {"append_dim": "t"}, {"region": {"t": slice(0, 1)}}):
        to_zarrds(ds, store, **way)
    assert open_zarrds(store).v.values.tolist() == [3, 3]


# --- times that are stored as numpy has them -------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Failed to open Zarr store with consolidated metadata:RuntimeWarning")
@pytest.mark.parametrize("unit", ["M8[ns]", "M8[s]", "M8[D]", "m8[ns]", "m8[s]"])
@pytest.mark.parametrize("fill", [0, "NaT", None])
def test_native_times(unit, fill, zarr_format):
    store: dict[str, bytes] = {}
    values = np.array([0, 1, 400, "NaT"], unit)
    named = {"dimension_names": ["t"]} if zarr_format == 3 else {}
    array = zarrds.open_group(store, mode="w", zarr_format=zarr_format).create_dataset(
        "v", shape=4, chunks=2, dtype=unit, fill_value=None if fill is None else np.array(fill, unit)[()], **named
    )
    array.attrs.update({} if named else {"_ARRAY_DIMENSIONS": ["t"]})
    array[:] = values
    read = xr.open_dataset(store, engine="zarrds")
    assert read.v.dtype == unit
    np.testing.assert_array_equal(read.v, values)
    again: dict[str, bytes] = {}
    to_zarrds(read, again)
    np.testing.assert_array_equal(open_zarrds(again).v, values)
    to_zarrds(read, store, append_dim="t")
    to_zarrds(read.chunk(t=2), store, append_dim="t")
    to_zarrds(read.isel(t=[2]), store, region={"t": slice(0, 1)})
    expected = np.concatenate([values] * 3)
    expected[0] = values[2]
    np.testing.assert_array_equal(xr.open_dataset(store, engine="zarrds").v, expected)
    with pytest.raises(EncodingError, match="'v' has numbers"):
        to_zarrds(series([1]), store, append_dim="t")
    if unit[2:] != "[ns]":
        with pytest.raises(EncodingError, match="cannot hold"):
            to_zarrds(series(np.array([1], unit[:2] + "[ns]")), store, append_dim="t")


def test_native_times_that_were_never_written(zarr_format):
    store: dict[str, bytes] = {}
    named = {"dimension_names": ["t"]} if zarr_format == 3 else {}
    array = zarrds.open_group(store, mode="w", zarr_format=zarr_format).create_dataset(
        "v", shape=2, chunks=1, dtype="M8[s]", fill_value=np.datetime64(0, "s"), **named
    )
    array.attrs.update({} if named else {"_ARRAY_DIMENSIONS": ["t"]})
    zarrds.consolidate_metadata(store)
    assert open_zarrds(store).v.values.tolist() == np.zeros(2, "M8[s]").tolist()


# --- one conversion --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["i1", "u1", "i4", "u8", "f4", "f8"])
@pytest.mark.parametrize("source", ["i8", "u8", "i2", "f8", "f4"])
def test_conversions_give_equal_values_or_raise(source, dtype):
    """Python's own numbers, which have no limits, decide."""
    numbers = [0, 1, -1, 127, 128, 255, 256, -129, 2**24 + 1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1]
    numbers += [0.5, 1e300, float("nan"), float("inf")] if source[0] == "f" else []
    limits = (float("-inf"), float("inf")) if source[0] == "f" else (np.iinfo(source).min, np.iinfo(source).max)
    for number in numbers:
        if number == number and not limits[0] <= number <= limits[1]:
            continue
        with np.errstate(over="ignore"):
            value = np.array([number]).astype(source)
        python = value.item()
        try:
            found = cast_exactly(value, np.dtype(dtype), "v").item()
        except EncodingError:
            assert not _is_held(python, np.dtype(dtype), source)
        else:
            assert _is_held(python, np.dtype(dtype), source)
            assert found == python or python != python or source[0] == dtype[0] == "f"


def _is_held(number, dtype, source):
    if dtype.kind in "iu":
        finite = number == number and abs(number) != float("inf")
        return finite and number == int(number) and np.iinfo(dtype).min <= number <= np.iinfo(dtype).max
    if source[0] in "iu":
        return int(float(np.array(number, dtype))) == number
    return not np.isfinite(number) or abs(number) <= float(np.finfo(dtype).max)


def test_round_trips_of_what_is_in_memory():
    store: dict[str, bytes] = {}
    ds = xr.Dataset({"v": ("t", days(5, "6h")), "d": ("t", np.arange(5).astype("m8[s]")), "c": ("t", cftimes(5))})
    to_zarrds(ds, store)
    to_zarrds(ds, store, mode="a")
    xr.testing.assert_identical(open_zarrds(store).compute(), ds)
