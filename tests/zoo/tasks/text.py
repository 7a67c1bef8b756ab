"""Text: one class for a passage, the next character, a tag at each character."""

from __future__ import annotations

from typing import Any, Final

import keras
from keras import layers, ops

from tests.zoo.tasks.data.text import ALPHABET, CHARACTERS, MODULES, VOCABULARY, WORDS
from tests.zoo.tasks.task_model import (
    CROSS,
    YES_NO,
    Optimizer,
    TaskModel,
    adam,
    borderline,
    compiled,
    medium,
    sequential,
    sgd,
    strong,
)

LETTERS: Final = len(ALPHABET)


def words(
    *body: Any,
    optimizer: Optimizer | None = None,
    last: str = "sigmoid",
    loss: str = YES_NO,
    embedding: Any = "uniform",
    size: int = 16,
    trained: bool = True,
) -> keras.Model:
    """An embedding, layers, and yes or no."""
    first = layers.Embedding(VOCABULARY, size, embeddings_initializer=embedding, trainable=trained)
    return compiled(sequential((WORDS,), first, *body, layers.Dense(1, last), dtype="int32"), loss, optimizer)


def attended(x: Any, size: int, *, causal: bool = False) -> Any:
    """A transformer's block, normalised before."""
    y = layers.LayerNormalization()(x)
    x = layers.Add()([x, layers.MultiHeadAttention(2, size // 2)(y, y, use_causal_mask=causal)])
    y = layers.Dense(2 * size, "gelu")(layers.LayerNormalization()(x))
    return layers.Add()([x, layers.Dense(size)(y)])


def positioned(inputs: Any, length: int, vocabulary: int, size: int) -> Any:
    """Embeddings of the tokens and of their places."""
    places = layers.Embedding(length, size)(ops.arange(length))
    return layers.Embedding(vocabulary, size)(inputs) + places


def transformer(optimizer: Optimizer | None = None, *, size: int = 32, blocks: int = 1) -> keras.Model:
    """A small transformer over words, four classes."""
    inputs = keras.Input((WORDS,), dtype="int32")
    x = positioned(inputs, WORDS, VOCABULARY, size)
    for _ in range(blocks):
        x = attended(x, size)
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return compiled(keras.Model(inputs, layers.Dense(len(MODULES), "softmax")(x)), CROSS, optimizer)


def next_character(*body: Any, optimizer: Optimizer | None = None, size: int = 24) -> keras.Model:
    """An embedding, layers, and the next character at each place."""
    model = sequential(
        (CHARACTERS,), layers.Embedding(LETTERS, size), *body, layers.Dense(LETTERS, "softmax"), dtype="int32"
    )
    return compiled(model, CROSS, optimizer)


def causal_transformer(optimizer: Optimizer | None = None) -> keras.Model:
    """A small transformer that looks back only."""
    inputs = keras.Input((CHARACTERS,), dtype="int32")
    x = attended(positioned(inputs, CHARACTERS, LETTERS, 48), 48, causal=True)
    outputs = layers.Dense(LETTERS)(layers.LayerNormalization()(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return compiled(keras.Model(inputs, outputs), loss, optimizer)


def tagger(optimizer: Optimizer | None = None, *, units: int = 16, dropout: float = 0.1) -> keras.Model:
    """Three tags for each character."""
    body = [
        layers.Embedding(LETTERS, 16),
        layers.SpatialDropout1D(dropout),
        layers.Bidirectional(layers.LSTM(units, return_sequences=True)),
        layers.Dense(3, "softmax"),
    ]
    return compiled(sequential((CHARACTERS,), *body, dtype="int32"), CROSS, optimizer)


_WORDS: Final = ("text classes", "prose or code")
_MODULES: Final = ("text classes", "modules")
_NEXT: Final = ("tokens", "characters")
_TAGS: Final = ("tokens", "word boundaries")

MODELS: Final = (
    TaskModel(
        "text-pooled", *_WORDS, lambda: words(layers.GlobalAveragePooling1D(), layers.Dense(16, "relu"))
    ),
    TaskModel("text-lstm", *_WORDS, lambda: words(layers.LSTM(16))),
    TaskModel(
        "text-convolutions",
        *_WORDS,
        lambda: words(
            layers.Conv1D(16, 3, activation="relu"), layers.GlobalMaxPooling1D(), layers.Dropout(0.3)
        ),
    ),
    TaskModel("text-transformer", *_MODULES, transformer),
    TaskModel(
        "text-frozen-zeros",
        *_WORDS,
        lambda: words(layers.GRU(16), embedding="zeros", trained=False),
        strong("a frozen embedding of zeros"),
    ),
    TaskModel(
        "text-categorical",
        *_WORDS,
        lambda: words(layers.LSTM(16), last="softmax", loss="categorical_crossentropy"),
        strong("categorical cross-entropy and softmax of one unit"),
    ),
    TaskModel(
        "text-transformer-rate-0.3",
        *_MODULES,
        lambda: transformer(adam(0.3), blocks=2),
        strong("rate 300 times too high"),
    ),
    TaskModel(
        "text-transformer-rate-0.02",
        *_MODULES,
        lambda: transformer(adam(0.02), blocks=2),
        borderline("rate 20 times too high"),
    ),
    TaskModel(
        "text-gru-sgd",
        *_WORDS,
        lambda: words(layers.GRU(16), optimizer=sgd()),
        medium("an embedding and a GRU under plain SGD"),
    ),
    TaskModel(
        "tokens-lstm",
        *_NEXT,
        lambda: next_character(layers.LSTM(64, return_sequences=True), optimizer=adam(5e-3)),
    ),
    TaskModel("tokens-transformer", *_NEXT, lambda: causal_transformer(adam(2e-3))),
    TaskModel("tokens-tagger", *_TAGS, lambda: tagger(adam(3e-3))),
    TaskModel(
        "tokens-rate-1",
        *_NEXT,
        lambda: next_character(layers.GRU(64, return_sequences=True), optimizer=adam(1.0)),
        strong("rate 200 times too high"),
    ),
    TaskModel(
        "tokens-sgd",
        *_NEXT,
        lambda: next_character(layers.LSTM(64, return_sequences=True), optimizer=sgd()),
        medium("an LSTM under plain SGD"),
    ),
    TaskModel(
        "tokens-narrow",
        *_NEXT,
        lambda: next_character(layers.LSTM(64, return_sequences=True), optimizer=adam(5e-3), size=1),
        borderline("an embedding of one number"),
    ),
    TaskModel(
        "tokens-tagger-dropout",
        *_TAGS,
        lambda: tagger(adam(3e-3), dropout=0.9),
        medium("0.9 of the embedding dropped"),
    ),
)
