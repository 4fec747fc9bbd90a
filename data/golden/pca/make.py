"""Writes pca.json: rows and what scikit-learn's PCA makes of them.

    pip install numpy scikit-learn && python3 make.py
"""
import json

import numpy as np
from sklearn.decomposition import PCA

generator = np.random.default_rng(5)
mixing = generator.standard_normal((12, 12)) * (0.6 ** np.arange(12))
rows = (generator.standard_normal((200, 12)) @ mixing + generator.standard_normal(12) * 3).astype(np.float32)
exact = rows.astype(np.float64)
fit = PCA(5, svd_solver="full").fit(exact)
whitened = PCA(5, svd_solver="full", whiten=True).fit(exact)
json.dump(
    {
        "dim": 12,
        "rows": rows.ravel().tolist(),
        "mean": fit.mean_.tolist(),
        "components": fit.components_.ravel().tolist(),
        "explained_variance": fit.explained_variance_.tolist(),
        "explained_variance_ratio": fit.explained_variance_ratio_.tolist(),
        "singular_values": fit.singular_values_.tolist(),
        "transformed": fit.transform(exact).ravel().tolist(),
        "whitened": whitened.transform(exact).ravel().tolist(),
        "restored": fit.inverse_transform(fit.transform(exact)).ravel().tolist(),
    },
    open("pca.json", "w"),
)
