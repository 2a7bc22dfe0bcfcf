"""The server of `fundiff curate`: a page on this machine's loopback, for one who has its token."""

import hmac
import json
import secrets
from datetime import datetime
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, abort, jsonify, make_response, request
from werkzeug.exceptions import HTTPException

from jobs.curation.curation import Curation
from jobs.curation.page import SCRIPTS, SERVED_POLICY, STYLE, asset, served_page
from manifests.picks import Pick
from manifests.upscaled import Key

HOSTS = ("127.0.0.1", "localhost")
"""What the page may be called. A name that was made to point here, DNS rebinding, is refused."""

HEADERS = {
    "Content-Security-Policy": SERVED_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

TOKEN_HEADER = "X-Fundiff-Token"
LARGEST_BODY = 65536

FOR_EVER = "private, max-age=31536000, immutable"


def make_app(curation: Curation, token: str) -> Flask:
    """Return the web application.

    Every request needs the token: in the first address, then in a cookie that no script can read
    and no other site sends along. What changes something needs it in a header too.

    Args:
        curation: The run.
        token: A secret.
    """
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    cookie = f"fundiff-{curation.run}"
    app.before_request(lambda: _admit(token, cookie))
    app.after_request(_harden)
    app.register_error_handler(HTTPException, _tell)
    app.register_error_handler(OSError, _tell)
    _add_page(app, curation, token, cookie)
    _add_pictures(app, curation)
    _add_picks(app, curation)
    return app


def new_token() -> str:
    """Return a secret that nobody guesses."""
    return secrets.token_urlsafe(24)


def _admit(token: str, cookie: str) -> None:
    """Refuse whoever came by another name, or without the token."""
    if request.host.rpartition(":")[0] not in HOSTS and request.host not in HOSTS:
        abort(HTTPStatus.FORBIDDEN, "this server is called 127.0.0.1 or localhost, nothing else")
    is_change = request.method not in ("GET", "HEAD")
    given = [request.headers.get(TOKEN_HEADER)]
    if not is_change:
        given += [request.cookies.get(cookie), request.args.get("token")]
    if not any(each and hmac.compare_digest(each.encode(), token.encode()) for each in given):
        abort(HTTPStatus.FORBIDDEN, "open the whole address that `fundiff curate` printed")


def _harden(response: Response) -> Response:
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _tell(error: Exception) -> Response:
    """Tell what went wrong in one line, as JSON."""
    if isinstance(error, HTTPException):
        code, text = error.code or 500, error.description or error.name
    else:  # a full disk, a run that may not be written
        code, text = HTTPStatus.INTERNAL_SERVER_ERROR, str(error)
    response = jsonify(error=text)
    response.status_code = code
    return response


def _add_page(app: Flask, curation: Curation, token: str, cookie: str) -> None:
    title = curation.folder.path.resolve().name
    told = {"run": curation.run, "who": curation.who, "token": token}
    page = served_page(title, told)

    @app.get("/")
    def index() -> Response:
        response = make_response(page)
        response.set_cookie(cookie, token, httponly=True, samesite="Strict")
        return response

    @app.get("/page/<name>")
    def source(name: str) -> Response:
        if name not in (*SCRIPTS, STYLE):
            abort(HTTPStatus.NOT_FOUND, f"no file {name!r}")
        kind = "text/css" if name == STYLE else "text/javascript"
        return Response(asset(name), mimetype=kind)

    @app.get("/catalogue")
    def catalogue() -> Response:
        response = Response(curation.catalogue().text, mimetype="application/json")
        response.headers["Content-Encoding"] = "gzip"
        return response

    @app.get("/requests/<request_id>")
    def one_request(request_id: str) -> Response:
        found = curation.request(request_id)
        if found is None:
            abort(HTTPStatus.NOT_FOUND, f"the run has no request {request_id!r} with a picture")
        return jsonify(found)


def _add_pictures(app: Flask, curation: Curation) -> None:
    @app.get("/pictures/<run>/<request_id>/<int:candidate>/<name>")
    def picture(run: str, request_id: str, candidate: int, name: str) -> Response:
        """Return a picture; the run is in its address so that none is mistaken for another's."""
        found = curation.picture(request_id, candidate, name) if run == curation.run else None
        if found is None:
            abort(HTTPStatus.NOT_FOUND, "no such picture")
        response = Response(found, mimetype="image/png")
        response.headers["Cache-Control"] = FOR_EVER
        response.add_etag()
        response.make_conditional(request)
        return response


def _add_picks(app: Flask, curation: Curation) -> None:
    @app.get("/picks")
    def picks() -> Response:
        return jsonify(picks=curation.picks(), version=curation.catalogue().version)

    @app.post("/picks")
    def say() -> Response:
        said = _body()
        request_id, candidate = _known(curation, said)
        try:
            pick = curation.say(request_id, candidate, **_word(said))
        except ValueError as error:
            abort(HTTPStatus.BAD_REQUEST, str(error))
        return jsonify(at=pick.at.isoformat())

    @app.post("/undo")
    def take_back() -> Response:
        body = _body()
        key = _known(curation, body)
        try:
            said = _pick(key, body.get("said"), curation.who)
            earlier = body.get("earlier")
            undone = curation.take_back(
                said, None if earlier is None else _pick(key, earlier, curation.who)
            )
        except ValueError as error:
            abort(HTTPStatus.BAD_REQUEST, str(error))
        return jsonify(undone=undone)


def _body() -> dict[str, Any]:
    try:
        body = json.loads(request.get_data())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        abort(HTTPStatus.BAD_REQUEST, "send a JSON object")
    return body


def _pick(key: Key, said: Any, who: str) -> Pick:
    """Return a word that was said before."""
    if not isinstance(said, dict) or not isinstance(said.get("at"), str):
        abort(HTTPStatus.BAD_REQUEST, "send what was said: rating, rejected and at")
    return Pick(*key, **_word(said), who=who, at=datetime.fromisoformat(said["at"]))


def _word(said: dict[str, Any]) -> dict[str, Any]:
    rating, rejected = said.get("rating"), said.get("rejected")
    if not (rating is None or type(rating) is int) or not isinstance(rejected, bool):
        raise ValueError(
            f"rating is {rating!r} and rejected {rejected!r}; send a number and a bool"
        )
    return {"rating": rating, "rejected": rejected}


def _known(curation: Curation, body: dict[str, Any]) -> Key:
    """Return the candidate that is meant, if the run has it."""
    request_id, candidate = body.get("request_id"), body.get("candidate")
    if not isinstance(request_id, str) or type(candidate) is not int:
        abort(HTTPStatus.BAD_REQUEST, "send request_id and candidate")
    if curation.place(request_id, candidate) is None:
        abort(HTTPStatus.NOT_FOUND, f"the run has no picture {request_id}:{candidate}")
    return request_id, candidate
