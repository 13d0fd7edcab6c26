"""Answers a `PredictRequest` from a SavedModel, as TensorFlow Serving's predict_util.cc does; run in its own process.

``python saved_model_server.py FOLDER LATENT.npy CONDITIONS.npy`` prints the signatures and writes the replies beside.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.json_format import MessageToDict
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2


def signatures(folder: Path) -> Any:
    """Return the signatures of the graph that TensorFlow Serving loads, the one with the tag ``serve`` alone."""
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    (graph,) = (each for each in saved.meta_graphs if set(each.meta_info_def.tags) == {"serve"})
    return graph.signature_def


def request(signature: str, **inputs: Any) -> bytes:
    """Return a request as it travels."""
    asked = predict_pb2.PredictRequest()
    asked.model_spec.name = "generator"
    asked.model_spec.signature_name = signature
    for name, values in inputs.items():
        asked.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    found: bytes = asked.SerializeToString()
    return found


def answer(session: Any, known: Any, content: bytes) -> bytes:
    """Return the reply to a request as it travels."""
    asked = predict_pb2.PredictRequest.FromString(content)
    signature = known[asked.model_spec.signature_name]
    if set(asked.inputs) != set(signature.inputs):
        raise ValueError(f"{sorted(asked.inputs)} are not the inputs {sorted(signature.inputs)}")
    feeds = {}
    for name, info in signature.inputs.items():
        if asked.inputs[name].dtype != info.dtype:
            raise ValueError(f"{name} has another type")
        feeds[info.name] = tf.make_ndarray(asked.inputs[name])
    names = list(signature.outputs)
    values = session.run([signature.outputs[name].name for name in names], feeds)
    reply = predict_pb2.PredictResponse()
    for name, value in zip(names, values, strict=True):
        reply.outputs[name].CopyFrom(tf.make_tensor_proto(value))
    found: bytes = reply.SerializeToString()
    return found


def main(folder: Path, latent: Path, conditions: Path) -> None:
    """Print the signatures, and write ``latent.npy`` and ``seeded.npy``, the images of two requests."""
    known = signatures(folder)
    described = get_model_metadata_pb2.SignatureDefMap(signature_def=dict(known))
    asked = {
        "serving_default": {"latent": np.load(latent), "conditions": np.load(conditions)},
        "seeded": {"seed": np.array([7, 8, 7], np.int64), "conditions": np.load(conditions)},
    }
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        tf.compat.v1.saved_model.load(session, ["serve"], str(folder))
        for name, inputs in asked.items():
            reply = predict_pb2.PredictResponse.FromString(answer(session, known, request(name, **inputs)))
            np.save(latent.with_name(f"{name}.npy"), tf.make_ndarray(reply.outputs["images"]))
    sys.stdout.write(json.dumps(MessageToDict(described, preserving_proto_field_name=True)))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
