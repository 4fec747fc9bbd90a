"""Makes data/golden/rerank: small models of random weights, and what the reference makes of pairs.

    pip install torch transformers && python tests/rerank/make.py

The models know nothing; they are there so that every part of an architecture changes the score. The
tokenisers differ a little with every run, since their trainers break ties by chance. The
weights are rounded to the type that they are stored in before the reference scores with them.
"""

import json
import pathlib

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    ElectraConfig,
    ElectraForSequenceClassification,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
)

OUT = pathlib.Path("data/golden/rerank")
VOCABULARY = 160
TEXTS = [
    "The cat sleeps on the warm sofa while the rain falls.",
    "고양이가 따뜻한 소파에서 자고 밖에는 비가 온다.",
    "Prices rose by three percent in May.",
    "서울의 지하철은 새벽 다섯 시에 다닌다.",
    "A vector index finds the nearest neighbours of a query.",
    "벡터 색인은 질의와 가까운 이웃을 찾는다.",
]
PAIRS = [
    ("where is the cat", TEXTS[0]),
    ("where is the cat", TEXTS[1]),
    ("고양이는 어디에 있나", TEXTS[1]),
    ("고양이는 어디에 있나", TEXTS[3]),
    ("subway hours", TEXTS[3]),
    ("nearest neighbours", TEXTS[4]),
    ("", TEXTS[2]),
    ("prices", ""),
    ("Ünïcode, CAPITALS & ☃?", "snowman ☃ and ŝtrange leţters"),
    ("cat", " ".join(TEXTS)),
    (" ".join(TEXTS), "고양이"),
    (" ".join(TEXTS), " ".join(reversed(TEXTS))),
    (" ".join(TEXTS * 2), " ".join(TEXTS)),
    (" ".join(TEXTS), " ".join(TEXTS * 2)),
]


def word_piece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    trainer = trainers.WordPieceTrainer(vocab_size=VOCABULARY, special_tokens=special, limit_alphabet=90)
    tokenizer.train_from_iterator(TEXTS * 4, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer, dict(pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]")


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=VOCABULARY, special_tokens=special, unk_token="<unk>")
    tokenizer.train_from_iterator(TEXTS * 4, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer, dict(pad_token="<pad>", unk_token="<unk>", cls_token="<s>", sep_token="</s>")


def make(name, tokenizer, marks, model, dtype, spread, activation=None):
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(7)
    with torch.no_grad():
        for key, value in model.named_parameters():
            random = torch.randn_like(value) * spread + ("LayerNorm.weight" in key)
            value.copy_(random.to(dtype).to(torch.float32))
    model.eval()
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    tensors = {k: v.to(dtype).contiguous() for k, v in model.state_dict().items() if "position_ids" not in k}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = {k: v for k, v in model.config.to_dict().items() if v is not None}
    wanted = ["model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act"]
    wanted += ["vocab_size", "max_position_embeddings", "type_vocab_size", "layer_norm_eps", "pad_token_id"]
    wanted += ["embedding_size", "id2label"]
    config = {k: config[k] for k in wanted if k in config}
    config["architectures"] = [type(model).__name__]
    if activation:
        config["sentence_transformers"] = {"activation_fn": activation}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    first = model.config.pad_token_id + 1 if name == "xlm-roberta" else 0
    longest = model.config.max_position_embeddings - first
    fast = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), **marks)
    # Models with one token type are given none.
    two = model.config.type_vocab_size > 1
    queries, texts = zip(*PAIRS)
    cut = dict(padding=True, truncation=True, max_length=longest, return_token_type_ids=two, return_tensors="pt")
    batch = fast(list(queries), list(texts), **cut)
    with torch.no_grad():
        logits = model(**batch).logits[:, 0].tolist()
    pairs = [dict(query=q, text=t, logit=round(x, 6)) for (q, t), x in zip(PAIRS, logits)]
    (folder / "reference.json").write_text(json.dumps(pairs, ensure_ascii=False, indent=1) + "\n")
    print(name, "longest", longest, "tokens", batch["attention_mask"].sum(1).tolist(), [round(x, 2) for x in logits])


small = dict(num_labels=1, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48)
tokenizer, marks = word_piece()
config = BertConfig(vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=80, **small)
make("bert", tokenizer, marks, BertForSequenceClassification(config), torch.float16, 0.25, "torch.nn.modules.linear.Identity")
narrow = dict(num_labels=1, hidden_size=16, embedding_size=8, num_hidden_layers=1, num_attention_heads=2)
config = ElectraConfig(
    vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=64, intermediate_size=24, **narrow
)
make("electra", tokenizer, marks, ElectraForSequenceClassification(config), torch.float32, 0.7)
tokenizer, marks = unigram()
config = XLMRobertaConfig(
    vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=82, type_vocab_size=1, pad_token_id=1, **small
)
make("xlm-roberta", tokenizer, marks, XLMRobertaForSequenceClassification(config), torch.bfloat16, 0.35)
