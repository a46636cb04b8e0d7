"""Answer with a drawing: an SVG document with a policy of its own."""

from flask import Response

#: The drawing's style is inside it, which the policy of the pages forbids; scripts and everything else stay out.
DRAWING_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"


def drawing_response(svg: bytes) -> Response:
    """Return *svg* as a document for ``<img>``; its numbers are those of the user's scope, so nothing keeps a copy."""
    response = Response(svg, mimetype="image/svg+xml")
    response.headers["Content-Security-Policy"] = DRAWING_POLICY
    response.headers["Cache-Control"] = "no-store"
    return response
