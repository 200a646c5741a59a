"""A headless Chromium that opens one page and tells what happened, through the DevTools protocol over a pipe: no port, no
package."""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]


class Browser:
    """Opens a file, or what a server has at an address; collects what the console says and every request."""

    def __init__(self, page: Path | str, dark=False):
        self.console, self.requests, self.answers = [], [], {}
        self.buffer, self.count = b"", 0
        self.folder = tempfile.TemporaryDirectory()
        read_in, self.to = os.pipe()
        self.come, write_out = os.pipe()
        # The browser reads commands from descriptor 3 and writes answers to 4.
        command = f"exec chromium {' '.join(QUIET)} --remote-debugging-pipe --user-data-dir={self.folder.name} about:blank"
        shell = f"{command} 3<&{read_in} 4>&{write_out}"
        self.process = subprocess.Popen(
            ["bash", "-c", shell], pass_fds=(read_in, write_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(read_in)
        os.close(write_out)
        target = self.send("Target.createTarget", {"url": "about:blank"})["targetId"]
        self.session = None
        self.session = self.send("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ["Page", "Runtime", "Log", "Network"]:
            self.send(f"{domain}.enable")
        self.send("Emulation.setDeviceMetricsOverride", {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False})
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.loaded = False
        url = page if str(page).startswith("http://") else f"file://{Path(page).resolve()}"
        self.send("Page.navigate", {"url": url})
        self.wait(lambda: self.loaded)
        # What a page does right after it has loaded counts too.
        end = time.time() + 0.5
        while time.time() < end:
            self.evaluate("1")

    def send(self, method, parameters=None):
        self.count += 1
        number = self.count
        message = {"id": number, "method": method, "params": parameters or {}}
        if getattr(self, "session", None):
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        self.wait(lambda: number in self.answers)
        answer = self.answers.pop(number)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def wait(self, done):
        while not done():
            while b"\0" not in self.buffer:
                part = os.read(self.come, 1 << 20)
                assert part, "the browser has ended"
                self.buffer += part
            line, self.buffer = self.buffer.split(b"\0", 1)
            self.take(json.loads(line))

    def take(self, message):
        method, parameters = message.get("method"), message.get("params", {})
        if "id" in message:
            self.answers[message["id"]] = message
        elif method == "Page.loadEventFired":
            self.loaded = True
        elif method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            self.console.append(parameters)
        elif method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])

    def evaluate(self, expression):
        result = self.send("Runtime.evaluate", {"expression": expression, "returnByValue": True})
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def close(self):
        self.send("Browser.close")
        self.process.wait(timeout=20)
        os.close(self.to)
        os.close(self.come)
        self.folder.cleanup()
