"""The backward equations in the kernels' READMEs, written out, equal autograd through the reference steps."""

from __future__ import annotations

import pytest
import torch
from conformance import assert_close

from gatewise.kernels.gru.reference import step as gru_step
from gatewise.kernels.lstm.reference import step as lstm_step
from gatewise.kernels.mingru.reference import step as mingru_step
from gatewise.kernels.minlstm.reference import step as minlstm_step
from gatewise.kernels.rnn.reference import step as rnn_step

H = 4


def leaf(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def check(outputs, gradients, pairs):
    """``pairs`` of (tensor, its gradient by the README)."""
    loss = sum((output * gradient).sum() for output, gradient in zip(outputs, gradients, strict=True))
    expected = torch.autograd.grad(loss, [tensor for tensor, _ in pairs])
    for number, ((_, by_hand), autograd) in enumerate(zip(pairs, expected, strict=True)):
        assert_close(by_hand, autograd, f"gradient {number}")


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_rnn(nonlinearity):
    a, h, w, m, dh = leaf(3, H), leaf(3, H), leaf(H, H), torch.rand(3, H).double(), torch.randn(3, H).double()
    new = rnn_step(a, h, w, nonlinearity=nonlinearity, recurrent_mask=m)["hidden"]
    da = dh * (1 - new * new) if nonlinearity == "tanh" else dh * (new > 0)
    check([new], [dh], [(a, da), (h, m * (da @ w)), (w, da.T @ (m * h))])


@pytest.mark.parametrize("coupled", [False, True])
@pytest.mark.parametrize("peephole", [False, True])
@pytest.mark.parametrize("projection", [False, True])
def test_lstm(coupled, peephole, projection):
    gates, width = 3 if coupled else 4, 2 if projection else H
    a, h, c, w = leaf(3, gates * H), leaf(3, width), leaf(3, H), leaf(gates * H, width)
    p, w_hr = (leaf(2 if coupled else 3, H) if peephole else None), (leaf(width, H) if projection else None)
    m, dh, dc = torch.rand(3, width).double(), torch.randn(3, width).double(), torch.randn(3, H).double()
    v = lstm_step(a, h, c, w, coupled=coupled, recurrent_mask=m, weight_peephole=p, weight_hr=w_hr)
    i, f, g, o, s = v["input"], v["forget"], v["candidate"], v["output"], torch.tanh(v["cell"])
    none = torch.zeros(3, H, dtype=torch.float64)
    p_i, p_f, p_o = (none[0],) * 3 if p is None else (none[0], *p) if coupled else p
    wide = dh if w_hr is None else dh @ w_hr
    da_o = wide * s * o * (1 - o)
    total = dc + wide * o * (1 - s * s) + p_o * da_o
    da_g = total * i * (1 - g * g)
    da_i = none if coupled else total * g * i * (1 - i)
    da_f = total * ((c - g) if coupled else c) * f * (1 - f)
    da = torch.cat([da_f, da_g, da_o] if coupled else [da_i, da_f, da_g, da_o], dim=1)
    pairs = [(a, da), (h, m * (da @ w)), (w, da.T @ (m * h)), (c, total * f + p_i * da_i + p_f * da_f)]
    if p is not None:
        rows = [(da_i * c).sum(0), (da_f * c).sum(0), (da_o * v["cell"]).sum(0)]
        pairs.append((p, torch.stack(rows[1:] if coupled else rows)))
    if w_hr is not None:
        pairs.append((w_hr, dh.T @ (o * s)))
    check([v["hidden"], v["cell"]], [dh, dc], pairs)


@pytest.mark.parametrize("reset", ["after", "before"])
@pytest.mark.parametrize("update", ["keep", "replace"])
def test_gru(reset, update):
    a, h, w, b = leaf(3, 3 * H), leaf(3, H), leaf(3 * H, H), leaf(3 * H)
    m, dh = torch.rand(3, H).double(), torch.randn(3, H).double()
    v = gru_step(a, h, w, b, reset=reset, update=update, recurrent_mask=m)
    r, z, n = v["reset"], v["update"], v["candidate"]
    w_hr, w_hz, w_hn = w.split(H)
    k, sign = (z, 1.0) if update == "keep" else (1 - z, -1.0)
    da_z = sign * dh * (h - n) * z * (1 - z)
    da_n = dh * (1 - k) * (1 - n * n)
    if reset == "after":
        dq = da_n * r
        da_r = da_n * ((m * h) @ w_hn.T + b[2 * H :]) * r * (1 - r)
        dh_before = dh * k + m * (da_r @ w_hr + da_z @ w_hz + dq @ w_hn)
        dw_hn, db_hn = dq.T @ (m * h), dq.sum(0)
    else:
        ds = m * (da_n @ w_hn)
        da_r = ds * h * r * (1 - r)
        dh_before = dh * k + ds * r + m * (da_r @ w_hr + da_z @ w_hz)
        dw_hn, db_hn = da_n.T @ (m * r * h), da_n.sum(0)
    dw = torch.cat([da_r.T @ (m * h), da_z.T @ (m * h), dw_hn])
    db = torch.cat([da_r.sum(0), da_z.sum(0), db_hn])
    check([v["hidden"]], [dh], [(a, torch.cat([da_r, da_z, da_n], 1)), (h, dh_before), (w, dw), (b, db)])


def slope(a):
    s = torch.sigmoid(a)
    return torch.where(a >= 0, torch.ones_like(a), s * (1 - s))


def test_mingru():
    a, h, dh = leaf(3, 2 * H), leaf(3, H), torch.randn(3, H).double()
    v = mingru_step(a, h)
    z, n = v["update"], v["candidate"]
    da = torch.cat([dh * (n - h) * z * (1 - z), dh * z * slope(a[:, H:])], 1)
    check([v["hidden"]], [dh], [(a, da), (h, dh * (1 - z))])


def test_minlstm():
    a, h, dh = leaf(3, 3 * H), leaf(3, H), torch.randn(3, H).double()
    v = minlstm_step(a, h)
    f, i, n = v["forget"], v["input"], v["candidate"]
    du = dh * (h - n) * f * i
    own_f, own_i = torch.sigmoid(a[:, :H]), torch.sigmoid(a[:, H : 2 * H])
    da = torch.cat([du * (1 - own_f), -du * (1 - own_i), dh * i * slope(a[:, 2 * H :])], 1)
    check([v["hidden"]], [dh], [(a, da), (h, dh * f)])
