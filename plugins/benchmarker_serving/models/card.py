"""Model cards: what whoever gets an exported model should know, as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from benchmarker import (
    CellRecord,
    GeneratorRecord,
    StudyResults,
    flatten,
    markdown_text,
    metric_label,
    t_interval,
    wilson_interval,
)
from benchmarker_serving.models.bundle import Bundle


def write_card(results: StudyResults, record: CellRecord | GeneratorRecord, bundle: Bundle, checkpoint: str) -> str:
    """Return the card of an exported model.

    Parameters
    ----------
    results : StudyResults
        Study that trained it.
    record : CellRecord or GeneratorRecord
        Run that trained it.
    bundle : Bundle
        What was exported.
    checkpoint : {"best", "final"}
        Weights of a network.
    """
    sections = [_what(results, record, bundle), _data(results), _protocol(record)]
    sections.append(_scores(results, record, checkpoint) if isinstance(record, CellRecord) else _quality(record))
    sections += [_limits(results, bundle), _files(record, bundle)]
    return "\n".join(line for section in sections for line in (*section, "")).rstrip() + "\n"


def _what(results: StudyResults, record: CellRecord | GeneratorRecord, bundle: Bundle) -> Iterator[str]:
    yield f"# {bundle.name}, version {bundle.version}"
    yield ""
    kind = "Network" if bundle.kind == "network" else "Generator of synthetic images"
    yield f"{kind} `{markdown_text(record.name)}` of the study *{markdown_text(results.title)}*."
    yield ""
    for name, shape in bundle.inputs.items():
        yield f"- Input `{name}`: float32, shape (n, {', '.join(map(str, shape))})"
    yield f"- Output `{bundle.output}`: float32, one row for each image"
    if bundle.kind == "network":
        yield (
            "- The input is an image as prepared by the study, see below"
            if bundle.prepared
            else "- The input is an image as published, NaN where there is no value; the preparation is inside"
        )
    if bundle.classes:
        yield f"- Classes, in this order: {', '.join(markdown_text(name) for name in bundle.classes)}"
    for name, unit in bundle.units.items():
        yield f"- `{markdown_text(name)}` in {markdown_text(unit) or 'a pure number'}"
    if bundle.kind == "generator":
        yield "- Every image is synthetic. Do not publish one without saying so."


def _data(results: StudyResults) -> Iterator[str]:
    data = results.study.dataset
    yield "## Data"
    yield ""
    height, width, channels = data.shape
    yield f"- Data set `{markdown_text(data.name)}`, {data.images:,} images of {height} x {width} x {channels}"
    yield f"- Licence: {markdown_text(data.licence) or 'unknown'}"
    yield f"- Citation: {markdown_text(data.citation) or 'unknown'}"
    yield f"- SHA-256 of the prepared images: `{data.digest}`"
    for name, count in (data.class_counts or {}).items():
        yield f"- {markdown_text(name)}: {count:,} images"
    if results.study.plan.source is not None:
        steps = flatten(results.study.plan.source.preparation.model_dump(mode="json"))
        yield f"- Preparation: {', '.join(f'`{name}: {value}`' for name, value in steps.items())}"


def _protocol(record: CellRecord | GeneratorRecord) -> Iterator[str]:
    yield "## Protocol"
    yield ""
    settings = flatten(record.spec.to_json())
    yield "| setting | value |"
    yield "|---|---|"
    for name, value in settings.items():
        yield f"| {markdown_text(name)} | {markdown_text(str(value))} |"


def _scores(results: StudyResults, record: CellRecord, checkpoint: str) -> Iterator[str]:
    yield "## Scores on the test part"
    yield ""
    same = [each for each in results.cells if each.configuration == record.configuration and each.status == "ok"]
    own = record.evaluations.get(checkpoint, {})
    primary = results.study.plan.primary.name
    yield f"| metric | this network | mean of {len(same)} seed(s) | 95 % interval of the mean |"
    yield "|---|---|---|---|"
    for name in dict.fromkeys((primary, "accuracy", "macro_f1", "loss", "mean_absolute_error")):
        if name in own:
            values = [each.evaluations[checkpoint][name] for each in same if name in each.evaluations[checkpoint]]
            yield f"| {metric_label(name).short} | {own[name]:.4g} | {_mean(values)} |"
    predictions = results.predictions(record, checkpoint)
    if predictions is not None and predictions.classes:
        right = int((predictions.predicted == predictions.truth).sum())
        interval = wilson_interval(right / len(predictions.truth), len(predictions.truth))
        yield ""
        yield (
            f"{right} of {len(predictions.truth)} test images are classified correctly: "
            f"{100 * right / len(predictions.truth):.1f} %, with a 95 % interval from {100 * interval.low:.1f} to "
            f"{100 * interval.high:.1f} % (Wilson) for other images like these."
        )


def _mean(values: Sequence[float]) -> str:
    mean = math.fsum(values) / len(values)
    interval = t_interval(values)
    if interval is None:
        return f"{mean:.4g} | one seed gives none"
    return f"{mean:.4g} | {interval.low:.4g} to {interval.high:.4g}"


def _quality(record: GeneratorRecord) -> Iterator[str]:
    yield "## Quality of the generated images"
    yield ""
    quality = record.metrics.quality if record.metrics is not None else None
    if not quality:
        yield "Its plugin measured nothing."
        return
    for name, value in flatten(quality).items():
        yield f"- {markdown_text(name)}: {markdown_text(str(value))}"


def _limits(results: StudyResults, bundle: Bundle) -> Iterator[str]:
    yield "## Limits"
    yield ""
    yield (
        "The scores hold for images like those of the test part: the same survey, band, pixel scale, selection and "
        "preparation. Nothing is known about others."
    )
    if bundle.kind == "network":
        yield ""
        yield "Its probabilities are not calibrated; `benchmarker predict` calibrates them and gives prediction sets."
    for caveat in results.study.dataset.caveats:
        yield f"- {markdown_text(caveat)}"
    if results.study.skipped:
        yield f"- {len(results.study.skipped):,} images of the data set could not be used."


def _files(record: CellRecord | GeneratorRecord, bundle: Bundle) -> Iterator[str]:
    yield "## Files"
    yield ""
    yield f"- Key of the run: `{record.key}`"
    yield f"- SHA-256 of the weights: `{bundle.weights or 'of an earlier epoch, which no trail covers'}`"
    for form, difference in bundle.difference.items():
        yield f"- {form}: outputs differ by at most {difference:.2g} from those of the run"
    for name, digest in bundle.files.items():
        yield f"- `{name}`: SHA-256 `{digest}`"
