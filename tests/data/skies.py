"""A dataset whose loader returns whatever a test puts into it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from benchmarker import (
    Classification,
    Dataset,
    DatasetContents,
    DatasetContext,
    ImageRecord,
    LabelledImages,
    Options,
    Preparation,
    SkippedImage,
    Stream,
    Task,
)
from benchmarker.data.loading import Context
from benchmarker.data.prepared import prepare

TASK = Classification(classes=("compact", "FRI"))
SKY = Dataset(name="sky", loader="fake_sky:load", licence="CC0", citation="none")


def noise_image(number: int, size: int = 16) -> Any:
    return Stream("test", number=number).generator().random((size, size))


def record(number: int, **more: Any) -> ImageRecord:
    given = {"image": noise_image(number), "target": number % 2, "source_id": f"J{number:04d}"} | more
    return ImageRecord(**given)


@dataclass
class Sky:
    """A dataset whose loader returns whatever a test puts here."""

    records: list[ImageRecord | SkippedImage] = field(default_factory=lambda: [record(k) for k in range(6)])
    signature: Any = "one"
    task: Task = TASK
    units: dict[str, str] = field(default_factory=dict)
    asked: int = 0
    received: tuple[Options | None, DatasetContext] | None = None

    def load(self, options: Options | None, context: DatasetContext) -> DatasetContents:
        self.received = (options, context)

        def records() -> Iterable[ImageRecord | SkippedImage]:
            self.asked += 1
            yield from self.records

        return DatasetContents(
            task=self.task,
            records=records,
            signature=self.signature,
            count=len(self.records),
            attribute_units=self.units,
        )


def prepare_sky(options: Options | None = None, preparation: Preparation | None = None) -> LabelledImages:
    return prepare(SKY, options, preparation or Preparation(), Context(dataset="sky"))[0]
