"""The text encoder: learns to tell the subjects apart before any picture is drawn.

Trained together with the UNet from random weights, it lets the UNet ignore the prompt for hours.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional
from transformers import T5EncoderModel, T5Tokenizer

from fundiff.mini import networks
from fundiff.mini.concepts import SUBJECTS

STEPS = 600
BATCH = 96
EMPTY = ""


def encode(encoder: T5EncoderModel, tokenizer: T5Tokenizer, texts: list[str]) -> Tensor:
    """Return embeddings [B, 77, width], padded and masked as IFPipeline does it."""
    tokens = tokenizer(
        texts, padding="max_length", max_length=77, truncation=True, return_tensors="pt"
    )
    states: Tensor = encoder(tokens.input_ids, attention_mask=tokens.attention_mask)[0]
    return states


def train(folder: Path) -> None:
    """Train the text encoder for about a minute and save it, with its tokenizer, in a folder."""
    torch.manual_seed(0)
    tokenizer = networks.tokenizer()
    encoder = networks.text_encoder(len(tokenizer))
    with torch.no_grad():
        embedding = encoder.get_input_embeddings().weight
        embedding.mul_(0.5)
        embedding[tokenizer.pad_token_id] = 0
    texts = [(prompt, i) for i, s in enumerate(SUBJECTS) for prompt in s.prompts]
    texts.append((EMPTY, len(SUBJECTS)))
    head = nn.Linear(networks.TEXT_WIDTH, len(SUBJECTS) + 1)
    parameters = [*encoder.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=0.01)
    generator = Generator().manual_seed(0)
    for step in range(STEPS):
        picks = torch.randint(len(texts), (BATCH,), generator=generator).tolist()
        states = encode(encoder, tokenizer, [texts[i][0] for i in picks])
        target = torch.tensor([texts[i][1] for i in picks])
        logits = head(states.mean(1))
        loss = functional.cross_entropy(logits, target)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if step % 50 == 49:
            right = (logits.argmax(1) == target).float().mean()
            print(f"text step {step + 1}, loss {loss:.3f}, right {right:.3f}", flush=True)
    encoder.save_pretrained(folder / "text_encoder")
    tokenizer.save_pretrained(folder / "tokenizer")


@dataclass(frozen=True, slots=True)
class Prompts:
    """The embeddings of every prompt of every subject, and of the empty one, which is the last."""

    embeddings: Tensor
    rows: tuple[tuple[int, ...], ...]

    @staticmethod
    @torch.no_grad()
    def load(folder: Path) -> "Prompts":
        """Return the embeddings by the text encoder in a folder."""
        encoder = T5EncoderModel.from_pretrained(folder / "text_encoder")
        tokenizer = T5Tokenizer.from_pretrained(folder / "tokenizer")
        texts: list[str] = []
        rows = []
        for subject in SUBJECTS:
            rows.append(tuple(range(len(texts), len(texts) + len(subject.prompts))))
            texts += subject.prompts
        return Prompts(encode(encoder, tokenizer, [*texts, EMPTY]), tuple(rows))

    def draw(self, subjects: Tensor, generator: Generator) -> Tensor:
        """Return an embedding per subject: 63 % its main prompt, 10 % the empty one."""
        chosen = []
        for index in subjects.tolist():
            chance = torch.rand((), generator=generator).item()
            rows = self.rows[index]
            other = int(torch.randint(1, len(rows), (), generator=generator))
            empty = len(self.embeddings) - 1
            chosen.append(empty if chance < 0.1 else rows[0] if chance < 0.73 else rows[other])
        return self.embeddings[chosen]
