"""Ordinary programs for sequences, each written for either library: see whole_programs.py."""

from __future__ import annotations

from tests.nn.whole_programs import Source, at, program, train


@program
def language_model(lib, numbers: Source) -> list[float]:
    """An LSTM over packed sequences that are not sorted, with clipped gradients."""
    nn, rnn = lib.nn, at(lib, "nn.utils.rnn")
    embedding, lstm, out = nn.Embedding(9, 5, padding_idx=0), nn.LSTM(
        5, 6, 2, batch_first=True), nn.Linear(6, 9)
    net = nn.ModuleList([embedding, lstm, out])
    numbers.start(net)
    texts = [numbers.integers(8, length) + 1 for length in (4, 7, 2, 5)]
    x = rnn.pad_sequence(texts, batch_first=True)
    lengths = lib.tensor([len(text) for text in texts]) - 1

    def loss():
        packed = rnn.pack_padded_sequence(embedding(x[:, :-1]), lengths, batch_first=True,
                                          enforce_sorted=False)
        states, _ = rnn.pad_packed_sequence(lstm(packed)[0], batch_first=True)
        scores = out(states).transpose(1, 2)
        return nn.functional.cross_entropy(scores, x[:, 1:], ignore_index=0)

    clip = nn.utils.clip_grad_norm_
    return train(lib.optim.Adam(net.parameters(), 0.01), loss,
                 before_step=lambda: clip(net.parameters(), 0.5).item())


@program
def translation_with_attention(lib, numbers: Source) -> list[float]:
    """A GRU encoder, a GRUCell decoder, bilinear attention."""
    nn = lib.nn

    class Translator(nn.Module):
        def __init__(self):
            super().__init__()
            self.source, self.target = nn.Embedding(7, 4), nn.Embedding(7, 4)
            self.encoder = nn.GRU(4, 6, batch_first=True)
            self.decoder = nn.GRUCell(10, 6)
            self.attention = nn.Bilinear(6, 6, 1)
            self.out = nn.Linear(6, 7)

        def forward(self, x, y):
            memory, last = self.encoder(self.source(x))
            h, scores = last[0], []
            for t in range(y.shape[1]):
                query = h.unsqueeze(1).expand_as(memory).contiguous()
                share = self.attention(query, memory).softmax(1)
                context = (share * memory).sum(1)
                h = self.decoder(lib.cat([self.target(y[:, t]), context], 1), h)
                scores.append(self.out(h))
            return lib.stack(scores, 1)

    net = Translator()
    numbers.start(net)
    x, y = numbers.integers(7, 3, 5), numbers.integers(7, 3, 4)
    return train(lib.optim.NAdam(net.parameters(), 0.02), lambda: nn.functional.cross_entropy(
        net(x, y[:, :-1]).flatten(0, 1), y[:, 1:].flatten()))


@program
def transformer_classifier(lib, numbers: Source) -> list[float]:
    """An encoder with a class token and padding, and a schedule."""
    nn = lib.nn

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(11, 8)
            self.place = nn.Parameter(lib.zeros(1, 6, 8))
            self.token = nn.Parameter(lib.zeros(1, 1, 8))
            layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0, "gelu", batch_first=True,
                                               norm_first=True)
            self.encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(8),
                                                 enable_nested_tensor=False)
            self.head = nn.Linear(8, 3)

        def forward(self, x, hidden):
            h = self.embedding(x) + self.place
            h = lib.cat([self.token.expand(len(x), -1, -1), h], 1)
            hidden = lib.cat([lib.zeros(len(x), 1, dtype=lib.bool), hidden], 1)
            return self.head(self.encoder(h, src_key_padding_mask=hidden)[:, 0])

    net = Classifier()
    numbers.start(net)
    x, y = numbers.integers(11, 4, 6), numbers.integers(3, 4)
    optimizer = lib.optim.AdamW(net.parameters(), 0.01)
    schedule = lib.optim.lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=6)
    return train(optimizer, lambda: nn.functional.cross_entropy(net(x, x < 3), y),
                 after_step=schedule.step)


@program
def generative_transformer(lib, numbers: Source) -> list[float]:
    """Causal attention, tied embeddings, weight decay for matrices alone, a cosine schedule."""
    nn = lib.nn

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.inputs, self.out = nn.Linear(8, 24), nn.Linear(8, 8)

        def forward(self, x):
            q, k, v = (part.view(*x.shape[:2], 2, 4).transpose(1, 2)
                       for part in self.inputs(x).split(8, 2))
            y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.out(y.transpose(1, 2).reshape(x.shape))

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.attention = nn.LayerNorm(8), Attention()
            self.norm2 = nn.RMSNorm(8, eps=1e-6)
            self.feed = nn.Sequential(nn.Linear(8, 16), nn.GELU(approximate="tanh"),
                                      nn.Linear(16, 8))

        def forward(self, x):
            x = x + self.attention(self.norm1(x))
            return x + self.feed(self.norm2(x))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.places = nn.Embedding(10, 8), nn.Embedding(6, 8)
            self.blocks = nn.Sequential(Block(), Block())
            self.head = nn.Linear(8, 10, bias=False)
            self.head.weight = self.tokens.weight

        def forward(self, x):
            return self.head(self.blocks(self.tokens(x) + self.places(lib.arange(x.shape[1]))))

    net = Model()
    numbers.start(net)
    text = numbers.integers(10, 3, 7)
    groups = [{"params": [p for p in net.parameters() if p.dim() > 1], "weight_decay": 0.1},
              {"params": [p for p in net.parameters() if p.dim() < 2], "weight_decay": 0.0}]
    optimizer = lib.optim.AdamW(groups, 0.01)
    schedule = lib.optim.lr_scheduler.CosineAnnealingLR(optimizer, 5)
    return train(optimizer, lambda: nn.functional.cross_entropy(
        net(text[:, :-1]).view(-1, 10), text[:, 1:].reshape(-1)), after_step=schedule.step)


@program
def speech_with_ctc(lib, numbers: Source) -> list[float]:
    """Convolutions over time and a loss over all alignments."""
    nn = lib.nn
    net = nn.Sequential(nn.Conv1d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv1d(6, 5, 1))
    numbers.start(net)
    x, labels = numbers.normal(3, 3, 9), numbers.integers(4, 3, 3) + 1
    criterion = nn.CTCLoss(zero_infinity=True)
    lengths = lib.tensor([9, 8, 7]), lib.tensor([3, 2, 3])
    return train(lib.optim.Adam(net.parameters(), 0.02), lambda: criterion(
        net(x).permute(2, 0, 1).log_softmax(2), labels, *lengths))


@program
def gated_convolutions(lib, numbers: Source) -> list[float]:
    """Dilated causal convolutions under weight normalisation, as in WaveNet."""
    nn = lib.nn
    weight_norm = at(lib, "nn.utils.parametrizations").weight_norm

    class Stack(nn.Module):
        def __init__(self):
            super().__init__()
            self.dilated = nn.ModuleList(nn.Conv1d(4, 8, 2, dilation=2 ** k) for k in range(3))
            self.mixing = nn.ModuleList(nn.Conv1d(4, 4, 1) for _ in range(3))
            self.first, self.last = nn.Conv1d(1, 4, 1), nn.Conv1d(4, 1, 1)

        def forward(self, x):
            x, skip = self.first(x), 0
            for dilated, mixing in zip(self.dilated, self.mixing, strict=True):
                padded = nn.functional.pad(x, (dilated.dilation[0], 0))
                a, b = dilated(padded).chunk(2, 1)
                h = mixing(lib.tanh(a) * lib.sigmoid(b))
                x, skip = x + h, skip + h
            return self.last(nn.functional.relu(skip))

    net = Stack()
    numbers.start(net)
    for layer in [*net.dilated, *net.mixing]:
        weight_norm(layer)
    x = numbers.normal(2, 1, 12)
    return train(lib.optim.Adamax(net.parameters(), 0.02), lambda: nn.functional.smooth_l1_loss(
        net(x[:, :, :-1]), x[:, :, 1:]))
