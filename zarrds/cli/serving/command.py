"""The command that serves a store."""

from __future__ import annotations

import signal
import threading
import webbrowser
from typing import Any

import click

from zarrds import _node
from zarrds._convert import FormatView
from zarrds._store import Store
from zarrds.cli.options import Access, access_options, as_json, store_argument
from zarrds.cli.places import store_at
from zarrds.cli.printing import echo_json, echo_text
from zarrds.cli.serving.inside import guarded
from zarrds.cli.serving.server import StoreServer
from zarrds.errors.escaping import visible

__all__ = ["serve", "served_store"]


@click.command()
@store_argument
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port; 0: any free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address; others than this let the network read.")
@click.option(
    "--format",
    "zarr_format",
    type=click.Choice(["stored", "2", "3"]),
    default="stored",
    show_default=True,
    help="Show it as Zarr v2 or v3; documents and chunks are translated when they are read.",
)
@click.option("--allow-host", multiple=True, metavar="NAME", help="Further name of this server; may be repeated.")
@click.option("--cors", metavar="ORIGIN", help="Let pages of this origin read, e.g. https://viewer.org or *.")
@click.option("--open", "opens", is_flag=True, help="Open the page in a browser.")
@as_json
@access_options
def serve(
    store: str,
    port: int,
    host: str,
    zarr_format: str,
    allow_host: tuple[str, ...],
    cors: str | None,
    opens: bool,
    as_json: bool,
    access: Access,
) -> None:
    """Serve a store over HTTP on this machine, for reading: any kind, also ZIP files, databases and N5.

    Programs open it by its address, with byte ranges and listings; a browser shows a page with the tree, which chunks
    exist, and a part of each array. Ctrl-C ends it, with exit code 0.

    \b
    Example:
      zarrds serve data.zip --port 0
    """
    host = host.removeprefix("[").removesuffix("]")  # an address of IPv6, as it is in URLs
    real = served_store(store_at(store, access.options(store)), zarr_format)
    try:
        server = StoreServer(real, store, host, port, names=allow_host, origin=cors)
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {host}:{port}: {error.strerror}; --port 0 takes any free port"
        ) from None
    if host not in ("127.0.0.1", "localhost", "::1"):
        click.echo("Warning: everyone who reaches this machine can read the store", err=True)
    if as_json:
        echo_json("serve", {"url": server.url, "store": store, "format": zarr_format})
    else:
        echo_text(visible(f"serving {store} at {server.url} (Ctrl-C ends it)"))
    if opens:
        webbrowser.open(server.url)
    _run(server)
    if not as_json:
        echo_text("stopped")


def served_store(store: Store, zarr_format: str = "stored") -> Store:
    """Return what is served: the store, or a view of it in another format; other layouts become Zarr v2.

    Raises
    ------
    PathNotFoundError
        There is no array or group at the root of the store.
    """
    adapted, node = _node.locate_node(store, "", None, "r")
    if node is None:
        raise _node.not_found(store, "")
    if zarr_format == "stored":
        return store if adapted is store else FormatView(guarded(store), 2)
    is_stored = adapted is store and node.zarr_format == int(zarr_format)
    return store if is_stored else FormatView(guarded(store), int(zarr_format))


def _run(server: StoreServer) -> None:
    """Answer until Ctrl-C, or until the process is asked to end."""

    def end(*args: Any) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()  # it waits for the loop that this interrupts

    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, end) if is_main else None
    try:
        server.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        click.echo("", err=True)
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, before)
        server.server_close()
