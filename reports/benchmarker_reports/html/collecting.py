"""Collects what a page shows of a study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmarker import Comparisons, Leaderboard, ReportOptions, StudyResults, __version__, metric_label
from benchmarker_reports.columns import CHECKPOINTS
from benchmarker_reports.contents.averages import averages
from benchmarker_reports.contents.entries import confusions, cost_charts, entries, metric_head, per_class
from benchmarker_reports.contents.examples import examples
from benchmarker_reports.contents.generators import GeneratorPart, generator_parts
from benchmarker_reports.contents.learning import learning_panels
from benchmarker_reports.contents.model import Entry
from benchmarker_reports.contents.probabilities import probabilities
from benchmarker_reports.facts import MOST_COMPARED, gather
from benchmarker_reports.html.charts import band_bar, domain_of
from benchmarker_reports.html.comparing import dose_views, table_views
from benchmarker_reports.html.page import Card, GeneratorView, Page, Surroundings, YardstickLine
from benchmarker_reports.yardsticks import Judged

MOST_DETAILED = 24
MOST_CURVES = 6
MOST_GENERATORS = 12
_MOST_GRID_BYTES = 400_000


def build_page(results: StudyResults, options: ReportOptions) -> Page:
    """Collect a page.

    Parameters
    ----------
    results : StudyResults
        What to show.
    options : ReportOptions
        How to show it.
    """
    facts = gather(results, options)
    board = facts.board
    lines = entries(results, options)
    compared = facts.comparisons
    checkpoint = options.checkpoint
    finished = [entry for entry in lines if entry.runs]
    # Of thousands of runs, the first lines are shown in detail: reading all would take minutes, and nobody looks.
    detailed = finished if len(lines) <= MOST_COMPARED else finished[:MOST_DETAILED]
    return Page(
        title=board.title,
        facts=_facts(results, board, lines),
        denominator=board.denominator,
        metric_long=metric_label(board.sort).long,
        checkpoint_words=CHECKPOINTS.get(checkpoint, checkpoint).partition(": ")[2] or checkpoint,
        level=f"{100 * options.confidence:.4g} %",
        version=__version__,
        cards=_cards(board, lines, compared),
        notes=board.notes,
        failed=board.failed,
        heads=tuple(lines[0].cells) if lines else (metric_head(board),),
        entries=lines,
        domain=domain_of(lines),
        classes=results.classes,
        commands=results.commands,
        registry=results.registry_text,
        environments=_environments(results),
        data=_data(results),
        comparisons=compared,
        comparison_tables=table_views(compared),
        doses=dose_views(compared),
        per_class=per_class(results, detailed, checkpoint),
        confusions=confusions(results, detailed, checkpoint),
        learning=learning_panels(results, detailed),
        probabilities=probabilities(results, finished[:MOST_CURVES], checkpoint),
        costs=cost_charts(board, lines),
        examples=examples(results, detailed, checkpoint),
        generators=_generators(results),
        yardsticks=tuple(map(_yardstick, facts.yardsticks)),
        averages=averages(board, options.confidence) if len(lines) <= MOST_COMPARED else (),
        sort=board.sort,
    )


def _facts(results: StudyResults, board: Leaderboard, lines: Sequence[Entry]) -> tuple[str, ...]:
    seeds = {cell.seed for cell in results.cells}
    counted = [
        board.dataset,
        f"{board.images:,} images" + (f" ({board.skipped:,} skipped)" if board.skipped else ""),
        f"{len(results.classes)} classes" if results.classes else "",
        _count(len({entry.label for entry in lines}), "network"),
        _count(len({entry.arm for entry in lines}), "arm"),
        _count(len(seeds), "seed"),
        ", ".join(sorted({f"{row.backend} {row.precision}".strip() for row in board.rows if row.n})),
    ]
    return tuple(filter(None, counted))


def _count(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def _cards(board: Leaderboard, lines: Sequence[Entry], compared: Comparisons | None) -> tuple[Card, ...]:
    if not lines or lines[0].mean is None:
        return ()
    leader = lines[0]
    write = metric_label(board.sort).write
    cards = [Card(what="Leader", value=leader.label, more=f"arm {leader.arm}, seeds {leader.n}/{leader.planned}")]
    if leader.low is not None and leader.high is not None:
        interval = f"interval of the mean {write(leader.low)} to {write(leader.high)}"
    else:
        interval = "one seed: no interval"
    cards.append(Card(what=f"Its {metric_label(board.sort).long}", value=f"{write(leader.mean or 0)}", more=interval))
    if compared is not None:
        verdicts = [row.verdict for _, row in compared.rows() if row.scope == "overall"]
        told = sum(verdict in {"better", "worse"} for verdict in verdicts)
        same = verdicts.count("equivalent")
        more = f"{same} equivalent, {verdicts.count('undecided')} undecided"
        cards.append(Card(what="Differences that can be told", value=f"{told} of {len(verdicts)}", more=more))
    failed = f"{len(board.failed)} failed, {board.pending} pending"
    cards.append(Card(what="Cells finished", value=f"{board.ok} of {board.planned}", more=failed))
    return tuple(cards)


def _environments(results: StudyResults) -> tuple[Surroundings, ...]:
    return tuple(
        Surroundings(
            label=environment.label,
            runs=len(environment.cells),
            facts=tuple(_flat(environment.fingerprint)),
        )
        for environment in results.environments
    )


def _flat(value: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, entry in value.items():
        words = f"{prefix}{name}".replace("_", " ")
        if isinstance(entry, Mapping):
            # Packages and plugins are known by their own names.
            found += _flat(entry, "" if name in {"packages", "plugins"} else f"{words}: ")
        elif isinstance(entry, list):
            found.append((words, ", ".join(map(str, entry)) or "none"))
        else:
            found.append((words, str(entry)))
    return found


def _data(results: StudyResults) -> tuple[tuple[str, str], ...]:
    dataset = results.study.dataset
    shape, parts = dataset.get("shape"), dataset.get("parts")
    described = {
        "dataset": dataset.get("name"),
        "SHA-256 of its prepared contents": dataset.get("digest"),
        "images": " x ".join(map(str, shape)) if isinstance(shape, list) else None,
        "parts": ", ".join(f"{name} {n}" for name, n in parts.items()) if isinstance(parts, Mapping) else None,
        "licence": dataset.get("licence"),
        "citation": dataset.get("citation"),
        "left out": "; ".join(f"{name}: {reason}" for name, reason in results.study.skipped[:20]),
    }
    return tuple((name, str(value)) for name, value in described.items() if value)


def _generators(results: StudyResults) -> tuple[GeneratorView, ...]:
    return tuple(
        GeneratorView(part=part, pictures=tuple(_pictures(part))) for part in generator_parts(results)[:MOST_GENERATORS]
    )


def _pictures(part: GeneratorPart) -> Iterator[tuple[str, bytes]]:
    for title, path in (("Real images", part.real), ("Samples of the last epoch", part.grid)):
        if path is not None and path.is_file() and path.stat().st_size <= _MOST_GRID_BYTES:
            yield title, path.read_bytes()


def _yardstick(judged: Judged) -> YardstickLine:
    band = judged.yardstick.band
    if band is None or judged.ours is None:
        return YardstickLine(judged=judged, bar=None)
    ours = (judged.ours, judged.standard_deviation or 0.0)
    words = f"published {judged.published}, ours {judged.measured}"
    return YardstickLine(judged=judged, bar=band_bar(band, judged.yardstick.value, ours, words))
