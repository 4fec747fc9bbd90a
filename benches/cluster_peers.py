"""k-means and principal components beside faiss, scikit-learn and SuperKMeans: CPU seconds of a fit on one thread, and inertia.

    pip install numpy faiss-cpu scikit-learn superkmeans
    OPENBLAS_CORETYPE=SkylakeX GYEOL=target/release/gyeol python3 benches/cluster_peers.py kmeans BASE.npy K [ROUNDS]
    OPENBLAS_CORETYPE=SkylakeX GYEOL=target/release/gyeol python3 benches/cluster_peers.py pca BASE.npy COMPONENTS [ROUNDS]

All start from the same K rows where they take them (SuperKMeans does not), and make 25 rounds. Rounds are interleaved, the
median is told. OpenBLAS picks its AVX-512 kernels with that setting, which is its fastest.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
import numpy as np

warnings.filterwarnings("ignore")
GYEOL = os.environ.get("GYEOL", "target/release/gyeol")
mode, path, k = sys.argv[1], sys.argv[2], int(sys.argv[3])
rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 3
rows = np.load(path).astype(np.float32)
scratch = tempfile.mkdtemp()
init = rows[np.random.default_rng(7).choice(len(rows), k, False)].copy()
np.save(f"{scratch}/init.npy", init)


def inertia(centroids):
    centroids = np.asarray(centroids, np.float32).reshape(-1, rows.shape[1])
    squares = (centroids.astype(np.float64) ** 2).sum(1).astype(np.float32)
    total = 0.0
    for at in range(0, len(rows), 8192):
        block = rows[at : at + 8192]
        nearest = (squares - 2 * (block @ centroids.T)).argmin(1)
        total += float(((block - centroids[nearest]).astype(np.float64) ** 2).sum())
    return total


def clocked(fit):
    before = time.process_time()
    found = fit()
    return time.process_time() - before, found


def faiss():
    import faiss

    faiss.omp_set_num_threads(1)
    means = faiss.Kmeans(rows.shape[1], k, niter=25, max_points_per_centroid=10**9, min_points_per_centroid=1, seed=7)
    seconds, _ = clocked(lambda: means.train(rows, init_centroids=init))
    return seconds, inertia(means.centroids)


def sklearn():
    from sklearn.cluster import KMeans

    means = KMeans(k, init=init, n_init=1, max_iter=25, tol=0, algorithm="lloyd")
    seconds, _ = clocked(lambda: means.fit(rows))
    return seconds, inertia(means.cluster_centers_)


def superkmeans(**more):
    import superkmeans as s

    means = s.SuperKMeans(n_clusters=k, dimensionality=rows.shape[1], n_threads=1, **more)
    seconds, found = clocked(lambda: means.train(rows))
    return seconds, inertia(found)


def superkmeans_full():
    whole = dict(sampling_fraction=1.0, max_points_per_cluster=10**9, early_termination=False, tol=0.0)
    return superkmeans(iters=25, hierarchical=False, **whole)


def gyeol(threads=1):
    command = [GYEOL, "cluster", "--vectors", path, "--k", str(k), "--init", f"{scratch}/init.npy", "--max-iters", "25"]
    command += ["--tolerance", "0", "--threads", str(threads), "--centroids", f"{scratch}/centroids.npy", "--json"]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return answer["cpu_seconds" if threads == 1 else "seconds"], inertia(np.load(f"{scratch}/centroids.npy"))


def sklearn_pca():
    from sklearn.decomposition import PCA

    pca = PCA(k, svd_solver="covariance_eigh")
    seconds, _ = clocked(lambda: pca.fit(rows))
    return seconds, float(pca.explained_variance_ratio_.sum())


def gyeol_pca(threads=1):
    command = [GYEOL, "pca", "--vectors", path, "--components", str(k), "--threads", str(threads), "--json"]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return answer["cpu_seconds" if threads == 1 else "seconds"], sum(answer["explained_variance_ratio"])


peers = {
    "kmeans": {
        "gyeol": gyeol,
        "faiss": faiss,
        "scikit-learn lloyd": sklearn,
        "SuperKMeans, all rows, 25 rounds": superkmeans_full,
        "SuperKMeans, as it comes (sampled, hierarchical)": superkmeans,
        "gyeol, two threads (wall)": lambda: gyeol(2),
    },
    "pca": {"gyeol": gyeol_pca, "scikit-learn covariance_eigh": sklearn_pca, "gyeol, two threads (wall)": lambda: gyeol_pca(2)},
}[mode]
found = {name: [] for name in peers}
for _ in range(rounds):
    for name, run in peers.items():
        found[name].append(run())
ours = statistics.median(seconds for seconds, _ in found["gyeol"])
print(f"\n{path}, {len(rows)} x {rows.shape[1]}, {mode} {k}\n\n| | CPU s | times gyeol's | {'inertia' if mode == 'kmeans' else 'explained'} |\n|---|---|---|---|")
for name, runs in found.items():
    seconds = statistics.median(seconds for seconds, _ in runs)
    print(f"| {name} | {seconds:.3f} | {seconds / ours:.2f} | {runs[0][1]:.6g} |", flush=True)
