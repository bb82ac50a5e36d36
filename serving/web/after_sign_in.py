"""After signing in, sends somebody to the page they asked for instead of the home page.

The address is kept for a few minutes in a cookie that scripts cannot read. It comes back from a browser, so only an
address of our own pages is followed. Where the session that ended is known, only its own person is led there.
"""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

COOKIE = "upstream_next"
MINUTES = 30
LONGEST = 1_500
ANYBODY = "anybody"
_OWN_PAGE = re.compile(
    r"/(?:teams|patients|registers|this-week|find|model|status|audit|digest|help|glossary|emergency-access)"
    r"(?:[/?][\x21-\x7e]*)?"
)
_FORM = re.compile(r"(/patients/[^/?#]+)/.+")


def is_own_page(address: str) -> bool:
    """The address is one of our own pages, and no longer than a cookie holds."""
    return len(address) <= LONGEST and _OWN_PAGE.fullmatch(address) is not None


def to_sign_in(request: Request, person: str = "", *, kept: bool = False, lost: bool = False) -> RedirectResponse:
    """Send a browser to the sign-in page, and remember what it asked for. ``person`` is whose session ended, where that
    is known; ``kept`` says that what they filled in waits for them, ``lost`` that what they sent was not recorded."""
    answer = RedirectResponse("/sign-in" + ("?kept=1" if kept else "?lost=1" if lost else ""), 303)
    wanted = _page_of(request)
    if wanted:
        answer.set_cookie(
            COOKIE,
            f"{person or ANYBODY}|{wanted}",
            max_age=MINUTES * 60,
            httponly=True,
            # Lax, unlike the session: it must be there when a provider sends the browser back.
            samesite="lax",
            secure=request.url.scheme == "https",
        )
    return answer


def next_page(request: Request, person: str) -> str:
    """The page to go to after ``person`` signed in; ``/`` if none is stored."""
    whose, _, wanted = request.cookies.get(COOKIE, "").partition("|")
    if not is_own_page(wanted) or whose not in (person, ANYBODY):
        return "/"
    return wanted


def forget(request: Request, answer: Response) -> Response:
    """Deletes the stored address, if there is one."""
    if COOKIE in request.cookies:
        answer.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return answer


def _page_of(request: Request) -> str:
    """The page behind a request: of a form that was sent, the person's page."""
    path = request.scope.get("raw_path", b"").decode("ascii", "replace") or request.url.path
    if request.method != "GET":
        found = _FORM.fullmatch(path)
        path = found[1] if found else ""
    elif request.url.query:
        path = f"{path}?{request.url.query}"
    return path if is_own_page(path) else ""
