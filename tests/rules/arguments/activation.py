"""Our own activations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autodiff as ad

from .common import FLAG, Factory, any_axes, elementwise, optional, single

ALONG_LAST = single(optional(axis=any_axes), min_dims=1)

ARGUMENTS: dict[Callable[..., Any], Factory] = {
    ad.relu: elementwise,
    ad.logsumexp: single(optional(axis=any_axes, keepdims=FLAG)),
    **dict.fromkeys((ad.softmax, ad.log_softmax), ALONG_LAST),
}
