"""Policy gradients as in the Pong gist: an episode's observations, hidden states and grad logp stacked, a model dict."""

import numpy as np

gamma = 0.9 # discount factor for reward
beta = 0.05 # entropy bonus


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x)) # sigmoid "squashing" function to interval [0,1]


def discount_rewards(r):
    """ take 1D float array of rewards and compute discounted reward """
    discounted_r = np.zeros_like(r)
    running_add = 0
    for t in reversed(range(0, r.size)):
        running_add = running_add * gamma + r[t]
        discounted_r[t] = running_add
    return discounted_r


def policy_forward(model, x):
    h = np.dot(model['W1'], x)
    h[h<0] = 0 # ReLU nonlinearity
    logp = np.dot(model['W2'], h)
    p = sigmoid(logp)
    return p, logp, h # return probability of taking action 2, and hidden state


def policy_backward(model, eph, epx, epdlogp):
    """ backward pass. (eph is array of intermediate hidden states) """
    dW2 = np.dot(eph.T, epdlogp).ravel()
    dh = np.outer(epdlogp, model['W2'])
    dh[eph <= 0] = 0 # backprop relu
    dW1 = np.dot(dh.T, epx)
    return {'W1':dW1, 'W2':dW2}


def episode(model, frames, actions, rewards):
    xs,hs,dlogps,dents,logprobs,entropies = [],[],[],[],[],[]
    prev_x = np.zeros(frames.shape[1])
    for t in range(len(actions)):
        # use the difference of two frames
        cur_x = frames[t]
        x = cur_x - prev_x
        prev_x = cur_x
        aprob, logit, h = policy_forward(model, x)
        y = actions[t] # a "fake label"
        # record various intermediates (needed later for backprop)
        xs.append(x)
        hs.append(h)
        logprobs.append(y * np.log(aprob) + (1 - y) * np.log(1 - aprob))
        entropies.append(-aprob * np.log(aprob) - (1 - aprob) * np.log(1 - aprob))
        dlogps.append(y - aprob) # grad that encourages the action that was taken to be taken
        dents.append(-logit * aprob * (1 - aprob))

    epx = np.vstack(xs)
    eph = np.vstack(hs)
    epdlogp = np.vstack(dlogps)
    epdent = np.vstack(dents)
    # size the rewards to be unit normal (helps control the gradient estimator variance)
    discounted_epr = discount_rewards(rewards)
    discounted_epr /= np.std(discounted_epr)

    loss = -np.sum(discounted_epr * np.array(logprobs)) - beta * np.sum(entropies)
    # modulate the gradient with advantage (PG magic happens right here.)
    epdlogp = -epdlogp * discounted_epr.reshape(-1, 1)
    epdlogp = epdlogp - beta * epdent
    grad = policy_backward(model, eph, epx, epdlogp)
    return loss, grad


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    T, D, H = 7, 5, 4
    model = {"W1": rng.normal(size=(H, D)) / 2, "W2": rng.normal(size=H)}
    frames = rng.normal(size=(T, D))
    actions = [int(a) for a in rng.permutation([0, 1, 1, 0, 1, 0, 1])]
    return call(user.episode, model, frames, actions, rng.uniform(0.2, 2.0, size=T), loss="loss", gradients={"model": "grad"})


RIGHT = [
    Right("    dh[eph <= 0] = 0 # backprop relu\n", "    dh = dh * np.sign(eph)\n"),
    Right("dlogps.append(y - aprob)", "dlogps.append(y / aprob * aprob * (1 - aprob) - (1 - y) / (1 - aprob) * aprob * (1 - aprob))"),
    Right("        dents.append(-logit * aprob * (1 - aprob))\n", "        dents.append(np.log((1 - aprob) / aprob) * aprob * (1 - aprob))\n"),
    Right("    epdlogp = -epdlogp * discounted_epr.reshape(-1, 1)\n    epdlogp = epdlogp - beta * epdent\n", "    epdlogp *= discounted_epr[:, None]\n    epdlogp += beta * epdent\n    epdlogp *= -1.0 # loss is minimised\n"),
    Right("    dW2 = np.dot(eph.T, epdlogp).ravel()\n", "    dW2 = np.sum(eph * epdlogp, axis=0)\n"),
]

BACK = ("dlogps", "epdlogp", "dlogps.append")

MISTAKES = [
    Mistake("sign", ("epdlogp", *BACK[:1]), "epdlogp = -epdlogp * discounted_epr", "epdlogp = epdlogp * discounted_epr"),
    Mistake(("activation-derivative-twice", "wrong-loss-derivative"), BACK, "dlogps.append(y - aprob)", "dlogps.append((y - aprob) * aprob * (1 - aprob))"),
    Mistake("missing-target", BACK, "dlogps.append(y - aprob)", "dlogps.append(-aprob)"),
    Mistake(("wrong-loss-derivative", None, "missing-weight-factor", "wrong-local-derivative"), "epdlogp", "epdlogp = -epdlogp * discounted_epr.reshape(-1, 1)", "epdlogp = -epdlogp"),
    Mistake(("wrong-loss-derivative", "wrong-tensor-in-delta", None), "epdlogp", "epdlogp = -epdlogp * discounted_epr.reshape(-1, 1)", "epdlogp = -epdlogp * rewards.reshape(-1, 1)"),
    Mistake(("accidental-broadcast", None, "wrong-loss-derivative"), "epdlogp", "epdlogp = -epdlogp * discounted_epr.reshape(-1, 1)", "epdlogp = np.mean(-epdlogp * discounted_epr, axis=1, keepdims=True)"),
    Mistake(("off-by-one-time", "wrong-loss-derivative", "wrong-tensor-in-delta", None), ("epdlogp", "discounted_epr"), "epdlogp = -epdlogp * discounted_epr.reshape(-1, 1)", "epdlogp = -epdlogp * np.append(discounted_epr[1:], 0).reshape(-1, 1)"),
    Mistake(("regulariser-forgotten", "missing-branch", "detached-branch"), ("epdlogp", "loss"), "    epdlogp = epdlogp - beta * epdent\n", "", fix=False),
    Mistake(("sign", "regulariser-scale"), "epdlogp", "epdlogp = epdlogp - beta * epdent", "epdlogp = epdlogp + beta * epdent"),
    Mistake(("overwritten-not-accumulated", "missing-branch"), "epdlogp", "epdlogp = epdlogp - beta * epdent", "epdlogp = -beta * epdent"),
    Mistake(("missing-activation-derivative", "wrong-local-derivative"), ("dents", "dents.append", "epdent"), "dents.append(-logit * aprob * (1 - aprob))", "dents.append(-logit)"),
    Mistake("missing-activation-derivative", "dh", "    dh[eph <= 0] = 0 # backprop relu\n", "", fix=False),
    Mistake("relu-mask-inverted", ("dh", "dh[eph > 0]"), "dh[eph <= 0] = 0", "dh[eph > 0] = 0"),
    Mistake("relu-mask-from-wrong-tensor", ("dh", "dh[dh <= 0]"), "dh[eph <= 0] = 0", "dh[dh <= 0] = 0"),
    Mistake(("off-by-one-time", "wrong-tensor-in-weight-gradient", "stale-forward-values"), ("epx", "dW1"), "    epx = np.vstack(xs)\n", "    epx = np.vstack([np.zeros_like(x)] + xs[:-1])\n"),
    Mistake(("wrong-tensor-in-weight-gradient", "stale-forward-values"), ("xs", "xs.append", "epx", "dW1"), "        xs.append(x)\n", "        xs.append(cur_x)\n"),
    Mistake(("input-mutated", "aliasing", "accumulated-twice", "overwritten-not-accumulated", "stale-forward-values", None), ("x", "xs", "xs.append", "epx", "dW1", "prev_x"), "        x = cur_x - prev_x\n", "        if t == 0: x = np.zeros_like(cur_x)\n        np.subtract(cur_x, prev_x, out=x)\n", fix=False),
    Mistake(("wrong-shape", "gradient-transposed"), "dW1", "dW1 = np.dot(dh.T, epx)", "dW1 = np.dot(epx.T, dh)"),
    Mistake("wrong-shape", "dW2", "dW2 = np.dot(eph.T, epdlogp).ravel()", "dW2 = np.dot(eph.T, epdlogp)"),
    Mistake(("factor-1/N", "factor-const"), "dW2", "dW2 = np.dot(eph.T, epdlogp).ravel()", "dW2 = np.mean(eph * epdlogp, axis=0)"),
]
