"""What Keras 3 has and the allowlist has not: every name with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final


def _because(reasons: Mapping[str, Iterable[str]]) -> dict[str, str]:
    return {name: reason for reason, names in reasons.items() for name in names}


LAYERS: Final[Mapping[str, str]] = _because(
    {
        "holds Python code": ("Lambda", "JaxLayer", "FlaxLayer", "TorchModuleWrapper"),
        "loads a SavedModel from a path": ("TFSMLayer",),
        "looks values up in a vocabulary, which may be a file": ("StringLookup", "IntegerLookup", "TextVectorization"),
        "hashes text, which no tensor of numbers holds": ("Hashing", "HashedCrossing"),
        "is a base class": ("Layer", "Wrapper"),
        "is made by the builder of graphs itself": ("InputLayer",),
        "is built as the layer of its one cell, or as a layer for each of a stack; cells of the author's are not": ("RNN",),
        "is a part of a recurrent layer and made with it": ("GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells"),
        "holds layers that its constructor deserialises": ("Pipeline",),
        "chooses among operations by name while it runs, and is read as Identity": ("AugMix", "RandAugment"),
        "mixes labels as well as images, and is read as Identity": ("CutMix", "MixUp"),
        "holds random streams that are not seeded one by one, and is read as Identity": ("RandomColorJitter",),
        "cannot be traced as a part of a graph": ("Equalization",),
        "works on bounding boxes": ("MaxNumBoundingBoxes",),
        "makes sizes that are drawn while it runs, and is read as Identity": ("RandomHeight", "RandomWidth"),
        "makes another shape depending on how it is called": ("ReversibleEmbedding",),
        "draws its kernel with SciPy, which unstuck does not need otherwise": ("STFTSpectrogram",),
        "tells a wrong number of frames for some lengths, and measures each sample by the loudest of its batch": ("MelSpectrogram",),
    }
)  # fmt: skip
"""Layer -> why it is not built."""

INITIALIZERS: Final[Mapping[str, str]] = _because(
    {"is a base class": ("Initializer",), "belongs to a layer that is left out, and takes SciPy": ("STFT",)}
)
REGULARIZERS: Final[Mapping[str, str]] = _because({"is a base class": ("Regularizer",)})
CONSTRAINTS: Final[Mapping[str, str]] = _because({"is a base class": ("Constraint",)})
LOSSES: Final[Mapping[str, str]] = _because({"is a base class": ("Loss",)})
OPTIMIZERS: Final[Mapping[str, str]] = _because(
    {
        "is a base class": ("Optimizer",),
        "wraps another optimizer, which the reader takes out": ("LossScaleOptimizer",),
        "holds optimizers that its constructor deserialises": ("MultiOptimizer",),
    }
)
SCHEDULES: Final[Mapping[str, str]] = _because({"is a base class": ("LearningRateSchedule",)})
ACTIVATIONS: Final[Mapping[str, str]] = _because(
    {"is no activation but looks one up": ("deserialize", "get", "serialize")}
)

OPERATIONS: Final[Mapping[str, str]] = _because(
    {
        "is a base class": ("Operation", "SegmentReduction", "Function"),
        "takes a Python function": (
            "AssociativeScan", "Cond", "ForiLoop", "JVP", "Map", "Scan", "Switch", "VectorizedMap", "WhileLoop",
        ),
        "is read as the layer of that name, or as an activation": (
            "Concatenate", "Elu", "HardSigmoid", "HardSilu", "HardTanh", "LeakyRelu", "LogSigmoid", "Relu", "Relu6",
            "Reshape", "Selu", "Sigmoid", "Silu", "Softmax", "Softplus", "Softsign", "SparsePlus", "SparseSigmoid",
            "Tanh", "TanhShrink",
        ),
        "takes its weights as tensors of the graph, which no layer owns": (
            "BatchNorm", "Conv", "ConvTranspose", "DepthwiseConv", "LayerNorm", "RMSNorm", "SeparableConv",
        ),
        "is a loss or a metric": (
            "BinaryCrossentropy", "CTCDecode", "CTCLoss", "CategoricalCrossentropy", "InTopK", "PSNR", "SSIM",
            "SparseCategoricalCrossentropy",
        ),
        "makes a shape that depends on values": (
            "Arange", "Bincount", "Geomspace", "Histogram", "Linspace", "Logspace", "Nonzero", "Unique", "UnravelIndex",
        ),
        "makes a tensor of a fixed batch, or out of settings alone": (
            "Array", "BroadcastTo", "ConvertToTensor", "EmptyLike", "Full", "Meshgrid", "MultiHot", "Scatter", "Slice",
            "Vander",
        ),
        "mixes the samples of a batch, whose axis it flattens or takes for one of its own": (
            "Corrcoef", "Correlate", "Diag", "Diagflat", "Dot", "Kron", "Lstsq", "MatrixRank", "Outer", "SegmentMax",
            "SegmentMin", "SegmentProd", "SegmentSum", "Vdot", "Vsplit",
        ),
        "writes into a tensor at places that are tensors": ("ScatterUpdate", "SliceUpdate"),
        "warps images by transformations that are tensors": (
            "AffineTransform", "ElasticTransform", "MapCoordinates", "PerspectiveTransform", "ScaleAndTranslate",
        ),
        "lays windows out as PyTorch does, for which there is no shape rule": ("Fold", "Unfold"),
        "works on complex numbers or prepares signals": (
            "Angle", "Conj", "Conjugate", "Eig", "ExtractSequences", "ISTFT", "Imag", "Isreal", "Polar", "Real", "STFT",
            "ViewAsComplex", "ViewAsReal",
        ),
        "has no gradient and no shape of its own": ("AllClose", "IsIn", "Ndim", "SearchSorted", "Select", "Size"),
        "is a factorisation that TensorFlow does not differentiate": ("LuFactor", "Pinv"),
        "is a language of its own": ("Rearrange",),
        "has the name of a merge layer that does something else": ("Average",),
        "has a shape that Keras itself tells wrongly": ("AdaptiveAveragePool", "AdaptiveMaxPool", "Slogdet"),
        "reads the bits of numbers as others": ("View",),
    }
)  # fmt: skip
"""Operation -> why it is not built."""
