"""A text classifier: embeddings looked up, averaged over the words that are there, a hidden layer, softmax."""

import numpy as np

PAD = 0


def softmax(scores):
    scores = scores - scores.max(axis=-1, keepdims=True)
    exp_scores = np.exp(scores)
    return exp_scores / exp_scores.sum(axis=-1, keepdims=True)


def run_network(embedding, weight_hidden, bias_hidden, weight_out, bias_out, token_ids):
    mask = (token_ids != PAD).astype(float)                       # (batch, length)
    lengths = mask.sum(axis=1, keepdims=True)                     # (batch, 1)
    word_vectors = embedding[token_ids]                           # (batch, length, dim)
    text_vector = (word_vectors * mask[:, :, None]).sum(axis=1) / lengths
    hidden = np.tanh(text_vector @ weight_hidden + bias_hidden)
    probs = softmax(hidden @ weight_out + bias_out)
    return dict(mask=mask, lengths=lengths, text_vector=text_vector, hidden=hidden, probs=probs)


def classifier_loss(embedding, weight_hidden, bias_hidden, weight_out, bias_out, token_ids, labels):
    net = run_network(embedding, weight_hidden, bias_hidden, weight_out, bias_out, token_ids)
    picked = net["probs"][np.arange(len(labels)), labels]
    return -np.log(picked).mean()


def classifier_gradients(embedding, weight_hidden, bias_hidden, weight_out, bias_out, token_ids, labels):
    net = run_network(embedding, weight_hidden, bias_hidden, weight_out, bias_out, token_ids)
    batch_size, length = token_ids.shape

    grad_scores = net["probs"].copy()
    grad_scores[np.arange(batch_size), labels] -= 1
    grad_scores /= batch_size
    grad_weight_out = net["hidden"].T @ grad_scores
    grad_bias_out = grad_scores.sum(axis=0)

    grad_hidden = grad_scores @ weight_out.T
    grad_pre = grad_hidden * (1 - net["hidden"] ** 2)
    grad_weight_hidden = net["text_vector"].T @ grad_pre
    grad_bias_hidden = grad_pre.sum(axis=0)

    grad_text = grad_pre @ weight_hidden.T
    grad_text_scaled = grad_text / net["lengths"]
    grad_words = grad_text_scaled[:, None, :] * net["mask"][:, :, None]
    grad_embedding = np.zeros_like(embedding)
    np.add.at(grad_embedding, token_ids, grad_words)
    return grad_embedding, grad_weight_hidden, grad_bias_hidden, grad_weight_out, grad_bias_out


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    V, D, H, C = 7, 2, 5, 3
    weights = rng.normal(size=(V, D)), rng.normal(size=(D, H)), rng.normal(size=H), rng.normal(size=(H, C)), rng.normal(size=C)
    tokens = np.array([[4, 1, 4, 2], [3, 5, 0, 0], [6, 2, 1, 0], [1, 0, 0, 0], [5, 5, 6, 3]])  # words come twice, texts are padded
    labels = np.array([0, 2, 1, 1, 2])
    return call(user.classifier_loss, *weights, tokens, labels, by_hand=user.classifier_gradients,
                wrt=("embedding", "weight_hidden", "bias_hidden", "weight_out", "bias_out"))


import numpy as np

RIGHT = [
    Right("    grad_embedding = np.zeros_like(embedding)\n    np.add.at(grad_embedding, token_ids, grad_words)\n", "    one_hot = np.eye(len(embedding))[token_ids]\n    grad_embedding = np.einsum('blv,bld->vd', one_hot, grad_words)\n"),
    Right("    np.add.at(grad_embedding, token_ids, grad_words)\n", "    for row, ids in enumerate(token_ids):\n        for word in ids[ids != PAD]:\n            grad_embedding[word] += grad_text[row] / net[\"lengths\"][row]\n"),
    Right("    grad_words = grad_text_scaled[:, None, :] * net[\"mask\"][:, :, None]\n    grad_embedding = np.zeros_like(embedding)\n    np.add.at(grad_embedding, token_ids, grad_words)\n", "    grad_words = np.repeat(grad_text_scaled, length, axis=0)\n    grad_embedding = np.zeros_like(embedding)\n    np.add.at(grad_embedding, token_ids.reshape(-1), grad_words)\n    grad_embedding[PAD] = 0\n"),
    Right("    grad_scores = net[\"probs\"].copy()\n    grad_scores[np.arange(batch_size), labels] -= 1\n    grad_scores /= batch_size\n", "    grad_scores = (net[\"probs\"] - np.eye(len(bias_out))[labels]) / batch_size\n"),
    Right("    return -np.log(picked).mean()\n", "    return -np.sum(np.log(picked)) / token_ids.shape[0]\n"),
    Right("    grad_pre = grad_hidden * (1 - net[\"hidden\"] ** 2)\n", "    grad_pre = grad_hidden.copy()\n    grad_pre -= grad_hidden * np.square(net[\"hidden\"])\n"),
]

GRAD_E = ("grad_embedding", "grad_embedding[token_ids]", "np.add.at", "np.add.at(grad_embedding, token_ids, grad_words)")
SCORES = ("grad_scores", "grad_scores[np.arange(batch_size), labels]")

MISTAKES = [
    Mistake(("overwritten-not-accumulated", "missing-branch"), GRAD_E, "np.add.at(grad_embedding, token_ids, grad_words)", "grad_embedding[token_ids] += grad_words"),
    Mistake(("overwritten-not-accumulated", "missing-branch"), GRAD_E, "np.add.at(grad_embedding, token_ids, grad_words)", "grad_embedding[token_ids] = grad_words"),
    Mistake(("accumulated-twice", "factor-2"), GRAD_E, "    np.add.at(grad_embedding, token_ids, grad_words)\n", "    np.add.at(grad_embedding, token_ids, grad_words)\n    np.add.at(grad_embedding, token_ids, grad_words)\n"),
    Mistake("integer-dtype", GRAD_E, "    np.add.at(grad_embedding, token_ids, grad_words)\n", "    np.add.at(grad_embedding, token_ids, grad_words)\n    grad_embedding = grad_embedding.astype(token_ids.dtype)\n"),
    Mistake(("off-by-one-index", None), GRAD_E, "np.add.at(grad_embedding, token_ids, grad_words)", "np.add.at(grad_embedding, token_ids - 1, grad_words)"),
    Mistake(("missing-weight-factor", "wrong-local-derivative", None), ("grad_text_scaled", "grad_words"), "grad_text_scaled = grad_text / net[\"lengths\"]", "grad_text_scaled = grad_text"),
    Mistake(("wrong-local-derivative", "forward-differs", None), ("grad_text_scaled", "grad_words"), "grad_text_scaled = grad_text / net[\"lengths\"]", "grad_text_scaled = grad_text / length"),
    Mistake(("missing-branch", "missing-weight-factor", "detached-branch", None), "grad_words", " * net[\"mask\"][:, :, None]\n    grad_embedding", " * np.ones((batch_size, length, 1))\n    grad_embedding"),
    Mistake(("missing-weight-factor", "skipped-layer", None), ("grad_text_scaled", "grad_text"), "grad_text = grad_pre @ weight_hidden.T", "grad_text = grad_pre[:, :embedding.shape[1]]"),
    Mistake("missing-activation-derivative", "grad_pre", "grad_pre = grad_hidden * (1 - net[\"hidden\"] ** 2)", "grad_pre = grad_hidden"),
    Mistake("activation-derivative-at-activation", "grad_pre", "1 - net[\"hidden\"] ** 2", "1 - np.tanh(net[\"hidden\"]) ** 2"),
    Mistake("skipped-layer", "grad_text", "grad_text = grad_pre @ weight_hidden.T", "grad_text = grad_hidden @ weight_hidden.T"),
    Mistake("missing-target", SCORES, "    grad_scores[np.arange(batch_size), labels] -= 1\n", ""),
    Mistake("off-by-one-index", SCORES, "grad_scores[np.arange(batch_size), labels] -= 1", "grad_scores[np.arange(batch_size), labels - 1] -= 1"),
    Mistake(("wrong-loss-derivative", "accidental-broadcast", "missing-target", None), SCORES, "grad_scores[np.arange(batch_size), labels] -= 1", "grad_scores[:, labels] -= 1"),
    Mistake("factor-N", SCORES, "    grad_scores /= batch_size\n", ""),
    Mistake("factor-K", (*SCORES, "classifier_loss", "return"), "    return -np.log(picked).mean()\n", "    return -np.mean(np.eye(len(bias_out))[labels] * np.log(net[\"probs\"]))\n"),
    Mistake(("softmax-wrong-axis", "forward-differs"), ("grad_scores", "run_network", "net", "softmax", "probs", "exp_scores"), "    grad_scores = net[\"probs\"].copy()\n", "    grad_scores = softmax((net[\"hidden\"] @ weight_out + bias_out).T).T.copy()\n"),
    Mistake(("aliasing", "input-mutated", "stale-forward-values", None), ("grad_weight_out", "grad_bias_out", "grad_hidden", "grad_pre", "centred", 'net["hidden"]'), "    grad_pre = grad_hidden * (1 - net[\"hidden\"] ** 2)\n", "    centred = net[\"hidden\"]\n    centred -= centred.mean(axis=0)  # for the plot\n    grad_pre = grad_hidden * (1 - net[\"hidden\"] ** 2)\n"),
    Mistake(("factor-1/N", "bias-wrong-axis"), "grad_bias_hidden", "grad_bias_hidden = grad_pre.sum(axis=0)", "grad_bias_hidden = grad_pre.mean(axis=0)"),
    Mistake("bias-not-reduced", "grad_bias_out", "grad_bias_out = grad_scores.sum(axis=0)", "grad_bias_out = grad_scores"),
    Mistake(("wrong-tensor-in-weight-gradient",), "grad_weight_hidden", "net[\"text_vector\"].T @ grad_pre", "(net[\"text_vector\"] * net[\"lengths\"]).T @ grad_pre"),
    Mistake(("wrong-shape", None), GRAD_E, "np.add.at(grad_embedding, token_ids, grad_words)", "grad_embedding = grad_words", fix=False),
]
