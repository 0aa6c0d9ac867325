"""show_config: what is there, and advice."""

import autodiff as ad


def test_it_tells_versions_and_blas():
    text = str(ad.show_config())
    for word in ("versions", "numpy", "BLAS", "threads", "SIMD", "numba", "advice"):
        assert word in text


def test_advice_about_old_kernels(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert any("unset OPENBLAS_CORETYPE" in advice for advice in ad.show_config().advice)


def test_without_threadpoolctl(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "threadpoolctl", None)
    assert "threadpoolctl tells more" in str(ad.show_config())
