"""The settings as an object, as Zarr-Python 3 has them: thin over `set_config`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from types import TracebackType
from typing import Any

from zarrds._base.config import get_config, set_config
from zarrds.errors import ArgumentTypeError

__all__ = ["ConfigObject", "config"]

_THEIR_NAMES = {
    "default_zarr_format": "default_format",
    "async.concurrency": "concurrency",
    "threading.max_workers": "threads",
}
"""Settings of Zarr-Python 3 that have an equal here. There, None stands for the default."""


class ConfigObject:
    """Settings that are read and changed by their names, also by those of Zarr-Python 3 that have an equal.

    Examples
    --------
    >>> import zarrds
    >>> zarrds.config.get("default_zarr_format")
    2
    >>> with zarrds.config.set({"default_zarr_format": 3}):
    ...     zarrds.zeros(10).zarr_format
    3
    """

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a setting.

        Parameters
        ----------
        name : str
            Name of a setting, here or in Zarr-Python 3.
        default : object, optional
            What is returned where there is no such setting.

        Returns
        -------
        object
            Its value.

        Examples
        --------
        >>> import zarrds
        >>> zarrds.config.get("threads") == zarrds.config.get("threading.max_workers") == zarrds.get_config().threads
        True
        """
        return self.to_dict().get(_THEIR_NAMES.get(name, name), default)

    def set(self, settings: Mapping[str, Any] | None = None, **more: Any) -> _Changed:
        """Change settings; in a ``with`` statement, they are as before at its end.

        Parameters
        ----------
        settings : mapping, optional
            Values by name.
        **more
            Values by name.

        Returns
        -------
        context manager
            The change, which a ``with`` statement takes back.

        Raises
        ------
        ArgumentTypeError
            There is no such setting, or it has values of another type; then nothing was changed.
        ArgumentError
            The setting cannot have that value; then nothing was changed.

        Examples
        --------
        >>> import zarrds
        >>> with zarrds.config.set(attempts=3):
        ...     zarrds.get_config().attempts
        3
        """
        if settings is not None and not isinstance(settings, Mapping):
            raise ArgumentTypeError(f"settings must be a dict, found {type(settings).__name__}")
        named = {_THEIR_NAMES.get(name, str(name)): value for name, value in {**(settings or {}), **more}.items()}
        asked = {
            name: 0 if value is None and name in ("threads", "concurrency") else value for name, value in named.items()
        }
        before = self.to_dict()
        set_config(**asked)
        return _Changed({name: before[name] for name in asked})

    def to_dict(self) -> dict[str, Any]:
        """Return all settings by their names here."""
        return asdict(get_config())

    def pprint(self) -> None:
        """Print all settings, one on a line."""
        for name, value in self.to_dict().items():
            print(f"{name} = {value!r}")

    def __repr__(self) -> str:
        return f"<zarrds.config {self.to_dict()!r}>"

    def _repr_html_(self) -> str:
        return get_config()._repr_html_()


class _Changed:
    """Settings as they were before a change, to which the end of a ``with`` statement returns."""

    def __init__(self, before: Mapping[str, Any]) -> None:
        self._before = before

    def __enter__(self) -> ConfigObject:
        return config

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        set_config(**self._before)


config = ConfigObject()
"""The settings of this process."""
