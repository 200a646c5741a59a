"""The peaks of a process's anonymous memory (RssAnon) and of its pages of files (RssFile), in MB, and how long it took, in seconds.

    target/release/examples/distinct_pictures /tmp/pictures 100000
    python benches/inspect_memory.py target/release/pupila inspect /tmp/pictures --out /tmp/page.html

Linux. What is asked for is read 200 times a second, so a peak of less than 5 ms may be missed.
"""

import json
import subprocess
import sys
import time


def main():
    start = time.perf_counter()
    process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peaks = {"RssAnon": 0, "RssFile": 0, "RssShmem": 0}
    while process.poll() is None:
        try:
            with open(f"/proc/{process.pid}/status") as status:
                for line in status:
                    name, _, value = line.partition(":")
                    if name in peaks:
                        peaks[name] = max(peaks[name], int(value.split()[0]))
        except (FileNotFoundError, ProcessLookupError):
            break
        time.sleep(0.005)
    seconds = time.perf_counter() - start
    peaks = {name: round(kilobytes / 1024, 1) for name, kilobytes in peaks.items()}
    print(json.dumps(peaks | {"seconds": round(seconds, 2), "exit code": process.wait()}))


if __name__ == "__main__":
    main()
