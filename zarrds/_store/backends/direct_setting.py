"""Conditional writes through obstore: an object is replaced only while it has the tag or generation that was read."""

from __future__ import annotations

from typing import Any

from zarrds._store.absence import says_no_container
from zarrds._store.backends.direct_errors import converted
from zarrds._store.backends.writers import MARK, has_written, marked

__all__ = ["set_if"]

_CONFLICTS = frozenset({"AlreadyExistsError", "PreconditionError"})


async def set_if(obs: Any, store: Any, key: str, value: bytes, expected: bytes | None, token: str) -> bool:
    """Set an object if it still has the value `expected` (None: if it is absent); return whether it was set.

    The same call may be repeated with the same `token` if an answer is lost: the mark of the object shows whether an
    earlier attempt succeeded, even if other writers have replaced the object since.
    """
    found, version, mark = await _current(obs, store, key)
    if has_written(token, mark) or found != expected:
        return has_written(token, mark)
    options = {"mode": version or "create", "attributes": {MARK: marked(token, mark)}, "use_multipart": False}
    try:
        await obs.put_async(store, key, value, **options)
    except Exception as error:
        is_gone = version is not None and isinstance(error, FileNotFoundError) and not says_no_container(error)
        if type(error).__name__ not in _CONFLICTS and not is_gone:
            raise converted(error) from None
        return has_written(token, (await _current(obs, store, key))[2])
    return True


async def _current(obs: Any, store: Any, key: str) -> tuple[bytes | None, dict[str, str] | None, str | None]:
    """Return value, version and mark of an object; three times None if it is absent."""
    try:
        reply = await obs.get_async(store, key)
        value = bytes(await reply.bytes_async())
    except Exception as error:
        if isinstance(error, FileNotFoundError) and not says_no_container(error):
            return None, None, None
        raise converted(error) from None
    version = {name: reply.meta[name] for name in ("e_tag", "version") if reply.meta.get(name)}
    return value, version, reply.attributes.get(MARK)
