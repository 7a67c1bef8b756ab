"""One or more small settings of every layer that the builder makes, and of every operation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from analyzers.spec import Argument, Call, LayerSpec, ModelSpec, Shape, TensorRef
from analyzers.spec.operations import BINARY, PLACES, QUANTILES, REDUCTIONS, UNARY, WHOLE_NUMBERS

IMAGE: Shape = (None, 8, 6, 4)
VOLUME: Shape = (None, 4, 6, 5, 2)
SEQUENCE: Shape = (None, 7, 4)
TABLE: Shape = (None, 5)
PIXELS: Shape = (None, 8, 6, 3)
SQUARE: Shape = (None, 4, 4)


@dataclass(frozen=True)
class Sample:
    """A kind with a config, called once on inputs of these shapes."""

    kind: str
    config: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[Shape, ...] = (IMAGE,)
    merged: bool = False
    args: tuple[Argument, ...] = ()
    dtype: str = "float32"

    @property
    def id(self) -> str:
        """A name for the test's report."""
        return f"{self.kind}({', '.join(f'{key}={value}' for key, value in self.config.items())})"[:90]

    def spec(self) -> ModelSpec:
        """The model that only calls this layer."""
        names = [f"input_{number}" for number in range(len(self.inputs))]
        layers = [
            LayerSpec(name, "InputLayer", {"batch_shape": list(shape), "dtype": self.dtype}, (), path=name)
            for name, shape in zip(names, self.inputs, strict=True)
        ]
        refs = tuple(TensorRef(name) for name in names)
        call = Call((refs,)) if self.merged else Call((*refs, *self.args))
        layers.append(LayerSpec("layer", self.kind, self.config, (call,), path="layer"))
        return ModelSpec("model", "functional", tuple(layers), refs, (TensorRef("layer"),))


def _made(kind: str, **config: object) -> dict[str, object]:
    return {"kind": kind, "config": config}


_LSTM = _made("LSTM", units=3, return_sequences=True)

SAMPLES = (
    Sample("Dense", {"units": 3, "activation": "relu"}),
    Sample("Dense", {"units": 3, "use_bias": False, "kernel_regularizer": _made("L2", l2=0.1)}, (TABLE,)),
    Sample("Dense", {"units": 3, "activation": _made("LeakyReLU", negative_slope=0.1)}, (TABLE,)),
    Sample("Embedding", {"input_dim": 11, "output_dim": 3}, ((None, 7),), dtype="int32"),
    *(
        Sample(f"Conv{rank}D", {"filters": 6, "kernel_size": 3, **more}, (shape,))
        for rank, shape in ((1, SEQUENCE), (2, IMAGE), (3, VOLUME))
        for more in ({}, {"padding": "same", "strides": 2}, {"padding": "same", "dilation_rate": 2})
    ),
    Sample("Conv1D", {"filters": 6, "kernel_size": [3], "padding": "causal", "strides": 2}, (SEQUENCE,)),
    Sample(
        "Conv2D", {"filters": 6, "kernel_size": [5, 1], "strides": [2, 1], "groups": 2, "use_bias": False}
    ),
    *(
        Sample(f"Conv{rank}DTranspose", {"filters": 3, "kernel_size": 3, **more}, (shape,))
        for rank, shape in ((1, SEQUENCE), (2, IMAGE), (3, VOLUME))
        for more in ({}, {"padding": "same", "strides": 2}, {"strides": 2, "output_padding": 1})
    ),
    Sample("Conv2DTranspose", {"filters": 3, "kernel_size": 2, "strides": 3, "padding": "valid"}),
    Sample(
        "Conv2DTranspose",
        {"filters": 3, "kernel_size": 4, "strides": 2, "padding": "same", "output_padding": 1},
    ),
    *(
        Sample(
            f"{kind}Conv{rank}D",
            {"kernel_size": 3, "depth_multiplier": 2, "padding": "same", **more},
            (shape,),
        )
        for kind, more in (("Depthwise", {}), ("Separable", {"filters": 3}))
        for rank, shape in ((1, SEQUENCE), (2, IMAGE))
    ),
    *(
        Sample(f"{how}Pooling{rank}D", {"pool_size": 2, **more}, (shape,))
        for how in ("Max", "Average")
        for rank, shape in ((1, SEQUENCE), (2, IMAGE), (3, VOLUME))
        for more in ({}, {"padding": "same", "strides": 3})
    ),
    *(
        Sample(f"Global{how}Pooling{rank}D", more, (shape,))
        for how in ("Max", "Average")
        for rank, shape in ((1, SEQUENCE), (2, IMAGE), (3, VOLUME))
        for more in ({}, {"keepdims": True})
    ),
    *(
        Sample(f"Adaptive{how}Pooling{rank}D", {"output_size": 2}, (shape,))
        for how in ("Max", "Average")
        for rank, shape in ((1, SEQUENCE), (2, IMAGE), (3, VOLUME))
    ),
    Sample("AdaptiveAveragePooling2D", {"output_size": [3, 1]}),
    Sample("Flatten"),
    Sample("Reshape", {"target_shape": [-1, 4]}),
    Sample("Reshape", {"target_shape": [6, 32]}),
    Sample("Permute", {"dims": [2, 1]}, (SEQUENCE,)),
    Sample("RepeatVector", {"n": 3}, (TABLE,)),
    Sample("ZeroPadding1D", {"padding": [1, 2]}, (SEQUENCE,)),
    Sample("ZeroPadding2D", {"padding": [[0, 1], [2, 3]]}),
    Sample("ZeroPadding2D", {"padding": [1, 2]}),
    Sample("ZeroPadding3D", {}, (VOLUME,)),
    Sample("Cropping1D", {}, (SEQUENCE,)),
    Sample("Cropping2D", {"cropping": [[0, 1], [2, 3]]}),
    Sample("Cropping3D", {}, (VOLUME,)),
    Sample("UpSampling1D", {}, (SEQUENCE,)),
    Sample("UpSampling2D", {"size": [2, 3], "interpolation": "bilinear"}),
    Sample("UpSampling3D", {}, (VOLUME,)),
    Sample("Identity"),
    Sample("Masking", {}, (SEQUENCE,)),
    Sample("Activation", {"activation": "hard_sigmoid"}),
    Sample("ReLU", {"max_value": 6}),
    Sample("LeakyReLU"),
    Sample("ELU"),
    Sample("PReLU", {"shared_axes": [1, 2]}),
    Sample("Softmax"),
    *(
        Sample(kind, {}, (IMAGE, (None, 1, 1, 4)), merged=True)
        for kind in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
    ),
    Sample("Concatenate", {"axis": 2}, (IMAGE, (None, 8, 3, 4)), merged=True),
    Sample("Dot", {"axes": 2}, (SEQUENCE, SEQUENCE), merged=True),
    Sample("Dot", {"axes": [1, 1], "normalize": True}, (TABLE, TABLE), merged=True),
    Sample("BatchNormalization"),
    Sample("BatchNormalization", {"axis": 1, "scale": False, "momentum": 0.9}),
    Sample("LayerNormalization", {"axis": [2, 3]}),
    Sample("GroupNormalization", {"groups": 2}),
    Sample("RMSNormalization"),
    *(Sample("InstanceNormalization", config) for config in ({}, {"axis": -1, "center": False})),
    Sample("Dense", {"units": 3, "activation": "legacy_hard_sigmoid"}, (TABLE,)),
    Sample("LSTM", {"units": 3, "recurrent_activation": "legacy_hard_sigmoid"}, (SEQUENCE,)),
    Sample("UnitNormalization"),
    *(
        Sample(kind, {"rate": 0.5})
        for kind in ("Dropout", "AlphaDropout", "GaussianDropout", "SpatialDropout2D")
    ),
    Sample("SpatialDropout1D", {"rate": 0.5}, (SEQUENCE,)),
    Sample("SpatialDropout3D", {"rate": 0.5}, (VOLUME,)),
    Sample("GaussianNoise", {"stddev": 0.5}),
    Sample("ActivityRegularization", {"l2": 0.5}),
    Sample("StochasticDepth", {"drop_path_rate": 0.5}),
    Sample("Rescaling", {"scale": [0.1, 0.2, 0.3, 0.4], "offset": -1}),
    Sample("Normalization"),
    Sample("Normalization", {"axis": None}),
    Sample("Normalization", {"mean": [1.0, 2, 3, 4], "variance": [1.0, 1, 1, 1]}),
    Sample("LayerScale", {"init_values": 0.1, "projection_dim": 4}),
    Sample("CustomScaleLayer", {"scale": 0.1}, (IMAGE, IMAGE), merged=True),
    *(
        Sample(kind, {"units": 3, **more}, (SEQUENCE,))
        for kind in ("SimpleRNN", "LSTM", "GRU")
        for more in ({}, {"return_sequences": True, "return_state": True, "dropout": 0.1})
    ),
    Sample("GRU", {"units": 3, "reset_after": False}, (SEQUENCE,)),
    *(
        Sample(f"ConvLSTM{rank}D", {"filters": 3, "kernel_size": 2, **more}, ((None, 3, *shape[1:]),))
        for rank, shape in ((1, SEQUENCE), (2, IMAGE), (3, VOLUME))
        for more in ({}, {"padding": "same", "return_sequences": True, "return_state": True})
    ),
    Sample("EinsumDense", {"equation": "abc,cd->abd", "output_shape": [7, 3], "bias_axes": "d"}, (SEQUENCE,)),
    Sample("EinsumDense", {"equation": "abc,bcd->ad", "output_shape": 3}, (SEQUENCE,)),
    Sample("TimeDistributed", {"layer": _made("Dense", units=3)}, (SEQUENCE,)),
    Sample("TimeDistributed", {"layer": _made("Conv2D", filters=3, kernel_size=3)}, ((None, 2, *IMAGE[1:]),)),
    Sample("SpectralNormalization", {"layer": _made("Dense", units=3)}, (SEQUENCE,)),
    Sample(
        "SpectralNormalization", {"layer": _made("Conv2D", filters=3, kernel_size=3), "power_iterations": 2}
    ),
    *(
        Sample("CategoryEncoding", {"num_tokens": 5, "output_mode": mode}, (shape,), dtype="int32")
        for mode in ("multi_hot", "one_hot", "count")
        for shape in ((None, 3), (None, 1))
    ),
    *(
        Sample("Discretization", {"bin_boundaries": [0.0, 1.0, 2.0], "output_mode": mode}, (TABLE,))
        for mode in ("int", "one_hot", "multi_hot", "count")
    ),
    Sample("Bidirectional", {"layer": _LSTM}, (SEQUENCE,)),
    Sample("Bidirectional", {"layer": _made("GRU", units=3), "merge_mode": "sum"}, (SEQUENCE,)),
    Sample(
        "Bidirectional",
        {"layer": _LSTM, "backward_layer": _made("LSTM", units=3, return_sequences=True, go_backwards=True)},
        (SEQUENCE,),
    ),
    Sample("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, (SEQUENCE, (None, 9, 5))),
    Sample(
        "MultiHeadAttention",
        {"num_heads": 2, "key_dim": 3, "value_dim": 5, "output_shape": 6, "use_bias": False},
        (SEQUENCE, (None, 9, 5), (None, 9, 2)),
    ),
    *(
        Sample(
            "GroupQueryAttention",
            {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2, **more},
            (SEQUENCE, (None, 9, 4)),
        )
        for more in ({}, {"use_bias": False})
    ),
    Sample("Attention", {"use_scale": True}, (SEQUENCE, (None, 9, 4)), merged=True),
    Sample("AdditiveAttention", {}, (SEQUENCE, (None, 9, 4)), merged=True),
    Sample("Resizing", {"height": 5, "width": 3}),
    Sample("CenterCrop", {"height": 5, "width": 3}),
    Sample("RandomCrop", {"height": 5, "width": 3}, (PIXELS,)),
    Sample("RandomFlip", {"mode": "horizontal"}, (PIXELS,)),
    *(
        Sample(kind, {"factor": 0.1}, (PIXELS,))
        for kind in ("RandomRotation", "RandomContrast", "RandomBrightness")
    ),
    Sample("RandomContrast", {"factor": [0.1, 0.2], "value_range": [0, 1]}, (PIXELS,)),
    *(
        Sample(kind, {"factor": 0.1}, (PIXELS,))
        for kind in (
            "RandomHue",
            "RandomSaturation",
            "RandomSharpness",
            "RandomColorDegeneration",
            "RandomInvert",
        )
    ),
    *(
        Sample(kind, {}, (PIXELS,))
        for kind in (
            "AutoContrast",
            "Solarization",
            "RandomErasing",
            "RandomGaussianBlur",
            "RandomPerspective",
            "RandomElasticTransform",
        )
    ),
    Sample("ContrastLimitedAdaptiveHistogramEqualization", {"tile_grid_size": [2, 2]}, (PIXELS,)),
    Sample("RandomGrayscale", {}, (PIXELS,)),
    Sample("RandomPosterization", {"factor": 4}, (PIXELS,)),
    Sample("RandomZoom", {"height_factor": 0.1}, (PIXELS,)),
    Sample("RandomTranslation", {"height_factor": 0.1, "width_factor": [-0.1, 0.2]}, (PIXELS,)),
    Sample("RandomShear", {"x_factor": 0.1}, (PIXELS,)),
)

_ON_TENSORS = frozenset({"Heaviside", "Hypot"})
"""Binary operations that Keras does not apply to a tensor and a number."""

OPERATIONS = (
    Sample("Add", args=((1.0, 2.0, 3.0, 4.0),)),
    *(Sample(kind, args=(2.0,)) for kind in ("Add", "Subtract", "Multiply", "Maximum", "Minimum")),
    *(Sample(kind, args=(2.0,)) for kind in sorted(BINARY - WHOLE_NUMBERS - _ON_TENSORS - {"Ldexp"})),
    *(Sample(kind, {}, (IMAGE, IMAGE)) for kind in sorted(_ON_TENSORS)),
    *(Sample(kind, {}, (IMAGE, IMAGE), dtype="int32") for kind in sorted(BINARY & WHOLE_NUMBERS | {"Ldexp"})),
    Sample("Multiply", inputs=(IMAGE, (None, 6, 1))),
    *(Sample(kind) for kind in sorted(UNARY - WHOLE_NUMBERS - {"Inv"})),
    *(Sample(kind, dtype="int32") for kind in sorted(UNARY & WHOLE_NUMBERS)),
    Sample("Mean", {"axis": [1, 2], "keepdims": True}),
    *(Sample(kind, {"axis": -1}) for kind in sorted(REDUCTIONS - {"Any", "All"})),
    *(Sample(kind, {"axis": -1}, dtype="bool") for kind in ("Any", "All")),
    *(Sample(kind, {"axis": -1}) for kind in sorted(PLACES | {"LogSoftmax", "Sparsemax", "Flip"})),
    *(Sample(kind, {"axis": -1}, args=(share,)) for kind in sorted(QUANTILES) for share in (0.5, (0.1, 0.9))),
    *(Sample(kind) for kind in ("Gelu", "Celu", "Squareplus", "HardShrink", "SoftShrink", "NanToNum")),
    Sample("Threshold", {"threshold": 0.5, "default_value": 0.0}),
    Sample("Where", {}, (IMAGE, IMAGE, IMAGE), dtype="bool"),
    Sample("Isclose", {}, (IMAGE, IMAGE)),
    Sample("Matmul", {}, (SEQUENCE, (None, 4, 3))),
    Sample("Tile", {"repeats": [1, 2, 1, 3]}),
    Sample("Stack", {"axis": 1}, (TABLE, TABLE, TABLE), merged=True),
    *(Sample(kind, {"axis": 1}) for kind in ("Cumsum", "Cumprod", "Nancumsum", "Nancumprod")),
    Sample("Round", {"decimals": 2}),
    Sample("Roll", {"shift": 3, "axis": 1}),
    Sample("Normalize", {"axis": -1}),
    Sample("Clip", {"x_min": 0, "x_max": 1}),
    *(Sample(kind, {"dtype": "float16"}) for kind in ("Cast", "SaturateCast", "OnesLike", "ZerosLike")),
    Sample("FullLike", args=(2.0,)),
    Sample("ExpandDims", {"axis": 1}),
    Sample("Squeeze", {"axis": 1}, ((None, 1, 4),)),
    Sample("Transpose", {"axes": [0, 2, 1, 3]}),
    Sample("GetItem", args=(("...", {"start": None, "stop": None, "step": -1}),)),
    Sample(
        "GetItem",
        args=(({"start": None, "stop": None, "step": None}, 0, None, {"start": 1, "stop": 5, "step": 2}),),
    ),
    Sample("Append", {"axis": 1}, (SEQUENCE, SEQUENCE)),
    Sample("ArraySplit", {"indices_or_sections": 3, "axis": 1}),
    *(Sample("Split", {"indices_or_sections": parts, "axis": 1}) for parts in (4, [1, 3])),
    Sample("Hsplit", {"indices_or_sections": 2}),
    Sample("Dsplit", {"indices_or_sections": 2}),
    Sample("Unstack", {"axis": 1}),
    Sample("Moments", {"axes": [1, 2]}),
    Sample("TopK", {"k": 2}),
    Sample("DepthToSpace", {"block_size": 2}),
    Sample("SpaceToDepth", {"block_size": 2}),
    Sample("Diagonal", {"axis1": 1, "axis2": 2, "offset": 1}),
    Sample("Trace", {"axis1": 1, "axis2": 2}),
    Sample("Diff", {"axis": 1}),
    *(Sample(kind, {}, (SEQUENCE, SEQUENCE), merged=True) for kind in ("Hstack", "Dstack", "Vstack")),
    Sample("Glu"),
    Sample("Moveaxis", {"source": 1, "destination": -1}),
    Sample("Moveaxis", {"source": [1, 2], "destination": [3, 1]}),
    Sample("Swapaxes", {"axis1": 1, "axis2": 3}),
    Sample("Rot90", {"axes": [1, 2]}),
    Sample("Ravel"),
    Sample("OneHot", {"num_classes": 5}, ((None, 7),), dtype="int32"),
    Sample("Pad", {"pad_width": [[0, 0], [1, 2], [0, 3], [0, 0]]}),
    Sample("Pad", {"pad_width": [[0, 0], [1, 2], [0, 3], [0, 0]], "mode": "reflect"}),
    *(Sample("Repeat", {"repeats": repeats, "axis": 3}) for repeats in (2, [1, 0, 2, 1])),
    *(Sample("Take", {"axis": 2}, args=(indices,)) for indices in (1, (0, 2, 1), ((0, 1), (2, 3)))),
    Sample("Take", {"axis": 1}, ((None, 7), (None, 3)), dtype="int32"),
    Sample("TakeAlongAxis", {"axis": 1}, ((None, 7), (None, 3)), dtype="int32"),
    Sample("Trapezoid"),
    *(Sample(kind, {"k": 1}) for kind in ("Tril", "Triu")),
    *(Sample(kind, {"axis": 1}) for kind in ("Argsort", "Sort", "CountNonzero")),
    Sample("Argpartition", {"kth": 2}),
    Sample("Digitize", args=((0.0, 1.0, 2.0),)),
    *(
        Sample(f"{how}Pool", {"pool_size": 2, "padding": "same"}, (shape,))
        for how in ("Max", "Average")
        for shape in (SEQUENCE, IMAGE)
    ),
    Sample("CropImages", {"top_cropping": 1, "bottom_cropping": 2, "left_cropping": 0, "target_width": 4}),
    Sample("PadImages", {"top_padding": 1, "bottom_padding": 2, "left_padding": 0, "target_width": 9}),
    *(Sample("ExtractPatches", {"size": 2, **more}) for more in ({}, {"strides": [1, 2], "padding": "same"})),
    Sample("GaussianBlur", {"kernel_size": [3, 3], "sigma": [1.0, 1.0]}),
    Sample("Resize", {"size": [5, 3]}),
    *(Sample(kind, {}, (PIXELS,)) for kind in ("HSVToRGB", "RGBToGrayscale", "RGBToHSV", "SobelEdges")),
    Sample("DotProductAttention", {"is_causal": True}, ((None, 5, 2, 4), (None, 5, 2, 4), (None, 5, 2, 4))),
    Sample("CDist", {}, (SEQUENCE, (None, 5, 4))),
    *(
        Sample(kind, {}, (SQUARE,))
        for kind in ("Cholesky", "CholeskyInverse", "Inv", "Det", "Eigh", "Logdet")
    ),
    Sample("Cross", {}, (PIXELS, PIXELS)),
    Sample("Cross", {}, ((None, 2), (None, 2))),
    Sample("Einsum", {"subscripts": "bij,bjk->bik"}, (SEQUENCE, (None, 4, 3))),
    Sample("Einsum", {"subscripts": "...ij,...kj->...ik"}, (IMAGE, IMAGE)),
    Sample("Einsum", {"subscripts": "bij->bji"}, (SEQUENCE,)),
    Sample("Einsum", {"subscripts": "bi,bj,bk->bijk"}, (TABLE, TABLE, TABLE)),
    Sample("Inner", {}, (SEQUENCE, (None, 4))),
    Sample("Norm", {"axis": -1}),
    Sample("Norm", {"axis": [1, 2], "keepdims": True, "ord": "fro"}),
    *(Sample("Qr", {"mode": mode}, (SEQUENCE,)) for mode in ("reduced", "complete")),
    *(Sample("SVD", {"full_matrices": full}, (SEQUENCE,)) for full in (True, False)),
    *(Sample(kind, {}, (SQUARE, (None, 4, 2))) for kind in ("Solve", "SolveTriangular")),
    Sample("Tensordot", {"axes": 1}, (SEQUENCE, (None, 3))),
    Sample("Tensordot", {"axes": [[2], [1]]}, (SEQUENCE, (None, 4))),
    *(Sample(kind, {}, (SEQUENCE, SEQUENCE), merged=True) for kind in ("FFT", "FFT2", "IFFT2", "IRFFT")),
    Sample("RFFT", {}, (SEQUENCE,)),
)
