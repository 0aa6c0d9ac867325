"""A real browser for tests: chromium without a window, driven through two pipes by its own DevTools protocol."""

import base64
import itertools
import json
import os
import shutil
import subprocess
import tempfile

COMMAND = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)  # fmt: skip
KEYS = {"Enter": "\r", " ": " "}  # those that have a text


class Browser:
    """One page of a browser, as a context manager: `open`, `run` JavaScript, press a `key`, `screenshot`."""

    def __enter__(self):
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        to_browser, ours = os.pipe()
        theirs, from_browser = os.pipe()

        def connect():
            """The browser reads from 3 and writes to 4."""
            os.dup2(os.dup(to_browser), 10), os.dup2(os.dup(from_browser), 11)
            os.dup2(10, 3), os.dup2(11, 4)

        command = [COMMAND, *OPTIONS, f"--user-data-dir={self._profile.name}", "about:blank"]
        self._process = subprocess.Popen(
            command, preexec_fn=connect, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(to_browser), os.close(from_browser)
        self._write, self._read = os.fdopen(ours, "wb", 0), os.fdopen(theirs, "rb", 0)
        self._numbers, self._rest, self._session, self.messages = itertools.count(1), b"", None, []
        target = next(t for t in self.ask("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self._session = self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        return self

    def __exit__(self, *_):
        self._session = None
        self.ask("Browser.close")
        self._process.wait(20)
        self._write.close(), self._read.close()
        self._profile.cleanup()

    def ask(self, method, **parameters):
        """One command of the protocol, and its result; what happens meanwhile is kept in `messages`."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._write.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                return answer["result"]

    def _receive(self):
        while b"\0" not in self._rest:
            chunk = self._read.read(1 << 16)
            assert chunk, "the browser is gone"
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\0")
        message = json.loads(line)
        self.messages.append(message)
        return message

    def open(self, path):
        """Load a file, and wait until it is there."""
        self.messages.clear()
        self.ask("Page.navigate", url=path.resolve().as_uri())
        while not any(message.get("method") == "Page.loadEventFired" for message in self.messages):
            self._receive()

    def run(self, script):
        """The value of a JavaScript expression."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def key(self, name):
        """Press and release a key."""
        text = {"text": KEYS.get(name, name)} if name in KEYS or len(name) == 1 else {}
        code = {"Enter": 13, "Tab": 9}.get(name, 0)
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=name, windowsVirtualKeyCode=code, **text)

    def click(self, selector):
        """Click in the middle of the first visible element of a selector."""
        find = f"[...document.querySelectorAll({json.dumps(selector)})].find(e => e.getClientRects().length)"
        middle = "e => {{ e.scrollIntoView({{block: 'center'}}); const r = e.getBoundingClientRect(); return {0}; }}"
        x, y = self.run(f"({middle.format('[r.x + r.width / 2, r.y + 12]')})({find})")
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def prefer(self, scheme):
        """Light or dark."""
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def resize(self, width, height):
        """The size of the window."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def screenshot(self, path):
        """The whole page as a PNG."""
        picture = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(picture["data"]))

    @property
    def complaints(self):
        """What the page was told in its console, and what went wrong in it."""
        loud = {"Runtime.exceptionThrown", "Log.entryAdded"}
        return [message["params"] for message in self.messages if message.get("method") in loud]

    @property
    def requests(self):
        """The addresses that were asked for."""
        sent = [message for message in self.messages if message.get("method") == "Network.requestWillBeSent"]
        return [message["params"]["request"]["url"] for message in sent]
