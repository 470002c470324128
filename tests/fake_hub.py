"""A stand-in for the Hugging Face Hub: the part of its HTTP API that huggingface_hub uses for models, in memory."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urlsplit

TOKEN = "hf_right"  # it may write to the repositories of OWNER; all others may read what is public
OWNER = "me"
LARGE = (".onnx", ".safetensors", ".bin")  # kept by Git LFS


@dataclass
class Repository:
    """The files of each commit, and the commit of each branch."""

    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        """Add files to a branch; returns the commit."""
        parent = self.branches.get(branch, "")
        content = self.commits.get(parent, {}) | files
        commit = hashlib.sha1(parent.encode() + b"".join(n.encode() + data for n, data in content.items())).hexdigest()
        self.commits[commit], self.branches[branch] = content, commit
        return commit


class FakeHub(ThreadingHTTPServer):
    """The server; `requests` counts what it was asked for."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, Repository] = {}
        self.uploads: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.address = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address) -> None:
        if not isinstance(sys.exc_info()[1], (ssl.SSLError, ConnectionError)):  # a client that hangs up
            super().handle_error(request, client_address)

    def add(self, name: str, files: dict[str, bytes]) -> str:
        """A repository with one commit, which is returned."""
        self.repositories[name] = Repository()
        return self.repositories[name].commit(files)


class _Refusal(Exception):
    def __init__(self, status: int, code: str, message: str, **values: str):
        super().__init__(message)
        self.status, self.headers, self.values = status, {"X-Error-Code": code} if code else {}, values


class _Handler(BaseHTTPRequestHandler):
    server: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_) -> None:
        pass

    def _handle(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = urlsplit(self.path).path
        self.server.requests.append(f"{self.command} {unquote(path)}")
        try:
            for method, pattern, answer in _ROUTES:
                if method == self.command and (match := re.fullmatch(pattern, path)):
                    return self._send(200, *answer(self, *map(unquote, match.groups())))
            raise _Refusal(404, "", f"no such page: {path}")
        except _Refusal as refusal:
            self._send(refusal.status, *_json(error=str(refusal), **refusal.values), refusal.headers)

    do_GET = do_HEAD = do_POST = do_PUT = _handle

    def _send(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(data))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _token(self) -> str:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in ("", TOKEN):
            raise _Refusal(401, "", "Invalid credentials in Authorization header")
        return token

    def _check_writer(self, name: str) -> None:
        if self._token() != TOKEN:
            raise _Refusal(401, "", "Invalid username or password.")
        if not name.startswith(f"{OWNER}/"):
            raise _Refusal(403, "", f"You don't have the rights to create a model under the namespace {name}")

    def _find(self, name: str) -> Repository:
        repository = self.server.repositories.get(name)
        if repository is None or (repository.private and self._token() != TOKEN):
            raise _Refusal(404 if self._token() else 401, "RepoNotFound", "Repository not found")
        return repository

    def _commit_of(self, name: str, revision: str) -> tuple[str, dict[str, bytes]]:
        repository = self._find(name)
        commit = repository.branches.get(revision, revision)
        if commit not in repository.commits:
            raise _Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return commit, repository.commits[commit]

    def create(self) -> tuple[bytes]:
        wanted = json.loads(self.body)
        name = f"{wanted['organization']}/{wanted['name']}"
        self._check_writer(name)
        private = wanted.get("visibility") == "private" or wanted.get("private", False)
        address = f"{self.server.address}/{name}"
        if name in self.server.repositories:
            raise _Refusal(409, "", "You already created this model repo", url=address)
        self.server.repositories[name] = Repository(private)
        self.server.repositories[name].commit({".gitattributes": b""})
        return _json(url=address)

    def info(self, name: str, revision: str = "main") -> tuple[bytes]:
        commit, files = self._commit_of(name, revision)
        private = self._find(name).private
        return _json(id=name, sha=commit, private=private, siblings=[{"rfilename": file} for file in files])

    def validate(self) -> tuple[bytes]:
        content = json.loads(self.body)["content"]
        assert re.match(r"---\n.+?\n---\n", content, re.S), content
        return _json(errors=[], warnings=[])

    def preupload(self, name: str, revision: str) -> tuple[bytes]:
        self._check_writer(name)
        _, there = self._commit_of(name, revision)
        paths = [file["path"] for file in json.loads(self.body)["files"]]
        modes = {path: "lfs" if path.endswith(LARGE) else "regular" for path in paths}
        oids = {path: _etag(path, there[path]) for path in paths if path in there}
        files = [{"path": p, "uploadMode": modes[p], "shouldIgnore": False, "oid": oids.get(p)} for p in paths]
        return _json(files=files)

    def lfs(self, name: str) -> tuple[bytes]:
        self._check_writer(name)
        wanted = json.loads(self.body)["objects"]
        actions = [{"upload": {"href": f"{self.server.address}/lfs/{item['oid']}"}} for item in wanted]
        return _json(transfer="basic", objects=[item | {"actions": action} for item, action in zip(wanted, actions)])

    def upload(self, oid: str) -> tuple[bytes]:
        assert hashlib.sha256(self.body).hexdigest() == oid
        self.server.uploads[oid] = self.body
        return (b"",)

    def branch(self, name: str, branch: str) -> tuple[bytes]:
        self._check_writer(name)
        branches = self._find(name).branches
        branches.setdefault(branch, branches["main"])
        return _json()

    def commit(self, name: str, branch: str) -> tuple[bytes]:
        self._check_writer(name)
        files = {}
        for line in map(json.loads, self.body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.uploads[value["oid"]]
        commit = self._find(name).commit(files, branch)
        return _json(commitUrl=f"{self.server.address}/{name}/commit/{commit}", commitOid=commit)

    def resolve(self, name: str, revision: str, file: str) -> tuple[bytes, dict[str, str]]:
        commit, files = self._commit_of(name, revision)
        if file not in files:
            raise _Refusal(404, "EntryNotFound", "Entry not found")
        return files[file], {"ETag": f'"{_etag(file, files[file])}"', "X-Repo-Commit": commit}


def _etag(path: str, data: bytes) -> str:
    git = b"blob %d\0%s" % (len(data), data)
    return hashlib.sha256(data).hexdigest() if path.endswith(LARGE) else hashlib.sha1(git).hexdigest()


def _json(**values: object) -> tuple[bytes]:
    return (json.dumps(values).encode(),)


_ROUTES = [
    ("POST", "/api/repos/create", _Handler.create),
    ("POST", "/api/validate-yaml", _Handler.validate),
    ("GET", "/api/models/([^/]+/[^/]+)", _Handler.info),
    ("GET", "/api/models/([^/]+/[^/]+)/revision/([^/]+)", _Handler.info),
    ("POST", "/api/models/([^/]+/[^/]+)/preupload/([^/]+)", _Handler.preupload),
    ("POST", "/api/models/([^/]+/[^/]+)/branch/([^/]+)", _Handler.branch),
    ("POST", "/api/models/([^/]+/[^/]+)/commit/([^/]+)", _Handler.commit),
    ("POST", "/([^/]+/[^/]+)[.]git/info/lfs/objects/batch", _Handler.lfs),
    ("PUT", "/lfs/([0-9a-f]+)", _Handler.upload),
    ("GET", "/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", _Handler.resolve),
    ("HEAD", "/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", _Handler.resolve),
]


@contextmanager
def serve() -> Iterator[FakeHub]:
    """A hub while the context lasts."""
    with FakeHub() as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
