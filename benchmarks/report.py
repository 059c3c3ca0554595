"""Turn the figures of a run into text, plots, and the tables of docs/performance.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

BEGIN, END = "<!-- figures: written by benchmarks/run.py -->", "<!-- end of figures -->"
PLOTS = {"cases": "performance-peers.png", "parts": "performance-parts.png", "growth": "performance-growth.png"}
COLOURS = {
    "floor": "#999999",
    "zarr-python": "#c44e52",
    "zarrs": "#dd8452",
    "tensorstore": "#4c72b0",
    "zarrista": "#55a868",
}


def text_of_case(name: str, systems: dict[str, dict[str, float]]) -> str:
    lines = [name]
    for system, found in systems.items():
        times = f"{1e3 * found['wall']:10.2f} ms {1e3 * found['cpu']:10.2f} ms CPU {found['peak MiB']:7.0f} MiB"
        lines.append(f"  {system:<12}{times}   x{found['wall ratio']:.2f} wall, x{found['cpu ratio']:.2f} CPU")
    return "\n".join(lines)


def text_of_growth(found: dict[str, Any]) -> str:
    return "\n".join(
        f"{name:<28}" + "".join(f"{count:>9}: {ms:8.3f} ms" for count, ms in entry["milliseconds"].items())
        for name, entry in found.items()
    )


def write_document(document: Path, found: dict[str, Any]) -> None:
    """Replace what is between the marks of a document by tables, and draw its plots beside it."""
    text = document.read_text()
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    document.write_text(f"{before}{BEGIN}\n\n{tables(found)}\n{END}{after}")
    for name, draw in {"cases": draw_peers, "parts": draw_parts, "growth": draw_growth}.items():
        if found.get(name):
            draw(document.with_name(PLOTS[name]), found[name])


def tables(found: dict[str, Any]) -> str:
    peers = [name for name in found["versions"] if name != "zarrds"]
    versions = "; ".join(dict.fromkeys(found["versions"].values()))
    head = ["case", "zarrds: wall, CPU", *peers]
    rows = [[name, *_cells(systems, peers)] for name, systems in found["cases"].items()]
    parts = [
        f"Measured on: {found['machine']}. Versions: {versions}.",
        "Milliseconds of zarrds, and for each other system its time over that of zarrds, wall / CPU: above 1, zarrds\n"
        "needs less.",
        _table(head, rows),
        f"![CPU time of each system over that of zarrds]({PLOTS['cases']})",
    ]
    if found.get("parts"):
        names = list(next(iter(found["parts"].values())))
        rows = [[work, *(f"{taken[name]:.1f}" for name in names)] for work, taken in found["parts"].items()]
        parts += [
            "CPU microseconds for each chunk (lz4) of a whole read or write in one thread. Each part is timed\n"
            "alone; `other Python` is the rest of the whole. It holds the noise of all parts, and it is below zero\n"
            "where data are still in the processor's cache from one part of the work to the next:",
            _table(["work", *names], rows),
            f"![Where each microsecond goes]({PLOTS['parts']})",
        ]
    if found.get("growth"):
        counts = list(next(iter(found["growth"].values()))["milliseconds"])
        rows = [
            [name, *(f"{entry['milliseconds'][n]:.3f}" if n in entry["milliseconds"] else "" for n in counts)]
            for name, entry in found["growth"].items()
        ]
        parts += [
            "CPU milliseconds of one call, by the number of chunks:",
            _table(["operation", *(f"{int(n):,}" for n in counts)], rows),
            f"![CPU time of one call by the number of chunks]({PLOTS['growth']})",
        ]
    return "\n\n".join(parts) + "\n"


def _cells(systems: dict[str, dict[str, float]], peers: list[str]) -> list[str]:
    own = systems["zarrds"]
    found = [f"{1e3 * own['wall']:.1f}, {1e3 * own['cpu']:.1f}"]
    for peer in peers:
        other = systems.get(peer)
        found.append("" if other is None else f"{other['wall ratio']:.2f} / {other['cpu ratio']:.2f}")
    return found


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def draw_peers(file: Path, cases: dict[str, dict[str, dict[str, float]]]) -> None:
    """Draw one row of dots for each case: CPU time of each system over that of zarrds."""
    plt = _pyplot()
    figure, axes = plt.subplots(figsize=(8, 0.36 * len(cases) + 1.4), layout="constrained")
    names = list(cases)[::-1]
    for system, colour in COLOURS.items():
        points = [(cases[name][system]["cpu ratio"], row) for row, name in enumerate(names) if system in cases[name]]
        if points:
            axes.scatter(*zip(*points, strict=True), s=42, color=colour, label=system, zorder=3)
    axes.axvline(1, color="black", linewidth=1)
    axes.set(xscale="log", xlabel="CPU time over that of zarrds (right of the line, zarrds needs less)")
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(ncols=len(COLOURS), loc="upper center", bbox_to_anchor=(0.45, -0.12), frameon=False)
    figure.savefig(file, dpi=110)
    plt.close(figure)


def draw_parts(file: Path, found: dict[str, dict[str, float]]) -> None:
    """Draw one bar for each work, cut into the shares of its parts."""
    plt = _pyplot()
    figure, axes = plt.subplots(figsize=(8, 0.4 * len(found) + 1.4), layout="constrained")
    works, left = list(found)[::-1], [0.0] * len(found)
    for name in list(next(iter(found.values())))[:-1]:
        shares = [max(0.0, 100 * found[work][name] / found[work]["whole"]) for work in works]
        axes.barh(works, shares, left=left, label=name)
        left = [before + share for before, share in zip(left, shares, strict=True)]
    axes.set(xlabel="share of the CPU time for each chunk (%)", xlim=(0, 100))
    axes.legend(ncols=5, loc="upper center", bbox_to_anchor=(0.45, -0.2), frameon=False)
    figure.savefig(file, dpi=110)
    plt.close(figure)


def draw_growth(file: Path, found: dict[str, Any]) -> None:
    plt = _pyplot()
    kinds = list(dict.fromkeys(entry["kind"] for entry in found.values()))
    figure, panels = plt.subplots(1, len(kinds), figsize=(10, 4.2), layout="constrained", squeeze=False)
    for kind, axes in zip(kinds, panels[0], strict=True):
        for name, entry in found.items():
            if entry["kind"] == kind:
                counts = [int(count) for count in entry["milliseconds"]]
                axes.plot(counts, list(entry["milliseconds"].values()), marker="o", markersize=4, label=name)
        axes.set(xscale="log", yscale="log", xlabel="chunks", ylabel="CPU time of one call (ms)", title=kind)
        axes.title.set_fontsize(10)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.savefig(file, dpi=110)
    plt.close(figure)


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot
