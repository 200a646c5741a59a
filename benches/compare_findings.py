"""What CleanVision finds in a folder of images beside what `pupila inspect` finds, kind by kind.

    pip install cleanvision==0.3.7
    python benches/compare_findings.py FOLDER [--pupila PROGRAM]

For each kind of issue that both look for: how many images each names, how many both do, and a few that only one does. CleanVision runs with its
defaults. Its sets of copies are compared as images that are in any set.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

# CleanVision's issue, and the findings of `inspect` that say the same.
SAME = {
    "exact_duplicates": ["exact_duplicate", "exact_duplicate_across_splits", "label_conflict"],
    "near_duplicates": ["near_duplicate", "near_duplicate_across_splits", "label_conflict"],
    "dark": ["dark"],
    "light": ["bright"],
    "blurry": ["blurry"],
    "grayscale": ["odd_color"],
    "low_information": ["one_color"],
    "odd_aspect_ratio": ["odd_aspect"],
    "odd_size": ["tiny", "huge"],
}


def files_of(finding):
    return finding.get("files", []) + [file for group in finding.get("groups", []) for file in group]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pupila", default=Path(__file__).parent.parent / "target/release/pupila")
    options = parser.parse_args()
    folder = options.folder.resolve()

    with tempfile.TemporaryDirectory() as scratch:
        command = [options.pupila, "inspect", folder, "--json", "--no-pictures", "--out", f"{scratch}/page.html"]
        ran = subprocess.run(command, check=True, capture_output=True)
    findings = json.loads(ran.stdout)["findings"]

    from cleanvision import Imagelab

    lab = Imagelab(data_path=str(folder))
    lab.find_issues(n_jobs=2, verbose=False)
    issues = lab.issues
    print("| issue | CleanVision | ours | both |")
    print("|---|---|---|---|")
    lines = []
    for issue, kinds in SAME.items():
        column = f"is_{issue}_issue"
        theirs = {str(Path(path).resolve()) for path in issues.index[issues[column]]} if column in issues else set()
        ours = set()
        for finding in findings:
            # Of labels that contradict each other, one finding is about equal pictures and one about near ones.
            equal = "nearly" not in finding["message"]
            if finding["kind"] in kinds and (finding["kind"] != "label_conflict" or equal == (issue == "exact_duplicates")):
                ours |= {str(Path(file).resolve()) for file in files_of(finding)}
        print(f"| {issue} | {len(theirs)} | {len(ours)} | {len(theirs & ours)} |")
        for name, only in [("CleanVision", theirs - ours), ("ours", ours - theirs)]:
            some = [str(Path(file).relative_to(folder)) for file in sorted(only)[:6]]
            lines += [f"{issue}, only {name}: {', '.join(some)}"] if some else []
    print("\n".join(["", *lines]))


if __name__ == "__main__":
    main()
