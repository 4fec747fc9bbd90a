"""Clusters of labelled texts beside scikit-learn's, on the same vectors: V-measure, the mean of five seeds.

    python3 ../shared/corpora/convert.py DIR        # ag_news and korquad with a label for each text
    pip install numpy scikit-learn
    GYEOL=target/release/gyeol python3 benches/clusters.py DIR
"""
import json, os, subprocess, sys, tempfile
import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, v_measure_score

GYEOL = os.environ.get("GYEOL", "target/release/gyeol")
SEEDS = range(5)


def embed(texts, out):
    lines = "\n".join(" ".join(text.split()) for text in texts)
    subprocess.run([GYEOL, "embed", "--out", out], input=lines.encode(), check=True, stderr=subprocess.DEVNULL)
    return np.load(out)


def ours(vectors, k, seed, *more):
    with tempfile.TemporaryDirectory() as folder:
        labels = f"{folder}/labels.npy"
        command = [GYEOL, "cluster", "--vectors", vectors, "--k", str(k), "--seed", str(seed), "--labels", labels, "--json", *more]
        answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        return np.load(labels), answer["inertia"], answer["cpu_seconds"]


def row(name, runs, truth):
    v = np.mean([v_measure_score(truth, labels) for labels, _ in runs])
    ari = np.mean([adjusted_rand_score(truth, labels) for labels, _ in runs])
    inertia = np.mean([inertia for _, inertia in runs])
    print(f"| {name} | {100 * v:.1f} | {100 * ari:.1f} | {inertia:.1f} |", flush=True)


def main(folder):
    for collection in ("ag_news", "korquad"):
        documents = [json.loads(line) for line in open(f"{folder}/{collection}/docs.jsonl", encoding="utf8")]
        truth = [document["label"] for document in documents]
        k = len(set(truth))
        with tempfile.TemporaryDirectory() as scratch:
            vectors = f"{scratch}/vectors.npy"
            rows = embed([document["text"] for document in documents], vectors)
            keep = np.linalg.norm(rows, axis=1) > 0
            truth = [label for label, kept in zip(truth, keep) if kept]
            rows = rows[keep] / np.linalg.norm(rows[keep], axis=1, keepdims=True)
            np.save(vectors, rows.astype(np.float32))
            print(f"\n{collection}: {len(rows)} texts, {k} labels\n\n| | V-measure | ARI | inertia |\n|---|---|---|---|")
            for n_init in (1, 10):
                peer = [KMeans(k, n_init=n_init, random_state=seed).fit(rows) for seed in SEEDS]
                row(f"scikit-learn KMeans, n_init {n_init}", [(fit.labels_, fit.inertia_) for fit in peer], truth)
                for name, more in ((f"gyeol, n_init {n_init}", []), (f"gyeol --spherical, n_init {n_init}", ["--spherical"])):
                    runs = [ours(vectors, k, seed, "--n-init", str(n_init), *more)[:2] for seed in SEEDS]
                    row(name, runs, truth)


if __name__ == "__main__":
    main(sys.argv[1])
