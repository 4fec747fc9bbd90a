"""Filtered searches beside qdrant-edge, LanceDB and zvec: recall@10 and queries a CPU-second, one thread.

    python benches/filtered_peers.py GYEOL BASE.npy QUERIES.npy [PART ...]

GYEOL is the binary (cargo build --release). Needs numpy, and of the peers' Python packages (qdrant-edge-py, lancedb, zvec)
those that are to be measured. Rows of unit length by cosine, m = 16, ef_construction = 200. A number from 0 to 999 is drawn for
each row, and a filter lets those under a bound pass: 50, 10 and 1 % of the rows unless other parts are given. Each peer is
asked at growing efforts until its recall is 0.95; the first such point counts. Rounds are interleaved, and the median is told.
"""
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

K = 10
ROUNDS = 3
QUERIES = 300
EFFORTS = [10, 20, 40, 80, 160, 320, 640]
WANTED = 0.95


class Qdrant:
    name = "qdrant-edge"

    def __init__(self, rows, number, folder):
        import qdrant_edge as e

        self.e = e
        hnsw = e.HnswIndexConfig(16, 200, 10, max_indexing_threads=1)
        vectors = {"v": e.EdgeVectorParams(rows.shape[1], e.Distance.Cosine, hnsw_config=hnsw)}
        config = e.EdgeConfig(
            vectors=vectors,
            hnsw_config=hnsw,
            optimizers=e.EdgeOptimizersConfig(
                indexing_threshold=1000, default_segment_number=1, max_segment_size=10_000_000
            ),
        )
        os.makedirs(folder)
        self.shard = e.EdgeShard.create(folder, config)
        self.shard.update(e.UpdateOperation.create_field_index("c", e.PayloadSchemaType.Integer))
        for i in range(0, len(rows), 1000):
            points = [
                e.Point(j, {"v": rows[j].tolist()}, {"c": int(number[j])}) for j in range(i, min(len(rows), i + 1000))
            ]
            self.shard.update(e.UpdateOperation.upsert_points(points))
        while self.shard.optimize():
            pass

    def ask(self, query, bound, effort):
        e = self.e
        passing = e.Filter(must=[e.FieldCondition(key="c", range=e.RangeFloat(lt=float(bound)))])
        found = self.shard.search(
            e.SearchRequest(
                query=e.Query.Nearest(query.tolist(), "v"),
                limit=K,
                filter=passing,
                params=e.SearchParams(hnsw_ef=effort),
                with_vector=False,
                with_payload=False,
            )
        )
        return [point.id for point in found]


class Zvec:
    name = "zvec"

    def __init__(self, rows, number, folder):
        import zvec

        self.z = zvec
        zvec.init(log_level=zvec.LogLevel.ERROR, query_threads=1, optimize_threads=1)
        index = zvec.HnswIndexParam(metric_type=zvec.MetricType.COSINE, m=16, ef_construction=200)
        schema = zvec.CollectionSchema(
            name="c",
            fields=[
                zvec.FieldSchema("c", zvec.DataType.INT64, index_param=zvec.InvertIndexParam(enable_range_optimization=True))
            ],
            vectors=zvec.VectorSchema("v", zvec.DataType.VECTOR_FP32, rows.shape[1], index_param=index),
        )
        self.c = zvec.create_and_open(folder, schema)
        for i in range(0, len(rows), 1000):
            self.c.insert(
                [
                    zvec.Doc(id=str(j), vectors={"v": rows[j].tolist()}, fields={"c": int(number[j])})
                    for j in range(i, min(len(rows), i + 1000))
                ]
            )
        self.c.flush()
        self.c.optimize(zvec.OptimizeOption(concurrency=1))

    def ask(self, query, bound, effort):
        by = self.z.Query("v", vector=query, param=self.z.HnswQueryParam(ef=effort))
        return [int(doc.id) for doc in self.c.query(by, topk=K, filter=f"c < {bound}")]


class Lance:
    name = "lancedb"

    def __init__(self, rows, number, folder):
        import lancedb
        import pyarrow as pa

        flat = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])
        ids = pa.array(np.arange(len(rows), dtype=np.int32))
        table = pa.table({"id": ids, "c": pa.array(number.astype(np.int32)), "vector": flat})
        self.t = lancedb.connect(folder).create_table("t", table)
        self.t.create_index(
            metric="cosine",
            vector_column_name="vector",
            index_type="IVF_HNSW_SQ",
            num_partitions=1,
            m=16,
            ef_construction=200,
        )
        self.t.create_scalar_index("c")

    def ask(self, query, bound, effort):
        search = self.t.search(query).distance_type("cosine").where(f"c < {bound}", prefilter=True).limit(K)
        found = search.select(["id", "_distance"]).nprobes(1).ef(max(effort, 2 * K)).refine_factor(2).to_arrow()
        return found["id"].to_numpy().tolist()


def measure(peer, queries, bound, truth, effort):
    """(recall, queries a CPU-second)"""
    started = time.process_time()
    found = [peer.ask(query, bound, effort) for query in queries]
    seconds = time.process_time() - started
    hits = sum(len(set(f) & set(t)) for f, t in zip(found, truth))
    return hits / truth.size, len(queries) / seconds


def gyeol(binary, files, index):
    """(recall, queries a CPU-second) where 0.95 is asked for"""
    base, queries, neighbors, among = files
    arguments = ["bench", "--base", base, "--queries", queries, "--neighbors", neighbors, "--among", among]
    out = subprocess.run([binary, *arguments, "--index", index, "--json"], check=True, capture_output=True).stdout
    point = json.loads(out)["curve"][1]
    return point["recall"], point["qps"]


def main():
    binary, base, queries = sys.argv[1:4]
    parts = [float(part) for part in sys.argv[4:]] or [0.5, 0.1, 0.01]
    rows = np.load(base).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    asked = np.load(queries).astype(np.float32)[:QUERIES]
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    number = np.random.default_rng(20261126).integers(0, 1000, len(rows))
    folder = tempfile.mkdtemp()
    name = lambda file: os.path.join(folder, file)
    np.save(name("base.npy"), rows)
    np.save(name("queries.npy"), asked)
    peers = []
    for kind in [Qdrant, Zvec, Lance]:
        started = time.process_time()
        try:
            peers.append(kind(rows, number, name(kind.name)))
        except Exception as error:  # A peer that is missing or of another version is told, and left out.
            print(f"{kind.name}: left out: {error!r}", flush=True)
            continue
        print(f"{kind.name}: built in {time.process_time() - started:.0f} CPU-s", flush=True)
    print(f"\n{len(rows)} rows x {rows.shape[1]}, {len(asked)} queries\n")
    print("| passing | by | recall@10 | queries/CPU-s | gyeol's of it |\n|---|---|---|---|---|")
    for part in parts:
        bound = int(part * 1000)
        passing = np.flatnonzero(number < bound).astype(np.int32)
        order = np.argsort(-(asked @ rows[passing].T), axis=1)[:, :K]
        truth = passing[order].astype(np.int32)
        np.save(name("truth.npy"), truth)
        np.save(name("among.npy"), passing)
        files = [name("base.npy"), name("queries.npy"), name("truth.npy"), name("among.npy")]
        efforts = {}
        for peer in peers:
            tried = (effort for effort in EFFORTS if measure(peer, asked[:100], bound, truth[:100], effort)[0] >= WANTED)
            efforts[peer.name] = next(tried, EFFORTS[-1])
        results = {}
        for _ in range(ROUNDS):
            results.setdefault("gyeol", []).append(gyeol(binary, files, name("gyeol")))
            for peer in peers:
                point = measure(peer, asked, bound, truth, efforts[peer.name])
                results.setdefault(peer.name, []).append(point)
        middle = {by: [statistics.median(x) for x in zip(*points)] for by, points in results.items()}
        for by, (recall, rate) in middle.items():
            print(f"| {100 * part:g} % | {by} | {recall:.3f} | {rate:.0f} | {middle['gyeol'][1] / rate:.1f} |", flush=True)
    shutil.rmtree(folder, ignore_errors=True)


main()
