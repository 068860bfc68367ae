"""The page at `/docs`: Swagger UI over the OpenAPI document.

Users type their password there, and a self-hosted service may have no internet access. So the page
loads nothing from elsewhere: script and style come from an installed package.
"""

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse

router = APIRouter()
SCRIPT, STYLE = "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css"
_ASSETS = Path(str(files("fastapi_offline"))) / "static"
_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src data:; connect-src 'self'"
)
_CACHE_ONE_DAY = {"Cache-Control": "public, max-age=86400"}
_MOUNT_POINT = '<div id="swagger-ui">'
_NO_SCRIPT_NOTE = """<p>Swagger UI draws this page with JavaScript. Without it read
<a href="/openapi.json">/openapi.json</a>: it describes every call.</p>"""


@router.get("/docs", include_in_schema=False)
async def documentation() -> HTMLResponse:
    """The document as a page on which calls can be tried."""
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Muvr",
        swagger_js_url=SCRIPT,
        swagger_css_url=STYLE,
        swagger_favicon_url="data:,",
    )
    # Swagger UI replaces the content of its mount point.
    text = bytes(page.body).decode().replace(_MOUNT_POINT, f"{_MOUNT_POINT}\n{_NO_SCRIPT_NOTE}")
    return HTMLResponse(text, headers={"Content-Security-Policy": _POLICY})


@router.get(SCRIPT, include_in_schema=False)
async def script() -> FileResponse:
    """Swagger UI."""
    return _asset(SCRIPT, "text/javascript")


@router.get(STYLE, include_in_schema=False)
async def style() -> FileResponse:
    """How Swagger UI looks."""
    return _asset(STYLE, "text/css")


def _asset(path: str, media_type: str) -> FileResponse:
    name = path.rpartition("/")[2]
    return FileResponse(_ASSETS / name, headers=_CACHE_ONE_DAY, media_type=media_type)
