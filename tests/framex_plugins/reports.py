"""A FrameX plugin with a function that other instances call by name: `reports.build_report`."""

import os

from framex.plugin import BasePlugin, PluginMetadata, on_proxy, on_register, on_request, register_proxy_func

__plugin_meta__ = PluginMetadata(
    name="reports",
    version="1.0.0",
    description="Writes reports",
    author="FrameX Gateway",
    url="",
)


@on_proxy()
async def build_report(job: str, pages: int) -> dict[str, object]:
    return {"job": job, "pages": pages, "written_by": os.environ.get("INSTANCE", "")}


@on_register()
class ReportsPlugin(BasePlugin):
    async def on_start(self) -> None:
        await register_proxy_func(build_report)

    @on_request("/reports/of", methods=["GET"])
    async def of(self, job: str) -> dict[str, object]:
        return await build_report(job=job, pages=3)
