"""What can be wrong with an uploaded file: one exception, a closed table of codes.

The service maps a code to an RFC 9457 problem (``app.errors``), the command line to exit code 2.
"""

from __future__ import annotations

from typing import Final

INPUT_ERRORS: Final[dict[str, str]] = {
    "empty-file": "The file is empty. Upload the .keras or .h5 file that model.save() wrote.",
    "not-a-model": "This is not a Keras model file. Save the model with model.save('model.keras') and upload that file.",
    "git-lfs-pointer": "This is a Git LFS pointer, not the model. Run `git lfs pull` and upload the file it fetches.",
    "html-page": "This is a web page saved under a model's name. Download the file itself (the raw link) and upload that.",
    "pytorch-file": "This is a PyTorch file. unstuck reads Keras models: rebuild the network in Keras and save it with model.save('model.keras').",
    "onnx-file": "This is an ONNX file. Upload the Keras model that it was exported from, saved with model.save('model.keras').",
    "tflite-file": "This is a TensorFlow Lite file. Upload the Keras model that it was converted from, saved with model.save('model.keras').",
    "savedmodel-file": "This is a TensorFlow SavedModel. Load it where it was made and save it with model.save('model.keras').",
    "pickle-file": "This is a Python pickle, which unstuck never opens. Save the model with model.save('model.keras').",
    "architecture-only": "This file holds only the architecture as JSON. Save the whole model with model.save('model.keras').",
    "weights-only": "This file holds weights without an architecture. Save the whole model with model.save('model.keras') instead of save_weights().",
    "truncated-file": "The file ends before its content does. Upload it again, and compare its size with the original's.",
    "corrupt-file": "The file's structure is damaged. Save the model again and upload the new file.",
    "unsafe-file": "The file uses a construction that no Keras version writes (links, external data, duplicate or escaping names). Save the model again with model.save('model.keras').",
    "too-many-objects": "The file declares more layers, tensors or bytes than the limits allow. GET /v1/limits lists them.",
    "invalid-config": "The model's configuration cannot be read. Save the model again with a current Keras and upload the new file.",
    "no-layers": "The model in this file has no layers. Build the model before saving it.",
    "subclassed-model": "This model is a Python subclass, so the file does not hold its graph. Rebuild it with the functional API and save it with model.save('model.keras').",
    "unbuilt-model": "The model was saved before it knew its input shape. Give the first layer an Input(shape=...) or call the model once, then save it again.",
    "unknown-option": "The loss or optimizer that was sent is not one of Keras's. Send its Keras name, for example categorical_crossentropy or adam.",
    "reading-timeout": "Reading the file took longer than the limit. The file may be damaged; save the model again.",
    "reading-crash": "Reading the file stopped the reader. The file is damaged; save the model again and upload the new file.",
    "reading-memory": "Reading the file took more memory than its size allows. The file is damaged or built to do that; save the model again and upload the new file.",
    "model-too-large": "The model needs more memory than one diagnosis may use. GET /v1/limits lists the limits; probe=off judges the model without training it.",
    "probe-crash": "Training the model stopped the process that trained it. Ask for a report without training (probe=off).",
    "probe-timeout": "Training the model did not end in its time. Give it a larger budget_s, or ask for a report without training (probe=off).",
}
"""Code -> what it means and what to do next."""


class InputError(Exception):
    """The file cannot be used, and its sender can do something about it.

    Args:
        code: a key of :data:`INPUT_ERRORS`.
        detail: what was seen in this very file; never a path of the server, never a stack trace.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        self.code = code
        self.advice = INPUT_ERRORS[code]
        self.detail = detail
        super().__init__(f"{self.advice} ({detail})" if detail else self.advice)
