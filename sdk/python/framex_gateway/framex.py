"""Connects a FrameX process (framex-kit 0.4) with the gateway that runs it as a worker.

`call_plugin_api` and `_call_remote_api` reach what is not loaded here through the gateway, with the names that FrameX uses:

- an API `/api/v1/…` is called under the same path,
- a function `plugin.Class.method` at the path of the worker's `requires` that ends with `/functions/plugin.Class.method` or
  `/functions/**`.

What is loaded here is called here, as ever. The functions that `expose` names are answered for other workers, at
`POST /api/v1/functions/plugin.Class.method`, with the arguments as a JSON object.
"""

from __future__ import annotations

import json
import os
from typing import Any

import httpx
from fastapi import HTTPException
from fastapi.encoders import jsonable_encoder
from pydantic import BaseModel

from . import CallMiddleware, client, is_connected

_HANDLE = "framex-gateway"
_FUNCTIONS = "/functions/"


def connect(expose: list[str] | None = None) -> None:
    """Connects this process; to be called before `framex.run`, and before plugins are loaded."""
    from framex.adapter.local_adapter import LocalAdapter
    from framex.driver.ingress import app
    from framex.plugin.manage import _manager
    from framex.plugin.model import ApiType, PluginApi

    requires = json.loads(os.environ.get("FRAMEX_GATEWAY_REQUIRES", "[]")) if is_connected() else []
    app.add_middleware(CallMiddleware)
    if expose:
        _answer_functions(app, frozenset(expose))

    find_here, handle_here = _manager.get_api, LocalAdapter.get_handle
    gateway = _Gateway(requires)

    def get_api(api_name: str) -> PluginApi | None:
        here = find_here(api_name)
        if here is not None or not gateway.knows(api_name):
            return here
        return PluginApi(api=api_name, deployment_name=_HANDLE, func_name=api_name, call_type=ApiType.FUNC)

    def get_handle(self: LocalAdapter, deployment_name: str) -> Any:
        return gateway if deployment_name == _HANDLE else handle_here(self, deployment_name)

    _manager.get_api = get_api
    LocalAdapter.get_handle = get_handle


class _Gateway:
    """What FrameX takes for a deployment: each of its attributes is the function that calls the API of that name."""

    def __init__(self, requires: list[dict[str, Any]]) -> None:
        self._requires = requires
        self._client: httpx.AsyncClient | None = None

    def knows(self, api_name: str) -> bool:
        return is_connected() and (api_name.startswith("/") or self._path_of_function(api_name) is not None)

    def __getattr__(self, api_name: str) -> Any:
        if not (api_name.startswith("/") or "." in api_name):
            raise AttributeError(api_name)

        async def call(**arguments: Any) -> Any:
            return await self._call(api_name, arguments)

        return call

    async def _call(self, api_name: str, arguments: dict[str, Any]) -> Any:
        if self._client is None:
            self._client = client(timeout=600.0)
        if not api_name.startswith("/"):
            request = self._client.build_request(
                "POST", self._path_of_function(api_name) or "", json=jsonable_encoder(arguments)
            )
        else:
            # As FrameX's own proxy sends them: a model is the body, everything else stands in the query.
            models = [value for value in arguments.values() if isinstance(value, BaseModel | dict)]
            query = {name: value for name, value in arguments.items() if not isinstance(value, BaseModel | dict)}
            method = self._method(api_name) or ("POST" if models else "GET")
            body = {"json": jsonable_encoder(models[0])} if models else {}
            request = self._client.build_request(method, api_name, params=jsonable_encoder(query), **body)
        answer = await self._client.send(request)
        return _result(api_name, answer)

    def _method(self, path: str) -> str | None:
        methods = next((required["methods"] for required in self._requires if required["path"] == path), [])
        return methods[0] if len(methods) == 1 else None

    def _path_of_function(self, name: str) -> str | None:
        for required in self._requires:
            prefix, found, last = required["path"].rpartition(_FUNCTIONS)
            if found and last in (name, "**"):
                return f"{prefix}{_FUNCTIONS}{name}"
        return None


def _result(api_name: str, answer: httpx.Response) -> Any:
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if kind == "text/event-stream":
        return [f"{event}\n\n" for event in answer.text.split("\n\n") if event]
    content = answer.json() if kind.endswith("json") else answer.text
    if answer.status_code >= 300:
        told = content if isinstance(content, dict) else {"message": content}
        reason = told.get("detail") or told.get("message") or told.get("title")
        raise RuntimeError(f"API {api_name} was answered with {answer.status_code} by the gateway: {reason}")
    # FrameX says in the body whether it went well.
    if isinstance(content, dict) and content.keys() >= {"status", "message"}:
        if content["status"] != 200:
            raise RuntimeError(f"API {api_name} returned status {content['status']}: {content['message']}")
        return content.get("data")
    return content


def _answer_functions(app: Any, exposed: frozenset[str]) -> None:
    from framex.adapter import get_adapter
    from framex.plugin import _normalize_plugin_call_kwargs
    from framex.plugin.manage import _manager

    # FrameX puts its envelope around what this returns.
    async def function(name: str, arguments: dict[str, Any]) -> Any:
        api = _manager.get_api(name) if name in exposed else None
        if api is None:
            raise HTTPException(404, f"Function {name} is not exposed")
        return jsonable_encoder(await get_adapter().call_func(api, **_normalize_plugin_call_kwargs(api, arguments)))

    app.add_api_route("/api/v1/functions/{name}", function, methods=["POST"], include_in_schema=False)
